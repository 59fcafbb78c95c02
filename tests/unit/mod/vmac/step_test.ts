import { describe, expect, test } from "bun:test";
import type { Link } from "../../../../lib/netlink/mod.ts";
import { linkTable } from "../../../../mod/link/step.ts";
import type { Mark, Vmac } from "../../../../mod/vmac/model.ts";
import {
  arpObstacle,
  baseChanges,
  baseFault,
  baseReturns,
  judge,
  markText,
  readMark,
  vmacOf,
} from "../../../../mod/vmac/step.ts";
import { config } from "../vrrp/rig.ts";

const MAC = Uint8Array.of(0, 0, 0x5e, 0, 1, 51);
const ETHER = Uint8Array.of(2, 0, 0, 0, 0, 1);
const DEAD: Mark = { keeper: "1/100/5", before: { arp_ignore: 0 } };
const ALIVE: Mark = { keeper: "1/200/6", before: {} };

function link(index: number, name: string, part: Partial<Link> = {}): Link {
  return {
    index,
    name,
    kind: null,
    up: true,
    running: true,
    flags: 0x11043,
    mtu: 1500,
    mac: ETHER,
    master: null,
    link: null,
    operstate: "up",
    macvlanMode: null,
    alias: null,
    tunnel: null,
    ...part,
  };
}

function macvlan(index: number, part: Partial<Link> = {}): Link {
  const own = { kind: "macvlan", macvlanMode: "vepa", mac: MAC, link: 3 } as const;
  return link(index, part.name ?? "vrrp.51", { ...own, ...part });
}

const base = link(3, "eth0");
const wanted: Vmac = { name: "vrrp.51", base: "eth0", mac: MAC, ipv4: true, ipv6: false };

function verdict(present: readonly Link[], mine: number | null = null, on: Link = base) {
  const links = linkTable([link(1, "lo", { flags: 0x49, mac: new Uint8Array(6) }), on, ...present], []);
  return judge(wanted, on, links, mine, ({ keeper }) => keeper === ALIVE.keeper);
}

describe("what is wanted", () => {
  test("nothing without vmac", () => expect(vmacOf(config())).toBeNull());

  test("the virtual router's MAC address, and the IP versions of what it carries", () => {
    const vip = (address: string, dev: string | null) => {
      return { address, prefix: 24, dev, label: null, scope: null, broadcast: null };
    };
    const vmac = { name: "v", advertise: "vmac" } as const;
    const four = config({
      vrid: 51,
      vmac,
      addresses: [vip("10.0.0.1", "v")],
      extra: [vip("fe80::1", "eth9")],
    });
    expect(vmacOf(four)).toEqual({ name: "v", base: four.interface, mac: MAC, ipv4: true, ipv6: false });
    const both = vmacOf({ ...four, extra: [vip("fe80::1", "v")] });
    expect(both).toMatchObject({ ipv4: true, ipv6: true });
    const six = vmacOf(config({ family: "ipv6", vrid: 1, vmac, addresses: [vip("fe80::1", "v")] }));
    expect(six).toMatchObject({ mac: Uint8Array.of(0, 0, 0x5e, 0, 2, 1), ipv4: false, ipv6: true });
  });
});

describe("where a virtual MAC address can be", () => {
  test.each<[string, Partial<Link>, string | null]>([
    ["Ethernet", {}, null],
    ["the loopback", { flags: 0x49, mac: new Uint8Array(6) }, "is the loopback"],
    ["a tunnel", { kind: "gre", mac: Uint8Array.of(10, 0, 0, 1) }, "eth0 (gre) has no Ethernet MAC address"],
    ["a TUN device", { kind: "tun", mac: new Uint8Array(0) }, "has no Ethernet MAC address"],
    ["zeros", { mac: new Uint8Array(6) }, "has no Ethernet MAC address"],
  ])("%s", (_, part, text) => {
    const fault = baseFault(link(3, "eth0", part));
    if (text === null) expect(fault).toBeNull();
    else expect(fault).toContain(text);
  });
});

describe("what is to be done", () => {
  test("nothing there: make it", () => expect(verdict([])).toEqual({ type: "make", remove: [] }));

  test("ours is as it should be, or was set down", () => {
    expect(verdict([macvlan(9)], 9)).toMatchObject({ type: "fits" });
    expect(verdict([macvlan(9, { up: false })], 9)).toMatchObject({ type: "set-up" });
    expect(verdict([], 9)).toEqual({ type: "make", remove: [] });
  });

  test("a dead run's is adopted, whatever of it is down", () => {
    const left = macvlan(9, { alias: markText(DEAD), up: false });
    expect(verdict([left])).toEqual({ type: "adopt", link: left, mark: DEAD });
    // And again after the base was away: it is ours, but we no longer knew.
    expect(verdict([left], 8)).toMatchObject({ type: "adopt" });
  });

  test.each<[string, Partial<Link>]>([
    ["mode", { macvlanMode: "private" }],
    ["MAC address", { mac: ETHER }],
    ["base", { link: 4 }],
    ["kind", { kind: "dummy" }],
  ])("one with another %s is made anew if it is ours or a dead run's", (_, part) => {
    const other = macvlan(9, part);
    expect(verdict([other], 9)).toEqual({ type: "make", remove: [other] });
    const left = macvlan(9, { ...part, alias: markText(DEAD) });
    expect(verdict([left])).toEqual({ type: "make", remove: [left] });
    expect(verdict([other])).toMatchObject({ type: "refuse" });
  });

  test("what others made, or keep, is left alone and told", () => {
    expect(verdict([link(9, "vrrp.51", { kind: "bridge" })])).toEqual({
      type: "refuse",
      fault: "vrrp.51 is the name of a bridge that somebody else made: it cannot be the virtual MAC's",
    });
    expect(verdict([macvlan(9, { alias: markText(ALIVE) })])).toEqual({
      type: "refuse",
      fault: "vrrp.51 belongs to another appliance (process 200)",
    });
    expect(verdict([macvlan(9)])).toMatchObject({ type: "refuse" });
  });

  test("the MAC address is there once on a base", () => {
    const rival = macvlan(9, { name: "mine" });
    expect(verdict([rival])).toEqual({
      type: "refuse",
      fault: "mine, which somebody else made, has the virtual MAC address on eth0 already",
    });
    // On another base it may be.
    expect(verdict([macvlan(9, { name: "mine", link: 4 })])).toEqual({ type: "make", remove: [] });
    // One that somebody renamed is ours still.
    expect(verdict([rival], 9)).toEqual({ type: "make", remove: [rival] });
    const left = macvlan(9, { name: "old", alias: markText(DEAD) });
    expect(verdict([left])).toEqual({ type: "make", remove: [left] });
    // While ours is there and fits, a stranger does not matter.
    expect(verdict([macvlan(8), rival], 8)).toMatchObject({ type: "fits" });
  });

  test("macvlans of a macvlan are its siblings", () => {
    const upper = link(5, "eth0", { kind: "macvlan", macvlanMode: "bridge", link: 3 });
    expect(verdict([macvlan(9)], 9, upper)).toMatchObject({ type: "fits" });
  });
});

describe("marks", () => {
  test("are read as they were written", () => {
    for (
      const mark of [DEAD, ALIVE, { keeper: "4026531836/1/0", before: { arp_ignore: 1, arp_announce: 0 } }]
    ) {
      expect(readMark(markText(mark))).toEqual(mark);
    }
    expect(markText(DEAD)).toBe("appliance 1/100/5 arp_ignore=0");
  });

  test.each([
    null,
    "",
    "appliance",
    "uplink to core",
    "appliance 1/100",
    "appliance 1/2/3 rm -rf",
    "x appliance 1/2/3",
  ])(
    "none in %p",
    (alias) => expect(readMark(alias)).toBeNull(),
  );
});

describe("settings of the base", () => {
  const reader = (settings: Readonly<Record<string, number>>) => (device: string, name: string) =>
    settings[`${device}.${name}`] ?? null;
  const read = (ofBase: readonly [number, number], ofAll: readonly [number, number] = [0, 0]) =>
    reader({
      "eth0.arp_ignore": ofBase[0],
      "eth0.arp_announce": ofBase[1],
      "all.arp_ignore": ofAll[0],
      "all.arp_announce": ofAll[1],
    });

  test("it neither answers for the virtual addresses nor names them as its own", () => {
    expect(baseChanges("eth0", read([0, 0]))).toEqual({ arp_ignore: 1, arp_announce: 2 });
    expect(baseChanges("eth0", read([0, 1]))).toEqual({ arp_ignore: 1, arp_announce: 2 });
    expect(baseChanges("eth0", read([3, 0]))).toEqual({ arp_ignore: 1, arp_announce: 2 });
  });

  test("what is good already, there or for all, is left alone", () => {
    expect(baseChanges("eth0", read([1, 2]))).toEqual({});
    expect(baseChanges("eth0", read([2, 2]))).toEqual({});
    expect(baseChanges("eth0", read([0, 0], [1, 2]))).toEqual({});
    expect(baseChanges("eth0", reader({}))).toEqual({});
  });

  test("what was changed is set back unless somebody else changed it since", () => {
    const before = { arp_ignore: 0, arp_announce: 1 };
    expect(baseReturns("eth0", before, read([1, 2]))).toEqual(before);
    expect(baseReturns("eth0", before, read([2, 2]))).toEqual({ arp_announce: 1 });
    expect(baseReturns("eth0", {}, read([1, 2]))).toEqual({});
    expect(baseReturns("eth0", before, reader({}))).toEqual({});
  });

  test("what holds for all interfaces can stand in the way", () => {
    expect(arpObstacle("v", reader({}))).toBeNull();
    expect(arpObstacle("v", reader({ "all.arp_ignore": 2 }))).toBeNull();
    expect(arpObstacle("v", reader({ "all.arp_ignore": 8 }))).toContain("all.arp_ignore is 8");
    expect(arpObstacle("v", reader({ "all.arp_filter": 1 }))).toContain("v would not answer ARP");
  });
});
