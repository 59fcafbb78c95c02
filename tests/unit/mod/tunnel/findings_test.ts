import { describe, expect, test } from "bun:test";
import type { MachineFacts } from "../../../../mod/tunnel/machine/facts.ts";
import {
  routeTo,
  tunnelFindings,
  tunnelOverhead,
  type TunnelUse,
} from "../../../../mod/tunnel/machine/findings.ts";
import type { TunnelConfig } from "../../../../mod/tunnel/model.ts";
import { tunnel } from "./helpers.ts";

const ALL = { gre: true, gretap: true, ip6gre: true, ip6gretap: true } as const;
const NONE = { gre: false, gretap: false, ip6gre: false, ip6gretap: false } as const;

/** A machine on which everything is well. */
const GOOD: MachineFacts = {
  interfaces: [
    { name: "lo", kind: null, up: true, mtu: 65536, addresses: ["127.0.0.1", "::1"] },
    { name: "eth0", kind: null, up: true, mtu: 1500, addresses: ["192.0.2.10", "fe80::1", "2001:db8::10"] },
    { name: "eth1", kind: null, up: true, mtu: 1500, addresses: ["10.9.0.10"] },
  ],
  locals: [],
  routes: [
    { destination: "0.0.0.0", prefix: 0, dev: "eth0", metric: 0 },
    { destination: "192.0.2.0", prefix: 24, dev: "eth0", metric: 0 },
    { destination: "::", prefix: 0, dev: "eth0", metric: 1024 },
  ],
  forwarding: { ipv4: false, ipv6: false },
  rpFilter: { all: 0, default: 0, eth0: 0, eth1: 0 },
  gre: { netlink: ALL, ioctl: true },
  moduleFailures: {},
};

const ROUTE = { destination: "10.8.0.0", prefix: 16, via: null, metric: null, source: null, table: null };
const SIX = { type: "ip6gretap", local: "2001:db8::10", remote: "2001:db8::20" } as const;

type Row = readonly [
  name: string,
  config: Partial<TunnelConfig>,
  facts: Partial<MachineFacts>,
  found: readonly (readonly [severity: "error" | "warning", what: string, fix: string])[],
  use?: TunnelUse,
];

const ROWS: readonly Row[] = [
  ["all is well", {}, {}, []],
  ["all is well over IPv6", SIX, {}, []],
  ["a local address that a route makes one", { local: "10.0.0.99" }, { locals: ["10.0.0.99"] }, []],
  ["no module", {}, { gre: { netlink: NONE, ioctl: false } }, [
    ["error", "the kernel has no gretap tunnels: module ip_gre is missing", "modprobe ip_gre"],
  ]],
  [
    "a module that cannot be loaded",
    SIX,
    { gre: { netlink: NONE, ioctl: false }, moduleFailures: { ip6_gre: "Module ip6_gre not found" } },
    [["error", "module ip6_gre is missing (modprobe ip6_gre: Module ip6_gre not found)", "modprobe ip6_gre"]],
  ],
  ["no module, but another datapath", {}, { gre: { netlink: NONE, ioctl: false } }, [
    ["warning", "so gretap1 runs in user space", "modprobe ip_gre"],
  ], { user: true }],
  ["neither", {}, { gre: { netlink: NONE, ioctl: false } }, [
    [
      "error",
      "is missing, and there is no /dev/net/tun for one in user space",
      "modprobe ip_gre, or modprobe tun",
    ],
  ], { user: false }],
  ["a datapath that needs none", { datapath: "user" }, { gre: { netlink: NONE, ioctl: false } }, []],
  ["gre by ioctl only", { type: "gre" }, { gre: { netlink: NONE, ioctl: true } }, []],
  ["no permission", {}, { gre: { netlink: { ...ALL, gretap: null }, ioctl: false } }, [
    ["error", "may not make tunnels", "CAP_NET_ADMIN"],
  ]],
  ["a local address that is nowhere", { local: "192.0.2.99" }, {}, [
    [
      "error",
      "192.0.2.99 is on no interface; this machine has 192.0.2.10 on eth0, 10.9.0.10 on eth1",
      "ip addr add",
    ],
  ]],
  ["a local IPv6 address that is nowhere", { ...SIX, local: "2001:db8::99" }, {}, [
    ["error", "is on no interface; this machine has 2001:db8::10 on eth0", "ip addr add 2001:db8::99/64"],
  ]],
  ["a device that is not there", { dev: "eth9" }, {}, [["error", "device eth9 does not exist", "`dev`"]]],
  ["no route", {}, { routes: [] }, [[
    "error",
    "no route to its far end 192.0.2.20",
    "ip route add 192.0.2.20",
  ]]],
  ["a route through itself", {}, {
    routes: [{ destination: "0.0.0.0", prefix: 0, dev: "gretap1", metric: 0 }],
  }, [
    ["error", "leads through the tunnel itself", "ip route add 192.0.2.20 via GATEWAY"],
  ]],
  ["a name that is taken", {}, {
    interfaces: [...GOOD.interfaces, { name: "gretap1", kind: "dummy", up: true, mtu: 1500, addresses: [] }],
  }, [["error", "another interface gretap1, a dummy", "ip link del gretap1"]]],
  ["its own name", {}, {
    interfaces: [...GOOD.interfaces, { name: "gretap1", kind: "gretap", up: true, mtu: 1462, addresses: [] }],
  }, []],
  ["an mtu that fits", { mtu: 1462 }, {}, []],
  ["an mtu that does not fit", { mtu: 1463 }, {}, [
    [
      "warning",
      "outer packets of 1501 bytes, but eth0 takes 1500: full ones will be lost",
      "write mtu: 1462",
    ],
  ]],
  ["an mtu that is cut", { mtu: 1500, pmtudisc: false }, {}, [[
    "warning",
    "cut into fragments",
    "eth0 mtu 1538",
  ]]],
  ["rp_filter on the way in", {}, {
    rpFilter: { ...GOOD.rpFilter, eth0: 1 },
    routes: [{ destination: "0.0.0.0", prefix: 0, dev: "eth1", metric: 0 }],
  }, [["warning", "strict rp_filter on eth0 drops", "sysctl -w net.ipv4.conf.eth0.rp_filter=2"]]],
  ["rp_filter where the way back is the same", {}, { rpFilter: { ...GOOD.rpFilter, eth0: 1 } }, []],
  ["rp_filter on all", {}, { rpFilter: { ...GOOD.rpFilter, all: 1 } }, [
    [
      "warning",
      "strict rp_filter drops packets out of the tunnel",
      "sysctl -w net.ipv4.conf.default.rp_filter=2",
    ],
  ]],
  ["rp_filter of the interface alone", {}, { rpFilter: { ...GOOD.rpFilter, gretap1: 1 } }, [
    ["warning", "strict rp_filter drops packets", "sysctl -w net.ipv4.conf.gretap1.rp_filter=2"],
  ]],
  ["the interface with the local address is down, and its routes with it", {}, {
    interfaces: GOOD.interfaces.map((one) => ({ ...one, up: one.name !== "eth0" })),
    routes: [],
  }, [["error", "eth0, which has its local address 192.0.2.10, is down", "ip link set eth0 up"]]],
  ["its device is down", { dev: "eth1" }, {
    interfaces: GOOD.interfaces.map((one) => ({ ...one, up: one.name !== "eth1" })),
  }, [["error", "eth1, by which its packets leave, is down", "ip link set eth1 up"]]],
  ["rp_filter loosened for it", {}, { rpFilter: { ...GOOD.rpFilter, all: 1, gretap1: 2 } }, []],
  ["routes without forwarding", { routes: [ROUTE] }, {}, [[
    "warning",
    "net.ipv4.ip_forward is 0",
    "net.ipv4.ip_forward=1",
  ]]],
  ["routes with forwarding", { routes: [ROUTE] }, { forwarding: { ipv4: true, ipv6: false } }, []],
  [
    "nothing that can be found out",
    {},
    { gre: null, rpFilter: {}, forwarding: { ipv4: null, ipv6: null } },
    [],
  ],
];

test.each(ROWS)("%s", (...row) => {
  const [, config, facts, found, use] = row;
  const findings = tunnelFindings(tunnel(config), { ...GOOD, ...facts }, use);
  expect(findings.map(({ severity }) => severity)).toEqual(found.map(([severity]) => severity));
  findings.forEach(({ tunnel: name, what, fix }, index) => {
    expect(name).toBe("gretap1");
    expect(what).toStartWith("tunnel gretap1: ");
    expect(what).toContain(found[index]![1]);
    expect(fix).toContain(found[index]![2]);
  });
});

test("rp_filter: what is typed is for the tunnel that is there, and for the one that is made anew", () => {
  const fixes = (more: Record<string, number>) =>
    tunnelFindings(tunnel({}), { ...GOOD, rpFilter: { ...GOOD.rpFilter, default: 1, ...more } })
      .map(({ fix, lasting = [] }) => [fix, ...lasting].map((line) => line.split("   #")[0]!));
  const future = [
    "sysctl -w net.ipv4.conf.default.rp_filter=2",
    "echo 'net.ipv4.conf.default.rp_filter = 2' >> /etc/sysctl.d/90-appliance.conf",
  ];
  expect(fixes({})).toEqual([future]);
  expect(fixes({ gretap1: 1 })).toEqual([["sysctl -w net.ipv4.conf.gretap1.rp_filter=2", ...future]]);
  expect(fixes({ gretap1: 2 })).toEqual([]);
});

test("the worst is told first", () => {
  const findings = tunnelFindings(tunnel({ mtu: 1500, local: "192.0.2.99" }), GOOD);
  expect(findings.map(({ severity }) => severity)).toEqual(["error", "warning"]);
});

test.each<[Partial<TunnelConfig>, number]>([
  [{ type: "gre" }, 24],
  [{ type: "gretap" }, 38],
  [{ type: "ip6gre" }, 44],
  [{ type: "ip6gretap" }, 58],
  [{ type: "gre", okey: 1 }, 28],
  [{ type: "gretap", okey: 1, checksum: true, sequence: true }, 50],
])("what %j puts around a packet: %d bytes", (more, bytes) => {
  expect(tunnelOverhead(tunnel(more))).toBe(bytes);
});

describe("the route that is taken", () => {
  const routes = [
    { destination: "0.0.0.0", prefix: 0, dev: "a", metric: 0 },
    { destination: "10.0.0.0", prefix: 8, dev: "b", metric: 10 },
    { destination: "10.0.0.0", prefix: 8, dev: "c", metric: 5 },
    { destination: "10.1.0.0", prefix: 16, dev: null, metric: 0 },
  ];
  test.each([["192.0.2.1", "a"], ["10.2.0.1", "c"], ["10.1.0.1", null]])("to %s: %p", (address, dev) => {
    expect(routeTo(routes, address)?.dev ?? null).toBe(dev);
  });

  test("none of another family", () => {
    expect(routeTo(routes, "2001:db8::1")).toBeNull();
  });
});
