/** lib/netlink against the kernel of this machine, in a namespace of its own; `ip` is the second reader. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import {
  CAP,
  closeFd,
  createNetns,
  deleteNetns,
  EOPNOTSUPP,
  Epoll,
  hasCapability,
  inNetns,
  monotonicNs,
  openNetns,
  SyscallError,
} from "../../lib/libc/mod.ts";
import { formatAddress, parseAddress } from "../../lib/packet/address.ts";
import {
  addAddress,
  addAddressRequest,
  addRoute,
  addRule,
  changeTunnel,
  createBridge,
  createDummy,
  createMacvlan,
  createTunnel,
  createVeth,
  deleteLink,
  getLink,
  type Link,
  listAddresses,
  listLinks,
  listRoutes,
  listRules,
  NETLINK_GENERIC,
  NETLINK_ROUTE,
  NetlinkConnection,
  NetlinkListener,
  parseRouteEvent,
  removeAddress,
  removeAddressRequest,
  removeRoute,
  removeRule,
  resolveFamily,
  type RouteEvent,
  RTNLGRP,
  setLink,
  type TunnelType,
} from "../../lib/netlink/mod.ts";

const NS = `netlink-${process.pid}`;
const PEER_NS = `netlink-peer-${process.pid}`;
const able = hasCapability(CAP.NET_ADMIN) && hasCapability(CAP.SYS_ADMIN);
if (!able) console.log("skipped: needs CAP_NET_ADMIN and CAP_SYS_ADMIN to make network namespaces");

function address(text: string): Uint8Array {
  return Uint8Array.from(parseAddress(text) ?? []);
}

/** Whether this kernel can make such a link; says so when not. */
function supports(kind: string, create: (connection: NetlinkConnection) => void): boolean {
  if (!able) return false;
  const name = `netlink-try-${process.pid}`;
  createNetns(name);
  try {
    inNetns(name, () => {
      const connection = new NetlinkConnection(NETLINK_ROUTE);
      try {
        create(connection);
      } finally {
        connection.close();
      }
    });
    return true;
  } catch (error) {
    if (!(error instanceof SyscallError) || error.errno !== EOPNOTSUPP) throw error;
    console.log(`skipped: this kernel has no ${kind} links (${error.message})`);
    return false;
  } finally {
    deleteNetns(name);
  }
}

const TUNNELS: readonly { type: TunnelType; local: string; remote: string; other: string }[] = [
  { type: "gre", local: "192.0.2.10", remote: "192.0.2.20", other: "192.0.2.21" },
  { type: "gretap", local: "192.0.2.10", remote: "192.0.2.20", other: "192.0.2.21" },
  { type: "ip6gre", local: "2001:db8::10", remote: "2001:db8::20", other: "2001:db8::21" },
  { type: "ip6gretap", local: "2001:db8::10", remote: "2001:db8::20", other: "2001:db8::21" },
];
const hasDummy = supports("dummy", (connection) => createDummy(connection, "d0"));
const hasMacvlan = supports("macvlan", (connection) => {
  createVeth(connection, "v0", "v1");
  createMacvlan(connection, { name: "m0", base: getLink(connection, "v0")!.index });
});
const tunnelTypes = new Set(
  TUNNELS.filter(({ type, local, remote }) =>
    supports(type, (connection) => {
      createTunnel(connection, { name: "t0", type, local: address(local), remote: address(remote) });
    })
  ).map(({ type }) => type),
);

let connection: NetlinkConnection;
let listener: NetlinkListener;
let epoll: Epoll;

/** Runs `ip` inside the namespace. */
function ip(...args: readonly string[]): string {
  const result = Bun.spawnSync(["ip", "-n", NS, ...args]);
  if (result.exitCode !== 0) throw new Error(`ip ${args.join(" ")}: ${result.stderr.toString()}`);
  return result.stdout.toString();
}

// deno-lint-ignore no-explicit-any
function ipJson(...args: readonly string[]): any[] {
  return JSON.parse(ip("-j", ...args) || "[]");
}

function drain(): RouteEvent[] {
  const events: RouteEvent[] = [];
  const result = listener.drain((message) => {
    const event = parseRouteEvent(message);
    if (event !== null) events.push(event);
  });
  expect(result).toBe("drained");
  return events;
}

/** Waits for an event, 3 s at most. */
function waitFor(wanted: (event: RouteEvent) => boolean): RouteEvent {
  const end = monotonicNs() + 3e9;
  const seen: string[] = [];
  while (monotonicNs() < end) {
    for (const event of drain()) {
      if (wanted(event)) return event;
      seen.push(event.type);
    }
    epoll.wait(50);
  }
  throw new Error(`the event did not come in 3 s; seen: ${seen.join(" ")}`);
}

function link(name: string): Link {
  const found = getLink(connection, name);
  if (found === null) throw new Error(`${name} is not there`);
  return found;
}

function failure(action: () => unknown): SyscallError {
  try {
    action();
  } catch (error) {
    if (error instanceof SyscallError) return error;
    throw error;
  }
  throw new Error("it did not fail");
}

describe.skipIf(!able)("netlink", () => {
  beforeAll(() => {
    createNetns(NS);
    createNetns(PEER_NS);
    inNetns(NS, () => {
      connection = new NetlinkConnection(NETLINK_ROUTE);
      listener = new NetlinkListener(NETLINK_ROUTE, Object.values(RTNLGRP));
    });
    epoll = new Epoll();
    epoll.add(listener.fd);
    createVeth(connection, "va", "vb");
    for (const name of ["lo", "va", "vb"]) setLink(connection, link(name).index, { up: true }, name);
    waitFor((event) => event.type === "link-new" && event.link.name === "va" && event.link.running);
  }, 30_000);

  afterEach(() => void ip("addr", "flush", "dev", "va", "scope", "global"));

  afterAll(() => {
    connection?.close();
    listener?.close();
    epoll?.close();
    deleteNetns(NS);
    deleteNetns(PEER_NS);
  }, 30_000);

  test("links are listed as ip lists them", () => {
    const ours = listLinks(connection).map((each) => ({
      index: each.index,
      name: each.name,
      kind: each.kind,
      mtu: each.mtu,
      up: each.up,
      // A tunnel has an IP address there, which ip writes in its own way.
      mac: each.mac.length !== 6
        ? null
        : [...each.mac].map((byte) => byte.toString(16).padStart(2, "0")).join(":"),
    }));
    const theirs = ipJson("-d", "link").map((each) => ({
      index: each.ifindex,
      name: each.ifname,
      kind: each.linkinfo?.info_kind ?? null,
      mtu: each.mtu,
      up: each.flags.includes("UP"),
      mac: each.address?.length === 17 ? each.address : null,
    }));
    expect(ours.length).toBeGreaterThanOrEqual(3);
    expect(ours).toEqual(theirs);
    expect(link("va")).toMatchObject({
      running: true,
      operstate: "up",
      link: link("vb").index,
      master: null,
    });
    expect(getLink(connection, "nothing")).toBeNull();
    expect(getLink(connection, link("va").index)).toEqual(link("va"));
  });

  test("a change of a link is heard: down, renamed, mtu, MAC, up", () => {
    const { index } = link("va");
    const mac = Uint8Array.of(2, 0, 0, 0, 0, 7);
    setLink(connection, index, { up: false });
    waitFor((event) => event.type === "link-new" && event.link.name === "vb" && !event.link.running);
    setLink(connection, index, { name: "va2", mtu: 1400, mac });
    waitFor((event) => event.type === "link-new" && event.link.name === "va2" && event.link.mtu === 1400);
    expect(ipJson("link", "show", "va2")[0]).toMatchObject({ mtu: 1400, address: "02:00:00:00:00:07" });
    setLink(connection, index, { name: "va", mtu: 1500, up: true });
    waitFor((event) => event.type === "link-new" && event.link.name === "va" && event.link.running);
  });

  test("a bridge and its ports; leaving it does not count as gone", () => {
    createBridge(connection, "br0", { mcastSnooping: false });
    expect(createBridge(connection, "br0", {}, { existing: "ok" })).toBe(false);
    const bridge = link("br0");
    expect(bridge).toMatchObject({ kind: "bridge", up: false });
    expect(ipJson("-d", "link", "show", "br0")[0].linkinfo.info_data.mcast_snooping).toBe(0);
    setLink(connection, link("vb").index, { master: bridge.index });
    expect(link("vb").master).toBe(bridge.index);
    drain();
    setLink(connection, link("vb").index, { master: null });
    expect(link("vb").master).toBeNull();
    expect(drain().filter((event) => event.type === "link-gone")).toEqual([]);
    expect(deleteLink(connection, bridge.index, "br0")).toBe(true);
    waitFor((event) => event.type === "link-gone" && event.link.name === "br0");
    expect(deleteLink(connection, bridge.index, "br0", { missing: "ok" })).toBe(false);
    expect(failure(() => deleteLink(connection, bridge.index, "br0"))).toMatchObject({
      syscall: "RTM_DELLINK",
      code: "ENODEV",
      message: "Cannot remove br0: no such device",
    });
  });

  test("a veth's other end may be made in, or moved to, another namespace", () => {
    const fd = openNetns(PEER_NS);
    try {
      createVeth(connection, "x0", "x1", { peerNetnsFd: fd });
      expect(getLink(connection, "x1")).toBeNull();
      createVeth(connection, "y0", "y1");
      setLink(connection, link("y1").index, { netnsFd: fd });
      expect(getLink(connection, "y1")).toBeNull();
    } finally {
      closeFd(fd);
    }
    const names = inNetns(PEER_NS, () => {
      const there = new NetlinkConnection(NETLINK_ROUTE);
      try {
        return listLinks(there).map(({ name }) => name);
      } finally {
        there.close();
      }
    });
    expect(names).toContain("x1");
    expect(names).toContain("y1");
    for (const name of ["x0", "y0"]) deleteLink(connection, link(name).index);
  });

  test.skipIf(!hasMacvlan)("a private macvlan with a virtual MAC and no address of its own", () => {
    const base = link("va").index;
    const mac = Uint8Array.of(0, 0, 0x5e, 0, 1, 51);
    createMacvlan(connection, { name: "vrrp.51", base, mode: "private", mac, addrGenModeNone: true });
    const made = link("vrrp.51");
    expect(made).toMatchObject({ kind: "macvlan", macvlanMode: "private", link: base, mac });
    setLink(connection, made.index, { up: true });
    waitFor((event) => event.type === "link-new" && event.link.name === "vrrp.51" && event.link.running);
    expect(listAddresses(connection, { ifindex: made.index })).toEqual([]);
    expect(ipJson("-d", "link", "show", "vrrp.51")[0]).toMatchObject({
      inet6_addr_gen_mode: "none",
      linkinfo: { info_data: { mode: "private" } },
    });
    deleteLink(connection, made.index);
  });

  test.skipIf(!hasDummy)("a dummy interface", () => {
    createDummy(connection, "d0");
    expect(link("d0").kind).toBe("dummy");
    deleteLink(connection, link("d0").index);
  });

  test("an IPv4 address with label, broadcast and lifetime: added, renewed, removed", () => {
    const { index } = link("va");
    const spec = {
      ifindex: index,
      address: address("10.0.0.1"),
      prefix: 24,
      label: "va:vip",
      broadcast: address("10.0.0.255"),
      validS: 30,
      preferredS: 0,
      noPrefixRoute: true,
      device: "va",
    };
    expect(addAddress(connection, spec)).toBe(true);
    waitFor((event) => event.type === "address-new" && formatAddress(event.address.local) === "10.0.0.1");
    const read = () => listAddresses(connection, { ifindex: index, family: "ipv4" });
    expect(read()).toMatchObject([{ label: "va:vip", broadcast: spec.broadcast, prefix: 24, preferredS: 0 }]);
    expect(read()[0]!.validS).toBeWithin(28, 31);
    expect(ipJson("-4", "addr", "show", "va")[0].addr_info[0]).toMatchObject({
      local: "10.0.0.1",
      prefixlen: 24,
      label: "va:vip",
      broadcast: "10.0.0.255",
      noprefixroute: true,
      deprecated: true,
      preferred_life_time: 0,
    });

    expect(addAddress(connection, spec, { existing: "ok" })).toBe(false);
    addAddress(connection, { ...spec, validS: 300, preferredS: 200, replace: true });
    expect(read()).toHaveLength(1);
    expect(read()[0]!.validS).toBeWithin(298, 301);
    expect(read()[0]!.preferredS).toBeWithin(198, 201);
    addAddress(connection, { ...spec, validS: null, preferredS: null, replace: true });
    expect(read()).toMatchObject([{ validS: null, preferredS: null }]);

    expect(removeAddress(connection, spec)).toBe(true);
    waitFor((event) => event.type === "address-gone" && formatAddress(event.address.local) === "10.0.0.1");
    expect(read()).toEqual([]);
    expect(removeAddress(connection, spec, { missing: "ok" })).toBe(false);
  });

  test("an IPv6 address is usable at once, renewed and removed", () => {
    const { index } = link("va");
    const spec = { ifindex: index, address: address("2001:db8::1"), prefix: 64, validS: 30, noDad: true };
    addAddress(connection, spec);
    const read = () =>
      listAddresses(connection, { ifindex: index, family: "ipv6" })
        .filter(({ local }) => formatAddress(local) === "2001:db8::1");
    expect(read()).toMatchObject([{ prefix: 64, flags: 2 }]);
    addAddress(connection, { ...spec, validS: 300, replace: true });
    expect(read()[0]!.validS).toBeWithin(298, 301);
    const shown = ipJson("-6", "addr", "show", "va", "scope", "global")[0].addr_info;
    expect(shown[0]).toMatchObject({ local: "2001:db8::1", prefixlen: 64, nodad: true });
    removeAddress(connection, spec);
    expect(read()).toEqual([]);
  });

  test("the kernel takes an address away when its lease ends, and says so", () => {
    const { index } = link("va");
    addAddress(connection, { ifindex: index, address: address("10.0.3.1"), prefix: 32, validS: 1 });
    const isIt = (event: RouteEvent) =>
      event.type === "address-gone" && formatAddress(event.address.local) === "10.0.3.1";
    expect(waitFor(isIt).type).toBe("address-gone");
  });

  test("a refusal carries the kernel's own words", () => {
    const { index } = link("va");
    const spec = { ifindex: index, address: address("10.0.0.9"), prefix: 24, device: "va" };
    addAddress(connection, spec);
    const again = failure(() => addAddress(connection, spec));
    expect(again).toMatchObject({ syscall: "RTM_NEWADDR", code: "EEXIST" });
    // Older kernels (6.1) refuse this one without words.
    expect(again.message).toMatch(
      /^Cannot add 10\.0\.0\.9\/24 to va: (ipv4: Address already assigned \(already exists\)|already exists)$/,
    );
    const route = failure(() =>
      addRoute(connection, { family: "ipv4", gateway: address("203.0.113.1"), ifindex: index })
    );
    expect(route.message).toBe(
      `Cannot add route to default via 203.0.113.1 on interface ${index}: ` +
        "Nexthop has invalid gateway (network is unreachable)",
    );
    removeAddress(connection, spec);
  });

  test("routes: metric, table, source, mtu, onlink, multipath, replaced, removed", () => {
    const { index } = link("va");
    addAddress(connection, { ifindex: index, address: address("10.0.0.1"), prefix: 24 });
    const one = {
      family: "ipv4" as const,
      destination: { address: address("10.9.0.0"), prefix: 16 },
      gateway: address("10.0.0.2"),
      ifindex: index,
      metric: 7,
      table: 1000,
      source: address("10.0.0.1"),
      mtu: 1400,
    };
    expect(listRoutes(connection, { family: "ipv4", table: 1000 })).toEqual([]);
    expect(addRoute(connection, one)).toBe(true);
    expect(addRoute(connection, one, { existing: "ok" })).toBe(false);
    waitFor((event) => event.type === "route-new" && event.route.table === 1000);
    expect(listRoutes(connection, { family: "ipv4", table: 1000 })).toMatchObject([one]);
    const shown = () => ipJson("route", "show", "table", "1000");
    expect(shown()).toMatchObject([{
      dst: "10.9.0.0/16",
      gateway: "10.0.0.2",
      metric: 7,
      prefsrc: "10.0.0.1",
    }]);
    addRoute(connection, { ...one, gateway: address("10.0.0.3"), replace: true });
    expect(shown()).toMatchObject([{ gateway: "10.0.0.3" }]);
    expect(removeRoute(connection, { family: "ipv4", destination: one.destination, table: 1000 })).toBe(true);
    waitFor((event) => event.type === "route-gone" && event.route.table === 1000);
    expect(removeRoute(connection, one, { missing: "ok" })).toBe(false);

    const nexthops = [
      { gateway: address("10.0.0.2"), ifindex: index, weight: 3, onlink: false },
      { gateway: address("203.0.113.1"), ifindex: index, weight: 256, onlink: true },
    ];
    addRoute(connection, { family: "ipv4", nexthops });
    expect(ipJson("route", "show", "default")[0].nexthops).toMatchObject([
      { gateway: "10.0.0.2", weight: 3 },
      { gateway: "203.0.113.1", weight: 256, flags: ["onlink"] },
    ]);
    expect(listRoutes(connection, { table: 254 }).find(({ destination }) => destination === null))
      .toMatchObject({ nexthops, protocol: 4 });
    removeRoute(connection, { family: "ipv4" });
    addRoute(connection, {
      family: "ipv4",
      destination: { address: address("192.0.2.0"), prefix: 24 },
      type: "blackhole",
    });
    expect(ipJson("route", "show", "192.0.2.0/24")).toMatchObject([{ type: "blackhole" }]);
    removeRoute(connection, { family: "ipv4", destination: { address: address("192.0.2.0"), prefix: 24 } });
    removeAddress(connection, { ifindex: index, address: address("10.0.0.1"), prefix: 24 });
  });

  test("IPv6 routes, and IPv4 by way of an IPv6 gateway", () => {
    const { index } = link("va");
    const gateway = address("fe80::9");
    const six = {
      family: "ipv6" as const,
      destination: { address: address("2001:db8:9::"), prefix: 48 },
      gateway,
    };
    addRoute(connection, { ...six, ifindex: index, metric: 50 });
    expect(ipJson("-6", "route", "show", "2001:db8:9::/48")).toMatchObject([{
      gateway: "fe80::9",
      metric: 50,
    }]);
    expect(removeRoute(connection, six)).toBe(true);
    const four = { family: "ipv4" as const, destination: { address: address("10.8.0.0"), prefix: 16 } };
    addRoute(connection, { ...four, gateway, ifindex: index });
    expect(ipJson("route", "show", "10.8.0.0/16")[0].via).toEqual({ family: "inet6", host: "fe80::9" });
    expect(listRoutes(connection, { family: "ipv4", table: 254 })).toMatchObject([{
      ...four,
      gateway,
      ifindex: index,
    }]);
    removeRoute(connection, four);
  });

  test("rules", () => {
    const spec = {
      family: "ipv4" as const,
      priority: 100,
      from: { address: address("10.1.0.0"), prefix: 16 },
      iif: "va",
      fwmark: 0x10,
      fwmask: 0xff,
      table: 1000,
      invert: true,
      protocol: 4,
    };
    expect(addRule(connection, spec)).toBe(true);
    expect(addRule(connection, spec, { existing: "ok" })).toBe(false);
    waitFor((event) => event.type === "rule-new" && event.rule.priority === 100);
    expect(listRules(connection, "ipv4").map(({ priority }) => priority)).toEqual([0, 100, 32766, 32767]);
    expect(listRules(connection, "ipv4")[1]).toMatchObject(spec);
    expect(ipJson("rule").find(({ priority }) => priority === 100)).toMatchObject({
      not: null,
      src: "10.1.0.0",
      srclen: 16,
      iif: "va",
      fwmark: "0x10",
      fwmask: "0xff",
      table: "1000",
    });
    addRule(connection, { family: "ipv6", priority: 200, table: 254, suppressPrefix: 0 });
    expect(ipJson("-6", "rule").find(({ priority }) => priority === 200)).toMatchObject({
      suppress_prefixlen: 0,
    });
    removeRule(connection, { family: "ipv6", priority: 200 });
    expect(removeRule(connection, spec)).toBe(true);
    expect(removeRule(connection, spec, { missing: "ok" })).toBe(false);
  });

  test("1000 addresses in one batch; each failure is told of its own", () => {
    const { index } = link("va");
    const target = (i: number) => ({
      ifindex: index,
      address: Uint8Array.of(10, 20, i >> 8, i & 255),
      prefix: 32,
      device: "va",
    });
    const adds = Array.from({ length: 1000 }, (_, i) => addAddressRequest({ ...target(i), validS: 60 }));
    const before = monotonicNs();
    const results = connection.batch(adds);
    const tookMs = (monotonicNs() - before) / 1e6;
    expect(results.every((result) => result === null)).toBe(true);
    const shown = ipJson("-4", "addr", "show", "va")[0].addr_info;
    expect(shown.filter((each: { local: string }) => each.local.startsWith("10.20."))).toHaveLength(1000);
    expect(listAddresses(connection, { ifindex: index, family: "ipv4" })).toHaveLength(1000);
    const heard = drain().filter((event) => event.type === "address-new" && event.address.label === "va");
    expect(heard).toHaveLength(1000);
    console.log(`1000 IPv4 addresses added in ${tookMs.toFixed(1)} ms`);
    expect(tookMs).toBeLessThan(250);

    connection.batch([removeAddressRequest(target(3)), removeAddressRequest(target(999))]);
    const again = connection.batch(adds);
    expect(again.map((result, i) => result === null ? i : -1).filter((i) => i >= 0)).toEqual([3, 999]);
    expect(again[500]!.message).toMatch(/^Cannot add 10\.20\.1\.244\/32 to va: /);

    const removed = connection.batch(adds.map((_, i) => removeAddressRequest(target(i))));
    expect(removed.every((result) => result === null)).toBe(true);
    expect(ipJson("-4", "addr", "show", "va").flatMap((each) => each.addr_info ?? [])).toEqual([]);
    drain();
  });

  test("events that do not fit are told as an overrun", () => {
    const flood = inNetns(NS, () => new NetlinkListener(NETLINK_ROUTE, [RTNLGRP.IPV4_IFADDR]));
    try {
      const { index } = link("va");
      const target = { ifindex: index, address: address("10.30.0.1"), prefix: 32 };
      const pair = [addAddressRequest(target), removeAddressRequest(target)];
      const requests = Array.from({ length: 1000 }, () => pair).flat();
      let rounds = 0;
      let result = "drained";
      // 8 MiB of buffer hold some ten thousand events.
      while (rounds++ < 10) connection.batch(requests);
      result = flood.drain(() => {});
      for (let i = 0; result === "more" && i < 20; i++) result = flood.drain(() => {});
      expect(result).toBe("overrun");
      for (let i = 0; result !== "drained" && i < 20; i++) result = flood.drain(() => {});
      expect(result).toBe("drained");
      connection.batch(pair);
      let heard = 0;
      expect(flood.drain(() => heard++)).toBe("drained");
      expect(heard).toBe(2);
    } finally {
      flood.close();
      listener.drain(() => {});
      for (let i = 0; i < 20 && listener.drain(() => {}) !== "drained"; i++);
    }
  });

  test("a generic netlink family is found by name", () => {
    const generic = inNetns(NS, () => new NetlinkConnection(NETLINK_GENERIC));
    try {
      expect(resolveFamily(generic, "nlctrl")).toMatchObject({
        id: 16,
        name: "nlctrl",
        groups: { notify: 16 },
      });
      expect(resolveFamily(generic, "no-such-thing")).toBeNull();
    } finally {
      generic.close();
    }
  });

  for (const { type, local, remote, other } of TUNNELS) {
    test.skipIf(!tunnelTypes.has(type))(`${type}: made, read back, changed, removed`, () => {
      const spec = {
        name: "tun9",
        type,
        local: address(local),
        remote: address(remote),
        ikey: 42,
        okey: 43,
        ttl: 33,
        tos: 0x10,
        csum: true,
        link: link("va").index,
        mtu: 1300,
      };
      expect(createTunnel(connection, spec)).toBe(true);
      expect(createTunnel(connection, spec, { existing: "ok" })).toBe(false);
      const { name: _, mtu, ...tunnel } = spec;
      expect(link("tun9")).toMatchObject({
        kind: type,
        mtu,
        tunnel: { ...tunnel, seq: false, encapLimit: null },
      });
      const shown = ipJson("-d", "link", "show", "tun9")[0];
      expect(shown.linkinfo.info_kind).toBe(type);
      expect(shown.linkinfo.info_data).toMatchObject({
        local,
        remote,
        ttl: 33,
        ikey: "0.0.0.42",
        okey: "0.0.0.43",
      });
      changeTunnel(connection, link("tun9").index, { ...spec, remote: address(other), ikey: null, okey: 7 });
      expect(link("tun9").tunnel).toMatchObject({ remote: address(other), ikey: null, okey: 7, csum: true });
      deleteLink(connection, link("tun9").index);
      expect(getLink(connection, "tun9")).toBeNull();
    });
  }
});
