/**
 * Schema of one virtual router: `vrrp.NAME`.
 *
 * @module
 */
import * as z from "zod/mini";
import { nearest } from "../names.ts";
import { formatDuration } from "../units.ts";
import {
  boolean,
  duration,
  durationOr,
  holdsSecrets,
  integer,
  interfaceName,
  list,
  mapping,
  oneOf,
  oneOfWords,
  password,
  path,
  readAddress,
  readBoolean,
  readDuration,
  scalar,
  shorthand,
  text,
} from "./base.ts";
import type { Fail } from "./base.ts";
import { vip } from "./address.ts";
import { commands } from "./command.ts";
import { debounce } from "./link.ts";
import { routes, rules } from "./route.ts";
import { vmac } from "./vmac.ts";

const HOUR = 3_600_000;

/** What holds where a key is left out. Durations in milliseconds. */
export const VRRP_DEFAULTS = {
  version: 3,
  priority: 100,
  advertIntervalMs: 1000,
  takeoverDelayMs: 0,
  downAdverts: 3,
  leaseMs: 3000,
  repeat: 5,
  delayMs: 5000,
  refreshMs: 60_000,
  refreshRepeat: 1,
  intervalMs: 0,
  checksum: "auto",
  handover: "fast",
} as const;

/** Keys that an instance must have, and what they hold. */
export const VRRP_REQUIRED = {
  interface: "name the interface that VRRP runs on",
  vrid: "write the same number from 1 to 255 on every router of the cluster",
  addresses: "list the virtual addresses",
} as const;

/** Keys that `auth` must have. */
export const AUTH_REQUIRED = { type: "write type: pass, or ah" } as const;

const AUTH_TYPES = ["pass", "ah"] as const;

const auth = holdsSecrets(mapping(
  "Authentication of version 2 (RFC 2338). A password on the wire protects from mistakes, not from people.",
  {
    type: scalar(
      {
        description:
          "`pass`: a password of at most 8 bytes. `ah`: the same as the key of an IPsec authentication header.",
        enum: AUTH_TYPES,
      },
      (value, fail): "pass" | "ah" => {
        const type = AUTH_TYPES.find((known) => known === value);
        if (/^(none|off|no)$/i.test(value)) return fail(`is \`${value}\``, "remove `auth` for none");
        const near = nearest(value, AUTH_TYPES) !== null;
        return type ?? fail(near ? `is \`${value}\`` : "is not known", oneOfWords(value, AUTH_TYPES));
      },
    ),
    key: password("The password."),
    key_file: path("File that holds the password, so that this one can be shown."),
  },
  AUTH_REQUIRED,
));

const announce = mapping("How the addresses are announced by gratuitous ARP.", {
  repeat: integer("Packets for each address in a burst.", 1, 100, { preset: VRRP_DEFAULTS.repeat }),
  delay: duration("When the second burst follows; 0 = no second one.", 0, HOUR, {
    preset: formatDuration(VRRP_DEFAULTS.delayMs),
  }),
  refresh: duration("How often a master announces again; 0 = never.", 0, 24 * HOUR, {
    preset: formatDuration(VRRP_DEFAULTS.refreshMs),
  }),
  refresh_repeat: integer("Packets for each address in a refresh.", 1, 100, {
    preset: VRRP_DEFAULTS.refreshRepeat,
  }),
  interval: duration("Least time between two packets; 0 = no pacing.", 0, 10_000, {
    preset: formatDuration(VRRP_DEFAULTS.intervalMs),
  }),
});

export const track = mapping(
  "Something whose failure lowers the priority, or, without weight, means FAULT. Names one thing.",
  {
    probe: text("Name of a probe.", { type: "string" }),
    interface: interfaceName("Name of a network interface; it fails while it is down or has no carrier."),
    tunnel: text(
      "Name of a tunnel; it fails while its far end does not answer, or its interface is not there.",
      {
        type: "string",
      },
    ),
    instance: text(
      "Name of another instance of this file; it fails while that one is in FAULT, or not what `state` says.",
      { type: "string" },
    ),
    state: scalar(
      {
        description: "What a tracked instance has to be: up (backup or master), or master.",
        enum: ["up", "master"],
        preset: "up",
      },
      (value, fail): "up" | "master" =>
        value === "up" || value === "master"
          ? value
          : fail(`is \`${value}\``, oneOfWords(value, ["up", "master"])),
    ),
    route: scalar(
      {
        description: "`default`: a default route of the main table; it fails while there is none.",
        enum: ["default"],
      },
      (value, fail): "default" =>
        value === "default"
          ? value
          : fail(`is \`${value}\``, "only the default route can be tracked: default"),
    ),
    family: oneOf(
      "IP version of a tracked route. Default: that of the virtual addresses, ipv4 where there are both.",
      ["ipv4", "ipv6"],
    ),
    weight: integer(
      "Added while it is up (positive) or while it is down (negative); 0 or absent = its failure means FAULT. " +
        "The number of a `file` probe is multiplied by it.",
      -253,
      253,
    ),
    reverse: scalar({ description: "Take up for down.", type: "boolean", preset: false }, readBoolean),
  },
);

export const notify = mapping("Commands that are run when the state changes, one after the other.", {
  master: commands("Run on becoming master"),
  backup: commands("Run on becoming backup"),
  fault: commands(
    "Run on FAULT, which is also what a reload that removes the instance or group leaves it in",
  ),
  stop: commands("Run when the daemon stops; what has not ended within a second is killed"),
  any: commands(
    "Run on every change, with `INSTANCE name STATE priority` (the effective one) added to its arguments, or `GROUP name " +
      "STATE 0`, as keepalived does",
  ),
});

/** `true`, `false`, or how long a lower master is suffered, in milliseconds. */
function readPreempt(value: string, fail: Fail): boolean | number {
  if (/^\d/.test(value)) return readDuration(value, 0, HOUR, fail);
  return readBoolean(value, (what) => fail(what, "write true, false or a delay like 30s"));
}

/** Schema of one instance. */
export const vrrpInstance = mapping("A virtual router: one VRID on one interface.", {
  interface: interfaceName("Interface on which VRRP runs. It need not exist yet."),
  vrid: integer(
    "Virtual router ID: the same on every router of the cluster, unique on the segment.",
    1,
    255,
  ),
  version: scalar(
    { description: "VRRP version.", enum: [2, 3], preset: VRRP_DEFAULTS.version },
    (value, fail): 2 | 3 => value === "2" ? 2 : value === "3" ? 3 : fail(`is \`${value}\``, "write 2 or 3"),
  ),
  priority: integer("The highest becomes master; 255 = this router owns the addresses.", 1, 255, {
    preset: VRRP_DEFAULTS.priority,
  }),
  advert_interval: duration(
    "Time between advertisements. Version 3: 10ms to 40.95s in steps of 10 ms; version 2: whole seconds, 1s to 255s.",
    0,
    HOUR,
    { preset: formatDuration(VRRP_DEFAULTS.advertIntervalMs) },
  ),
  preempt: scalar(
    {
      description:
        "Whether a router of higher priority takes over from a living master: true, false or after a delay.",
      preset: true,
      ...durationOr([true, false]),
    },
    readPreempt,
  ),
  takeover_delay: duration("Extra wait before a dead master is replaced.", 0, HOUR, {
    preset: formatDuration(VRRP_DEFAULTS.takeoverDelayMs),
  }),
  down_adverts: integer("Missed advertisements after which the master counts as dead.", 1, 100, {
    preset: VRRP_DEFAULTS.downAdverts,
  }),
  source: scalar(
    {
      description:
        "Source address of advertisements; default: the interface's first address (IPv6: its link-local one).",
      type: "string",
    },
    readAddress,
  ),
  peers: list(
    {
      description: "Addresses of the other routers: send to each of them instead of multicast.",
      minItems: 1,
    },
    scalar({ description: "Address of another router.", type: "string" }, readAddress),
  ),
  auth: z.optional(auth),
  addresses: list(
    { description: "The virtual addresses, of one family or of both.", minItems: 1 },
    shorthand(
      { description: "An address with prefix length, or a mapping.", short: { type: "string" } },
      (short) => ({ address: short }),
      vip,
    ),
  ),
  extra: list(
    {
      description:
        "Addresses that come and go with the virtual ones without being advertised; of either IP version.",
    },
    shorthand(
      { description: "An address with prefix length, or a mapping.", short: { type: "string" } },
      (short) => ({ address: short }),
      vip,
    ),
  ),
  routes: routes("Routes that are there while this router is master."),
  rules: rules("Rules that are there while this router is master."),
  accept: boolean(
    "Whether a master that does not own the addresses accepts packets to them; without, it only forwards for them.",
    { preset: true },
  ),
  lease: scalar(
    {
      description:
        "Lifetime of the addresses in the kernel, renewed while we live: a dead daemon loses them. Whole seconds.",
      preset: formatDuration(VRRP_DEFAULTS.leaseMs),
      ...durationOr(["off"]),
    },
    (value, fail): number | null => value === "off" ? null : readDuration(value, 0, HOUR, fail),
  ),
  announce: z.optional(announce),
  track: list({ description: "What the instance depends on." }, z.optional(track)),
  debounce: z.optional(debounce),
  notify: z.optional(notify),
  checksum: oneOf(
    "Checksum of version 3 over IPv4 that is sent: RFC 9568's (rfc), with a pseudo-header as RFC 5798, keepalived and " +
      "FRR have it (pseudo), or so until a peer is heard that speaks otherwise (auto). All are accepted.",
    ["auto", "rfc", "pseudo"],
    { preset: VRRP_DEFAULTS.checksum },
  ),
  handover: oneOf(
    "How a master whose priority fell, or who stepped down, is replaced: within 100 ms, or as slowly as the RFC has it.",
    ["fast", "rfc"],
    { preset: VRRP_DEFAULTS.handover },
  ),
  vmac,
}, VRRP_REQUIRED);

/** An instance as it was read; what was wrong or absent is undefined. */
export type RawInstance = z.infer<typeof vrrpInstance>;
export type RawTrack = z.infer<typeof track>;
