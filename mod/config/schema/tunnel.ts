/**
 * Schema of one tunnel: `tunnels.NAME`.
 *
 * @module
 */
import * as z from "zod/mini";
import { parseAddress } from "../../../lib/packet/address.ts";
import { formatDuration, parseInteger } from "../units.ts";
import {
  address,
  boolean,
  docs,
  duration,
  integer,
  interfaceName,
  list,
  mapping,
  oneOf,
  scalar,
  shorthand,
} from "./base.ts";
import type { Fail } from "./base.ts";
import { vip, VIP_REQUIRED } from "./address.ts";
import { route, ROUTE_REQUIRED, routeOfLine } from "./route.ts";

/** What holds where a key is left out. Durations in milliseconds. */
export const TUNNEL_DEFAULTS = {
  ttl: 64,
  tos: 0,
  pmtudisc: true,
  datapath: "auto",
  intervalMs: 1000,
  retries: 3,
} as const;

/** Keys that a tunnel must have, and what they hold. */
export const TUNNEL_REQUIRED = {
  type: "write gretap, gre, ip6gretap or ip6gre",
  local: "write this machine's own address that the other end knows",
  remote: "write the other end's address",
} as const;

/** Devices that the kernel makes by itself, and words that stand for all of them in /proc/sys/net. */
export const KERNEL_DEVICES: readonly string[] = [
  ...["gre0", "gretap0", "erspan0", "ip6gre0", "tunl0", "sit0", "ip6tnl0", "ip_vti0", "ip6_vti0"],
  ...["lo", "all", "default", "none"],
];

/** What the names of tunnels look like: those of interfaces, as far as they can be names of ours too. */
export const TUNNEL_NAME_PATTERN = "^[A-Za-z0-9_][A-Za-z0-9_.-]{0,14}$";

const U32 = 0xffff_ffff;

function readKey(value: string, fail: Fail): number {
  // iproute2 shows keys as if they were addresses.
  const quad = value.includes(".") && !value.includes(":") ? parseAddress(value) : null;
  if (quad !== null) return new DataView(quad.buffer, quad.byteOffset, 4).getUint32(0);
  const number = parseInteger(value);
  if (!number.ok) return fail(number.what, `write a number from 0 to ${U32}, or four like 0.0.0.42`);
  if (number.value >= 0 && number.value <= U32) return number.value;
  return fail(`is ${value}, out of range`, `write a number from 0 to ${U32}`);
}

function key(description: string) {
  const anyOf = [{ type: "integer", minimum: 0, maximum: U32 }, {
    type: "string",
    pattern: "^[0-9]+(\\.[0-9]+){3}$",
  }];
  return scalar({ description, anyOf }, readKey);
}

/** A number, or `inherit`, which becomes `inherited`. */
function orInherit(description: string, min: number, inherited: number, preset: number) {
  const anyOf = [{ enum: ["inherit"] }, { type: "integer", minimum: min, maximum: 255 }];
  return scalar({ description, anyOf, preset }, (value, fail): number => {
    if (value === "inherit") return inherited;
    const number = parseInteger(value);
    if (!number.ok) return fail(`is \`${value}\``, `write a number from ${min} to 255, or inherit`);
    // As the kernel has it: a TOS whose last bit is set is that of the packet inside.
    const meansInherit = inherited === 1 && number.value % 2 === 1;
    if (meansInherit && number.value > 1 && number.value <= 255) {
      return fail(`is ${value}, which the kernel takes for inherit`, `write ${number.value - 1}, or inherit`);
    }
    if (number.value >= min && number.value <= 255 && !meansInherit) return number.value;
    return fail(`is ${value}, out of range`, `write a number from ${min} to 255, or inherit`);
  });
}

const tunnelAddress = mapping("An address of the tunnel's interface.", {
  address: vip.shape.address,
  peer: address("Far end of a point-to-point address; the prefix is then that of the far end."),
}, VIP_REQUIRED);

const tunnelRoute = mapping("A route through the tunnel.", {
  to: route.shape.to,
  via: route.shape.via,
  metric: route.shape.metric,
  table: route.shape.table,
  source: route.shape.source,
}, ROUTE_REQUIRED);

const keepalive = mapping(
  "Asks the far end whether it is there: the tunnel is up only while it answers. A gre tunnel asks by the GRE " +
    "keepalive of routers, and by ping where the peer's address is known; a gretap tunnel by ARP; IPv6 by ping.",
  {
    interval: duration("From one question to the next.", 50, 3_600_000, {
      preset: formatDuration(TUNNEL_DEFAULTS.intervalMs),
    }),
    retries: integer("Questions without an answer after which the tunnel is down.", 1, 100, {
      preset: TUNNEL_DEFAULTS.retries,
    }),
    target: address(
      "The peer's address inside the tunnel. Default: the other address of a /30, /31, /126 or /127 of `addresses`.",
    ),
  },
);

/** Schema of one tunnel. */
export const tunnel = mapping("A GRE tunnel: its name is that of its interface.", {
  type: oneOf(
    "What it carries and over what: gre (IP packets) and gretap (Ethernet frames) over IPv4, ip6gre and ip6gretap " +
      "over IPv6.",
    ["gre", "gretap", "ip6gre", "ip6gretap"],
  ),
  local: address("This end's outer address."),
  remote: address("The other end's outer address."),
  key: key("Key of both directions, the same at both ends; tells tunnels between the same addresses apart."),
  ikey: key("Key of what comes in, when the directions differ."),
  okey: key("Key of what goes out, when the directions differ."),
  ttl: orInherit(
    "TTL (hop limit) of the outer packets; inherit = that of the packet inside.",
    1,
    0,
    TUNNEL_DEFAULTS.ttl,
  ),
  tos: orInherit(
    "TOS (traffic class) of the outer packets; inherit = that of the packet inside.",
    0,
    1,
    TUNNEL_DEFAULTS.tos,
  ),
  mtu: integer(
    "Largest packet inside, in bytes. Default: what the kernel computes from the way to the other end.",
    68,
    65_535,
  ),
  checksum: boolean("Send checksums, and demand them.", { preset: false }),
  sequence: boolean("Send sequence numbers, and demand that they grow.", { preset: false }),
  pmtudisc: boolean("Set Don't Fragment on the outer packets (IPv4).", { preset: TUNNEL_DEFAULTS.pmtudisc }),
  dev: interfaceName("Interface that the outer packets are bound to. Default: wherever the route leads."),
  addresses: list(
    { description: "Addresses of the tunnel's interface." },
    shorthand(
      { description: "An address with prefix length, or a mapping.", short: { type: "string" } },
      (short) => ({ address: short }),
      tunnelAddress,
    ),
  ),
  routes: list(
    { description: "Routes through the tunnel." },
    shorthand(
      { description: "`10.8.0.0/16`, `10.8.0.0/16 via 10.1.1.3`, or a mapping.", short: { type: "string" } },
      routeOfLine,
      tunnelRoute,
    ),
  ),
  keep: boolean("Leave the tunnel in place when the daemon stops.", { preset: false }),
  datapath: oneOf(
    "What moves its packets: the kernel, or a process of ours (user); auto = the kernel, or ours where it has no GRE.",
    ["auto", "kernel", "user"],
    { preset: TUNNEL_DEFAULTS.datapath },
  ),
  keepalive: z.optional(keepalive),
}, TUNNEL_REQUIRED);

/** Schema of the section. */
export const tunnels = z.optional(
  z.record(z.string(), z.optional(tunnel)).register(docs, {
    description: "GRE tunnels, by the name of their interface: made, watched, put back when lost.",
    propertyNames: { pattern: TUNNEL_NAME_PATTERN, not: { enum: KERNEL_DEVICES } },
  }),
);

/** A tunnel as it was read; what was wrong or absent is undefined. */
export type RawTunnel = z.infer<typeof tunnel>;
