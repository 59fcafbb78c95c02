import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { Address, Link, RouteEvent } from "../../../../lib/netlink/mod.ts";
import { familyOf, formatAddress, parseAddress } from "../../../../lib/packet/mod.ts";
import { type LinkTable, NO_LINKS } from "../../../../mod/link/model.ts";
import {
  applyRouteEvents,
  type CarrierFault,
  carrierFaults,
  hangingOn,
  holdersOf,
  linkFault,
  linkNamed,
  linkTable,
  sourceAddress,
} from "../../../../mod/link/step.ts";
import { config as vrrpConfig, vip as vipConfig } from "../../../router_config.ts";

function link(index: number, name: string, part: Partial<Link> = {}): Link {
  return {
    index,
    name,
    kind: null,
    up: true,
    running: true,
    flags: 0,
    mtu: 1500,
    mac: new Uint8Array(6),
    master: null,
    link: null,
    operstate: "up",
    macvlanMode: null,
    alias: null,
    tunnel: null,
    ...part,
  };
}

function address(ifindex: number, text: string, part: Partial<Address> = {}): Address {
  const local = parseAddress(text)!;
  return {
    ifindex,
    family: familyOf(local),
    address: local,
    local,
    prefix: 24,
    label: null,
    scope: 0,
    broadcast: null,
    flags: 0x80,
    validS: null,
    preferredS: null,
    ...part,
  };
}

const never = () => false;
const linkNew = (entry: Link): RouteEvent => ({ type: "link-new", link: entry });
const linkGone = (entry: Link): RouteEvent => ({ type: "link-gone", link: entry });
const addressNew = (entry: Address): RouteEvent => ({ type: "address-new", address: entry });
const addressGone = (entry: Address): RouteEvent => ({ type: "address-gone", address: entry });

const BASE = linkTable(
  [link(1, "lo"), link(2, "eth0")],
  [address(2, "10.1.1.2"), address(2, "10.1.1.3"), address(2, "fd00::2"), address(2, "fe80::2")],
);

function source(table: LinkTable, family: "ipv4" | "ipv6", wanted: string | null = null, virtual = never) {
  const found = sourceAddress(
    table,
    "eth0",
    family,
    wanted === null ? null : parseAddress(wanted),
    virtual as (address: Uint8Array) => boolean,
  );
  return found === null ? null : formatAddress(found);
}

describe("links", () => {
  test("are found by name, also after a new name", () => {
    const renamed = applyRouteEvents(BASE, [linkNew(link(2, "wan0"))]);
    expect(linkNamed(renamed, "eth0")).toBeNull();
    expect(linkNamed(renamed, "wan0")?.index).toBe(2);
    expect(linkNamed(BASE, "eth0")?.index).toBe(2);
  });

  test("may exchange their names", () => {
    const table = applyRouteEvents(BASE, [linkNew(link(3, "eth1"))]);
    const swapped = applyRouteEvents(table, [
      linkNew(link(2, "tmp")),
      linkNew(link(3, "eth0")),
      linkNew(link(2, "eth1")),
    ]);
    expect(linkNamed(swapped, "eth0")?.index).toBe(3);
    expect(linkNamed(swapped, "eth1")?.index).toBe(2);
    expect(linkNamed(swapped, "tmp")).toBeNull();
  });

  test("made anew under their name are not lost when the old one goes late", () => {
    const table = applyRouteEvents(BASE, [linkNew(link(9, "eth0")), linkGone(link(2, "eth0"))]);
    expect(linkNamed(table, "eth0")?.index).toBe(9);
    expect(source(table, "ipv4")).toBeNull();
  });

  test("keep their name when events of the one before come late", () => {
    const old = link(2, "eth0");
    // What the kernel answered is known before what it had told earlier.
    const made = applyRouteEvents(BASE, [linkGone(old), linkNew(link(9, "eth0"))]);
    const late = applyRouteEvents(made, [linkNew({ ...old, up: false }), linkGone(old)]);
    const table = applyRouteEvents(late, [linkNew(link(9, "eth0"))]);
    expect(linkNamed(table, "eth0")?.index).toBe(9);
  });

  test("take their addresses with them", () => {
    const table = applyRouteEvents(BASE, [linkGone(link(2, "eth0")), linkNew(link(2, "eth0"))]);
    expect(source(table, "ipv4")).toBeNull();
  });
});

test("linkFault says what is wrong", () => {
  const table = applyRouteEvents(BASE, [
    linkNew(link(3, "off", { up: false, running: false })),
    linkNew(link(4, "cut", { running: false })),
  ]);
  expect(linkFault(table, "eth0")).toBeNull();
  expect(linkFault(table, "none")).toBe("interface none does not exist");
  expect(linkFault(table, "off")).toBe("interface off is down");
  expect(linkFault(table, "cut")).toBe("interface cut has no carrier");
});

describe("sourceAddress", () => {
  test("is the first that is not virtual; link-local for IPv6", () => {
    expect(source(BASE, "ipv4")).toBe("10.1.1.2");
    expect(source(BASE, "ipv6")).toBe("fe80::2");
    const virtual = (bytes: Uint8Array) => formatAddress(bytes) === "10.1.1.2";
    expect(source(BASE, "ipv4", null, virtual as typeof never)).toBe("10.1.1.3");
    expect(source(BASE, "ipv4", null, (() => true) as unknown as typeof never)).toBeNull();
  });

  test("is the wanted one or none", () => {
    expect(source(BASE, "ipv4", "10.1.1.3")).toBe("10.1.1.3");
    expect(source(BASE, "ipv4", "10.1.1.9")).toBeNull();
    expect(source(BASE, "ipv6", "fd00::2")).toBe("fd00::2");
    expect(source(NO_LINKS, "ipv4", "10.1.1.2")).toBeNull();
  });

  test("is found without asking of hundreds of leased addresses whether they are virtual", () => {
    const leased = Array.from(
      { length: 250 },
      (_, index) => addressNew(address(2, `10.2.0.${index}`, { validS: 3 })),
    );
    const table = applyRouteEvents(NO_LINKS, [
      linkNew(link(2, "eth0")),
      ...leased,
      addressNew(address(2, "10.1.1.2")),
    ]);
    let asked = 0;
    const virtual = (bytes: Uint8Array) => ++asked > 0 && formatAddress(bytes).startsWith("10.2.");
    expect(source(table, "ipv4", null, virtual as typeof never)).toBe("10.1.1.2");
    expect(asked).toBe(1);
  });
});

describe("addresses", () => {
  test("of other prefix length are others", () => {
    const table = applyRouteEvents(BASE, [addressNew(address(2, "10.1.1.2", { prefix: 32 }))]);
    expect(holdersOf(table, parseAddress("10.1.1.2")!).map(({ prefix }) => prefix)).toEqual([24, 32]);
    const less = applyRouteEvents(table, [addressGone(address(2, "10.1.1.2"))]);
    expect(holdersOf(less, parseAddress("10.1.1.2")!).map(({ prefix }) => prefix)).toEqual([32]);
    expect(holdersOf(less, parseAddress("fd00::9")!)).toEqual([]);
  });

  test("that are renewed or unknown change nothing, not even the table", () => {
    expect(applyRouteEvents(BASE, [addressNew(address(2, "10.1.1.2", { validS: 3 }))])).toBe(BASE);
    expect(applyRouteEvents(BASE, [addressGone(address(2, "10.1.1.99"))])).toBe(BASE);
    expect(applyRouteEvents(BASE, [addressGone(address(7, "10.1.1.2"))])).toBe(BASE);
    expect(applyRouteEvents(BASE, [linkGone(link(7, "eth7"))])).toBe(BASE);
  });

  test("whose flags change are kept as they are now, in their place", () => {
    const table = applyRouteEvents(BASE, [addressNew(address(2, "10.1.1.2", { flags: 0x40 }))]);
    expect(table.addresses.get(2)?.map(({ flags }) => flags)).toEqual([0x40, 0x80, 0x80, 0x80]);
  });
});

const someLink = fc.record({
  index: fc.integer({ min: 1, max: 4 }),
  name: fc.constantFrom("a", "b", "c", "d"),
})
  .map(({ index, name }) => link(index, name));
const someAddress = fc.record({
  ifindex: fc.integer({ min: 1, max: 4 }),
  text: fc.constantFrom("10.0.0.1", "10.0.0.2", "fe80::1"),
  flags: fc.constantFrom(0x80, 0x40),
}).map(({ ifindex, text, flags }) => address(ifindex, text, { flags }));
const someEvent = fc.oneof(
  someLink.map(linkNew),
  someLink.map(linkGone),
  someAddress.map(addressNew),
  someAddress.map(addressGone),
);

test("a batch is the same as its events one by one, and no table is changed", () => {
  fc.assert(
    fc.property(fc.array(someEvent, { maxLength: 40 }), fc.nat(40), (events, cut) => {
      const whole = applyRouteEvents(NO_LINKS, events);
      const single = events.reduce((table, event) => applyRouteEvents(table, [event]), NO_LINKS);
      expect(single.links).toEqual(whole.links);
      expect(single.indexByName).toEqual(whole.indexByName);
      // Events of one batch may empty a list and leave it there.
      const filled = (table: LinkTable) => [...table.addresses].filter(([, list]) => list.length > 0).sort();
      expect(filled(single)).toEqual(filled(whole));

      const part = applyRouteEvents(NO_LINKS, events.slice(0, cut));
      const before = JSON.stringify([...part.links, ...part.indexByName, ...part.addresses]);
      applyRouteEvents(part, events.slice(cut));
      expect(JSON.stringify([...part.links, ...part.indexByName, ...part.addresses])).toBe(before);
    }),
    { numRuns: 500 },
  );
});

test("hangingOn: what the kernel takes away with the first address of a subnet", () => {
  const SECONDARY = 0x81;
  const table = linkTable([link(2, "eth0")], [
    address(2, "10.0.0.1"),
    address(2, "10.0.0.11", { flags: SECONDARY }),
    address(2, "10.0.0.12", { flags: SECONDARY, validS: 3 }),
    address(2, "10.0.0.17", { flags: SECONDARY, validS: 3 }),
    address(2, "10.0.0.15", { flags: SECONDARY, address: parseAddress("10.0.0.16")! }),
    address(2, "10.0.1.1"),
    address(2, "10.0.1.11", { flags: SECONDARY }),
    address(2, "10.0.0.14", { flags: SECONDARY, prefix: 25 }),
  ]);
  const hanging = (...removed: string[]) =>
    hangingOn(
      table,
      2,
      removed.map((text) => ({ local: parseAddress(text)!, prefix: 24 })),
      ({ local }) => formatAddress(local) === "10.0.0.17",
    ).map(({ local }) => formatAddress(local));
  expect(hanging("10.0.0.1")).toEqual(["10.0.0.11", "10.0.0.17"]);
  expect(hanging("10.0.0.1", "10.0.1.1")).toEqual(["10.0.0.11", "10.0.0.17", "10.0.1.11"]);
  expect(hanging("10.0.0.1", "10.0.0.17")).toEqual(["10.0.0.11"]);
  expect([hanging("10.0.0.11"), hanging("10.0.0.9"), hanging()]).toEqual([[], [], []]);
});

describe("interfaces that carry addresses of a router on another one", () => {
  const track = (weight: number | null) =>
    ({ kind: "interface", name: "eth1", weight, reverse: false }) as const;
  const vip = (text: string, dev: string | null) => ({ ...vipConfig(text), dev });
  const router = vrrpConfig({
    interface: "eth0",
    addresses: [vip("10.0.0.100", null), vip("10.9.0.100", "eth1"), vip("10.9.0.101", "eth1")],
    extra: [vip("10.9.1.1", "gone")],
  });
  const table = (part: Partial<Link>) =>
    linkTable([link(2, "eth0", { up: false }), link(3, "eth1", part)], []);

  const textsOf = (faults: readonly CarrierFault[]) => faults.map(({ text }) => text);

  test("are told when nobody can be reached by them, with what they carry", () => {
    expect(carrierFaults(router, table({}))).toEqual([]);
    expect(textsOf(carrierFaults(router, table({ up: false, running: false })))).toEqual([
      "interface eth1, which carries 10.9.0.100/24, 10.9.0.101/24, is down",
    ]);
    expect(textsOf(carrierFaults(router, table({ running: false })))[0]).toContain("has no carrier");
  });

  test("name a few of many addresses", () => {
    const addresses = [1, 2, 3, 4, 5].map((host) => vip(`10.9.0.${host}`, "eth1"));
    expect(textsOf(carrierFaults({ ...router, addresses }, table({ up: false })))).toEqual([
      "interface eth1, which carries 10.9.0.1/24, 10.9.0.2/24, 10.9.0.3/24 and 2 more, is down",
    ]);
  });

  test("are not told twice where they are the router's fault already", () => {
    const down = table({ up: false });
    expect(carrierFaults({ ...router, track: [track(null)] }, down)).toEqual([]);
    expect(carrierFaults({ ...router, track: [track(-20)] }, down)).toHaveLength(1);
  });
});
