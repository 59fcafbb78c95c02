/**
 * Judges probes.
 *
 * @module
 */
import { isAbsolute } from "node:path";
import { credentialsOf, UnknownName } from "../../../lib/users/mod.ts";
import type { Path } from "../document.ts";
import type { RawConfig } from "../schema.ts";
import { PROBE_DEFAULTS, PROBE_REQUIRED } from "../schema/probe.ts";
import type { RawProbe } from "../schema/probe.ts";
import { formatDuration } from "../units.ts";
import { isWritten, requireKeys } from "./context.ts";
import type { Check } from "./context.ts";

type Exec = Extract<RawProbe, { type: "exec" }>;
type Http = Extract<RawProbe, { type: "nginx" | "http" | "https" }>;

/** Tells when not exactly one of some keys is there. `least` 0 = none is good too. */
function checkOneOf(check: Check, path: Path, keys: readonly string[], least: 0 | 1): void {
  const given = keys.filter((key) => isWritten(check, [...path, key]));
  const guessed = keys.some((key) => check.meant.has([...path, key].join(".")));
  if (given.length > 1) {
    const what = `stands beside \`${given[0]}\``;
    check.report({ path: [...path, given[1]!], what, instead: "keep one of them", at: "key" });
  } else if (given.length < least && !guessed) {
    check.report({
      path,
      what: `has none of ${keys.join(", ")}`,
      instead: "write one of them",
      at: "key",
      doubtful: true,
    });
  }
}

function checkHttp(check: Check, path: Path, probe: Http): void {
  if (probe.type === "https" && probe.url?.protocol === "http:") {
    const what = "has the scheme http";
    check.report({ path: [...path, "url"], what, instead: "write https://…, or type: http" });
  }
  const names = new Set<string>();
  for (const name of Object.keys(probe.headers ?? {})) {
    const at = { path: [...path, "headers", name], at: "key", whole: true } as const;
    const lower = name.toLowerCase();
    if (!/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(name)) {
      check.report({
        ...at,
        what: "this cannot be the name of a header",
        instead: "use letters, digits and -",
      });
    } else if (lower === "host") {
      check.report({
        ...at,
        what: "`Host` is a key of its own",
        instead: "write host: NAME beside `headers`",
      });
    } else if (names.has(lower)) {
      check.report({
        ...at,
        what: "this header stands in this mapping already",
        instead: "keep one of the two",
      });
    }
    names.add(lower);
  }
  const status = probe.expect?.status;
  if (status?.length === 0) {
    check.report({
      path: [...path, "expect", "status"],
      what: "is empty",
      instead: 'write 200 or "200-299"',
    });
  }
  const url = probe.url ?? (probe.type === "nginx" ? new URL(PROBE_DEFAULTS.url) : undefined);
  if (url?.protocol !== "http:") return;
  for (const key of ["sni", "ca", "insecure"] as const) {
    if (probe[key] === undefined) continue;
    const what = "has no effect: the URL is not https";
    check.report({ path: [...path, key], what, instead: "remove it", at: "key", severity: "warning" });
  }
}

/** Warns of a user or group that this machine does not have; the file may be for another one. */
function checkUser(check: Check, path: Path, { user, group }: NonNullable<Exec["user"]>): void {
  try {
    credentialsOf(user, group, check.readFile);
  } catch (error) {
    // Nothing is known of users where their list cannot be read.
    if (!(error instanceof UnknownName)) return;
    const name = error.kind === "user" ? user : group;
    check.report({
      path: [...path, "user"],
      what: `names \`${name}\`, but this machine has no such ${error.kind}`,
      instead: "make it, or the probe will fail",
      severity: "warning",
    });
  }
}

/** Refuses a path that would depend on where the daemon was started. */
function checkAbsolute(check: Check, path: Path, value: string | undefined): void {
  if (value === undefined || isAbsolute(value)) return;
  const what = `is \`${value}\`, a relative path`;
  check.report({ path, what, instead: "write it from the root: /path/of/file" });
}

function checkProbe(check: Check, path: Path, probe: RawProbe): void {
  requireKeys(check, path, PROBE_REQUIRED[probe.type]);
  const { interval = PROBE_DEFAULTS.intervalMs, jitter } = probe;
  if (jitter !== undefined && jitter >= interval) {
    const what = `is ${formatDuration(jitter)}, not less than the interval of ${formatDuration(interval)}`;
    check.report({ path: [...path, "jitter"], what, instead: "write less than the interval" });
  }
  if (probe.type === "exec" && probe.user !== undefined) checkUser(check, path, probe.user);
  if (probe.type === "file") checkAbsolute(check, [...path, "path"], probe.path);
  if (probe.type === "process") checkAbsolute(check, [...path, "pid_file"], probe.pid_file);
  if (probe.type === "nginx") checkAbsolute(check, [...path, "process", "pid_file"], probe.process?.pid_file);
  if (probe.type === "process") checkOneOf(check, path, ["name", "pid_file", "cmdline"], 1);
  if (probe.type === "nginx" && probe.process !== undefined) {
    checkOneOf(check, [...path, "process"], ["pid_file", "name"], 1);
  }
  if (probe.type === "nginx" || probe.type === "http" || probe.type === "https") {
    checkHttp(check, path, probe);
  }
}

/** Checks every probe, and that each is used. */
export function checkProbes(check: Check, raw: RawConfig): void {
  const used = new Set<string>();
  for (const tracker of [...Object.values(raw.vrrp ?? {}), ...Object.values(raw.groups ?? {})]) {
    for (const track of tracker?.track ?? []) if (track?.probe !== undefined) used.add(track.probe);
  }
  for (const [name, probe] of Object.entries(raw.probes ?? {})) {
    if (probe === undefined) continue;
    const path = ["probes", name];
    checkProbe(check, path, probe);
    if (!used.has(name)) {
      const instead = "add { probe: " + name + " } to the `track` of an instance, or keep it for status only";
      check.report({ path, what: "is tracked by no instance", instead, at: "key", severity: "warning" });
    }
  }
}
