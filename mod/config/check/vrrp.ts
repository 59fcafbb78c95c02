/**
 * Judges each virtual router by itself: timers, authentication, lease, what it tracks.
 *
 * @module
 */
import type { Path } from "../document.ts";
import { pathText } from "../read.ts";
import type { RawConfig } from "../schema.ts";
import { AUTH_REQUIRED, VRRP_DEFAULTS, VRRP_REQUIRED } from "../schema/vrrp.ts";
import type { RawInstance } from "../schema/vrrp.ts";
import { formatDuration } from "../units.ts";
import { checkAddresses, checkFamilies, checkPeers, familiesOf } from "./address.ts";
import { isWritten, requireKeys } from "./context.ts";
import type { Check } from "./context.ts";
import { checkTrack } from "./track.ts";

/** Bytes of a password on the wire (RFC 2338 §5.3.6). */
export const PASS_BYTES = 8;

/** The version in force; undefined when a wrong one is written, so that nothing is concluded from it. */
function versionOf(check: Check, path: Path, instance: RawInstance): 2 | 3 | undefined {
  return instance.version ?? (isWritten(check, [...path, "version"]) ? undefined : VRRP_DEFAULTS.version);
}

function checkInterval(check: Check, path: Path, instance: RawInstance, version: 2 | 3 | undefined): void {
  const ms = instance.advert_interval;
  if (ms === undefined || version === undefined) return;
  const report = (what: string, instead: string) =>
    check.report({ path: [...path, "advert_interval"], what: `is ${formatDuration(ms)}, ${what}`, instead });
  if (version === 2) {
    if (ms < 1000) report("but version 2 has whole seconds only", "write 1s or more, or version: 3");
    else if (ms % 1000 !== 0) {
      report("but version 2 has whole seconds only", `write ${Math.round(ms / 1000)}s, or version: 3`);
    } else if (ms > 255_000) report("out of range", "write at most 255s");
    return;
  }
  if (ms < 10 || ms > 40_950) report("out of range", "write 10ms to 40.95s");
  else if (ms % 10 !== 0) {
    report(
      "but version 3 counts in steps of 10 ms",
      `write ${formatDuration(Math.max(10, Math.round(ms / 10) * 10))}`,
    );
  }
}

function checkAuth(check: Check, path: Path, instance: RawInstance, version: 2 | 3 | undefined): void {
  const { auth } = instance;
  if (auth === undefined) return;
  const at = [...path, "auth"];
  if (version === 3) {
    const what = "has no meaning in version 3, which has no authentication";
    check.report({ path: at, what, instead: "remove it, or write version: 2", at: "key" });
  }
  requireKeys(check, at, AUTH_REQUIRED);
  const hasKey = isWritten(check, [...at, "key"]);
  const hasFile = isWritten(check, [...at, "key_file"]);
  if (hasKey && hasFile) {
    check.report({
      path: [...at, "key_file"],
      what: "stands beside `key`",
      instead: "keep one of the two",
      at: "key",
    });
  } else if (
    !hasKey && !hasFile && !["key", "key_file"].some((key) => check.meant.has(pathText([...at, key])))
  ) {
    check.report({
      path: at,
      what: "has no `key`",
      instead: "write key or key_file",
      at: "key",
      doubtful: true,
    });
  }
}

/** Warns of passwords that are longer than the wire has room for. Runs after the files were read. */
export function checkPasswords(check: Check, raw: RawConfig, secretOf: (contents: string) => string): void {
  for (const [name, instance] of Object.entries(raw.vrrp ?? {})) {
    const auth = instance?.auth;
    if (auth === undefined) continue;
    const file = auth.key_file === undefined ? undefined : check.contents.get(auth.key_file);
    const key = auth.key ?? (file === undefined ? "" : secretOf(file));
    if (new TextEncoder().encode(key).length <= PASS_BYTES) continue;
    check.report({
      path: ["vrrp", name, "auth", auth.key === undefined ? "key_file" : "key"],
      what: `is longer than ${PASS_BYTES} bytes; as in keepalived, only the first ${PASS_BYTES} are used`,
      instead: `write ${PASS_BYTES} bytes or less`,
      severity: "warning",
    });
  }
}

function checkLease(check: Check, path: Path, instance: RawInstance): void {
  const { lease } = instance;
  if (lease === undefined || lease === null) return;
  const report = (what: string, instead: string, severity: "error" | "warning") =>
    check.report({
      path: [...path, "lease"],
      what: `is ${formatDuration(lease)}, ${what}`,
      instead,
      severity,
    });
  if (lease < 1000 || lease % 1000 !== 0) {
    const seconds = Math.max(2, Math.round(lease / 1000));
    return report("but the kernel counts lifetimes in whole seconds", `write ${seconds}s, or off`, "error");
  }
  if (lease < 2000) report("which leaves no time for a late renewal", "write 2s or more", "warning");
  const { advert_interval = VRRP_DEFAULTS.advertIntervalMs, down_adverts = VRRP_DEFAULTS.downAdverts } =
    instance;
  const down = (down_adverts + 1) * advert_interval;
  if (lease > VRRP_DEFAULTS.leaseMs && lease > 2 * down) {
    const what = `but the others take over from a dead master within ${formatDuration(down)}: ` +
      "a hung one would hold the addresses beside them";
    report(what, "shorten it, the default is 3s", "warning");
  }
}

function checkPriority(check: Check, path: Path, instance: RawInstance): void {
  if (instance.priority !== 255) return;
  const warn = (key: string, what: string) =>
    check.report({
      path: [...path, key],
      what,
      instead: "remove it, or lower the priority",
      at: "key",
      severity: "warning",
    });
  if (instance.preempt === false || (typeof instance.preempt === "number" && instance.preempt > 0)) {
    warn("preempt", "has no effect on the owner of the addresses (priority 255), who always preempts");
  }
  if ((instance.takeover_delay ?? 0) > 0) {
    warn("takeover_delay", "has no effect on the owner of the addresses (priority 255), who never waits");
  }
  if (instance.accept === false) {
    warn("accept", "has no effect on the owner of the addresses (priority 255), who always accepts");
  }
  instance.track?.forEach((track, i) => {
    if (track?.weight === undefined || track.weight === 0) return;
    const what = "has no effect on the owner of the addresses, whose priority stays 255";
    check.report({
      path: [...path, "track", i, "weight"],
      what,
      severity: "warning",
      instead: "lower the priority",
    });
  });
}

/** Checks every instance by itself. */
export function checkInstances(check: Check, raw: RawConfig): void {
  for (const [name, instance] of Object.entries(raw.vrrp ?? {})) {
    if (instance === undefined) continue;
    const path = ["vrrp", name];
    requireKeys(check, path, VRRP_REQUIRED);
    const version = versionOf(check, path, instance);
    checkInterval(check, path, instance, version);
    checkAuth(check, path, instance, version);
    checkAddresses(check, path, instance);
    checkPeers(check, path, instance);
    checkFamilies(check, path, instance, version);
    checkLease(check, path, instance);
    checkPriority(check, path, instance);
    checkTrack(check, path, instance, familiesOf(instance), raw);
    if (version === 2 && instance.checksum !== undefined) {
      const what = "has no effect in version 2";
      check.report({
        path: [...path, "checksum"],
        what,
        instead: "remove it",
        at: "key",
        severity: "warning",
      });
    }
  }
}
