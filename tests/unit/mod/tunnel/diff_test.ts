import { describe, expect, test } from "bun:test";
import { compareLink, droppedBy, planSettings, routeText, specOf } from "../../../../mod/tunnel/diff.ts";
import type { TunnelConfig } from "../../../../mod/tunnel/model.ts";
import { bytes, link, tunnel } from "./helpers.ts";

test("a route is told with what tells it from another one to the same place", () => {
  const bare = { destination: "10.8.0.0", prefix: 16, via: null, metric: null, source: null, table: null };
  expect(routeText(bare)).toBe("10.8.0.0/16");
  expect(routeText({ ...bare, via: "10.1.1.3", metric: 0, table: 100 })).toBe(
    "10.8.0.0/16 via 10.1.1.3 metric 0 table 100",
  );
});

describe("an interface and what is wanted", () => {
  test("the same", () => {
    expect(compareLink(tunnel(), link(), null)).toEqual({ type: "same" });
    expect(compareLink(tunnel(), null, null)).toEqual({ type: "missing" });
  });

  test.each<[string, Partial<TunnelConfig>, string[]]>([
    ["local", { local: "192.0.2.11" }, ["local was 192.0.2.10"]],
    ["remote", { remote: "192.0.2.21" }, ["remote was 192.0.2.20"]],
    ["one key, said once", { ikey: 42, okey: 42 }, ["key was none"]],
    ["a key of one direction", { okey: 42 }, ["okey was none"]],
    ["ttl", { ttl: 0 }, ["ttl was 64"]],
    ["tos", { tos: 1 }, ["tos was 0"]],
    ["checksum", { checksum: true }, ["checksum was false"]],
    ["sequence", { sequence: true }, ["sequence was false"]],
    ["pmtudisc", { pmtudisc: false }, ["pmtudisc was true"]],
    ["two at once", { ttl: 1, checksum: true }, ["ttl was 64", "checksum was false"]],
  ])("%s differs", (_, more, differences) => {
    expect(compareLink(tunnel(more), link(), null)).toEqual({ type: "differs", differences });
  });

  test("bound to another device", () => {
    expect(compareLink(tunnel({ dev: "eth0" }), link({}, { link: 3 }), 2)).toMatchObject({ type: "differs" });
    expect(compareLink(tunnel({ dev: "eth0" }), link({}, { link: 2 }), 2)).toEqual({ type: "same" });
  });

  test("another type of GRE is made anew; anything else is not ours", () => {
    expect(compareLink(tunnel({ type: "gre" }), link(), null)).toEqual({
      type: "retype",
      differences: ["type was gretap"],
    });
    const dummy = link({ kind: "dummy", tunnel: null });
    expect(compareLink(tunnel(), dummy, null)).toEqual({ type: "foreign", kind: "dummy" });
    expect(compareLink(tunnel(), { ...dummy, kind: null }, null)).toMatchObject({
      kind: "hardware interface",
    });
  });

  test("path MTU discovery does not exist over IPv6", () => {
    const six = { type: "ip6gre", local: bytes("2001:db8::1"), remote: bytes("2001:db8::2") } as const;
    const config = tunnel({ type: "ip6gre", local: "2001:db8::1", remote: "2001:db8::2" });
    expect(compareLink(config, link({ kind: "ip6gre" }, { ...six, pmtudisc: false }), null)).toEqual({
      type: "same",
    });
  });
});

describe("settings", () => {
  const own = { address: "10.1.1.2", prefix: 24, peer: null };

  test("nothing to do; addresses of others are left", () => {
    expect(planSettings(tunnel(), link(), [own, { address: "10.9.0.100", prefix: 24, peer: null }])).toEqual(
      [],
    );
  });

  test("all that is missing, the interface set up last", () => {
    const plan = planSettings(tunnel({ mtu: 1400 }), link({ up: false }), []);
    expect(plan.map(({ type, was }) => [type, was])).toEqual([
      ["mtu", "mtu was 1462"],
      ["add-address", "address 10.1.1.2/24 was gone"],
      ["up", "was down"],
    ]);
  });

  test("an address with another prefix or far end is replaced", () => {
    const wrong = { address: "10.1.1.2", prefix: 32, peer: "10.1.1.3" };
    expect(planSettings(tunnel(), link(), [wrong]).map(({ type }) => type)).toEqual([
      "remove-address",
      "add-address",
    ]);
  });

  test("what a reload drops", () => {
    const route = { destination: "10.8.0.0", prefix: 16, via: null, metric: null, source: null, table: null };
    const before = tunnel({ routes: [route, { ...route, metric: 5 }] });
    const after = tunnel({ addresses: [{ ...own, prefix: 25 }], routes: [route] });
    expect(droppedBy(before, after)).toEqual({ addresses: [own], routes: [{ ...route, metric: 5 }] });
  });
});

test("what netlink is asked for", () => {
  const mac = Uint8Array.of(2, 0, 0, 0, 0, 9);
  const config = tunnel({ ikey: 1, okey: 2, ttl: 9, tos: 4, mtu: 1400, checksum: true, sequence: true });
  expect(specOf(config, 3, mac)).toEqual({
    name: "gretap1",
    type: "gretap",
    local: bytes("192.0.2.10"),
    remote: bytes("192.0.2.20"),
    ikey: 1,
    okey: 2,
    ttl: 9,
    tos: 4,
    pmtudisc: true,
    csum: true,
    seq: true,
    link: 3,
    mtu: 1400,
    mac,
  });
  expect(specOf(tunnel({ type: "gre" }), null, mac)).not.toHaveProperty("mac");
});
