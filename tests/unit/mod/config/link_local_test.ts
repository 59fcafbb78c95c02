/** A link-local address means another host on another link: it may be on two interfaces, but not twice on one. */
import { describe, expect, test } from "bun:test";
import { told } from "./marked.ts";

const instance = (name: string, dev: string, vrid: number, address: string, more = "") =>
  `  ${name}: { interface: ${dev}, vrid: ${vrid}, addresses: [${address}]${more} }\n`;

const bad: readonly (readonly [name: string, marked: string, text: string])[] = [
  [
    "one on one interface",
    `vrrp:\n${instance("a", "eth0", 1, "fe80::1/64")}${instance("b", "eth0", 2, "§fe80::1/64")}`,
    "`address` is fe80::1, which `a` (line 2) has on the same link already",
  ],
  [
    "one that is put there by `dev`",
    `vrrp:\n${instance("a", "eth0", 1, "169.254.0.1/24")}${
      instance("b", "eth1", 2, "{ address: §169.254.0.1/24, dev: eth0 }")
    }`,
    "has on the same link already",
  ],
  [
    "beside a virtual MAC address on the same interface",
    `vrrp:\n${instance("a", "eth0", 1, "fe80::1/64", ", vmac: {}")}${
      instance("b", "eth0", 2, "§fe80::1/64")
    }`,
    "has on the same link already",
  ],
  [
    "beside a static one",
    `static: { addresses: [fe80::1/64 dev eth0] }\nvrrp:\n${instance("a", "eth0", 1, "§fe80::1/64")}`,
    "which `static` (line 1) has on the same link already",
  ],
  [
    "twice in one advertisement",
    `vrrp:\n${instance("a", "eth0", 1, "fe80::1/64, { address: §fe80::1/64, dev: eth1 }")}`,
    "already (remove it, or write that of another device under `extra`)",
  ],
  [
    "twice in one instance",
    `vrrp:\n${instance("a", "eth0", 1, "fe80::1/64", ", extra: [§fe80::1/64]")}`,
    "which stands in `addresses` already (remove it)",
  ],
  [
    "a tunnel's own",
    "tunnels:\n  gt0: { type: gretap, local: 10.0.0.1, remote: 10.0.0.2, addresses: [fe80::1/64] }\n" +
    `vrrp:\n${instance("a", "gt0", 1, "§fe80::1/64")}`,
    "the tunnel `gt0`'s own address",
  ],
  [
    "any other address, on whatever interfaces",
    `vrrp:\n${instance("a", "eth0", 1, "10.0.0.1/24")}${instance("b", "eth1", 2, "§10.0.0.1/24")}` +
    instance("c", "eth0", 3, "fd00::1/64") + instance("d", "eth1", 4, "§fd00::1/64"),
    "which `a` (line 2) has already",
  ],
];

describe("refused", () => {
  test.each(bad)("%s", (_, marked, text) => {
    const { ok, lines, at, marks } = told(marked);
    expect({ ok, at }).toEqual({ ok: false, at: [...marks] });
    expect(lines[0]).toContain(text);
  });
});

test.each([
  `vrrp:\n${instance("a", "eth0", 1, "fe80::1/64")}${instance("b", "eth1", 1, "fe80::1/64")}`,
  `vrrp:\n${instance("a", "eth0", 1, "169.254.0.1/24")}${instance("b", "eth1", 1, "169.254.0.1/24")}`,
  `vrrp:\n${instance("a", "eth0", 1, "fe80::1/64", ", vmac: {}")}${
    instance("b", "eth1", 2, "fe80::1/64", ", vmac: {}")
  }`,
  `vrrp:\n${instance("a", "eth0", 1, "fe80::1/64", ", extra: [{ address: fe80::1/64, dev: eth1 }]")}`,
  `static: { addresses: [fe80::1/64 dev eth1] }\nvrrp:\n${instance("a", "eth0", 1, "fe80::1/64")}`,
  "tunnels:\n  gt0: { type: gretap, local: 10.0.0.1, remote: 10.0.0.2, addresses: [fe80::1/64] }\n" +
  "  gt1: { type: gretap, local: 10.0.0.1, remote: 10.0.0.3, addresses: [fe80::1/64] }\n" +
  `vrrp:\n${instance("a", "eth0", 1, "fe80::1/64")}`,
])("good: %s", (text) => {
  expect(told(text)).toMatchObject({ ok: true, lines: [] });
});
