/** What is made of facts, one trap after the other. */
import { describe, expect, test } from "bun:test";
import { macToText, VRRP_AUTH, vrrpAuthData } from "../../../../lib/packet/mod.ts";
import type { Facts, LinkFact } from "../../../../mod/doctor/model.ts";
import { placesToListen, questions } from "../../../../mod/doctor/plan.ts";
import { isFit } from "../../../../mod/doctor/judge.ts";
import { address, config, facts, GRETAP, heard, judge, link, only, running, told, WEB } from "./fixture.ts";

const web = config(WEB);

describe("a good machine", () => {
  test("has no finding but silence", () => {
    const diagnosis = judge(web);
    expect(diagnosis.findings.map(({ severity, what }) => `${severity}: ${what}`)).toEqual([
      "note: No advertisement of VRID 51 was heard on eth0 in 3.5 s",
    ]);
    expect(isFit(diagnosis)).toBe(true);
    expect(diagnosis.areas).toContain("wire");
  });

  test("without a config only the machine counts", () => {
    const { areas, findings } = judge(null, { features: { ip_gre: "missing", ip_vs: "loadable" } });
    expect(areas).toEqual(["rights", "kernel", "daemons", "clock"]);
    expect(findings.map(({ severity, what }) => `${severity}: ${what}`)).toEqual([
      "note: Module ip_gre is missing: this kernel cannot make gre and gretap tunnels",
    ]);
  });
});

describe("an interface that takes less than an advertisement has", () => {
  const list = Array.from({ length: 200 }, (_, host) => `10.0.0.${host + 10}/24`).join(", ");
  const many = config(WEB.replace("10.0.0.100/24", list));
  const small = (mtu: number) => ({ links: [link("eth0", ["10.0.0.1/24"], { mtu })] });
  const pattern =
    /^Interface eth0 takes packets of 827 bytes, but an advertisement with 200 addresses has 828$/;

  test("is an error", () => {
    const { severity, fix } = only(judge(many, small(827)), pattern);
    expect([severity, fix[0]]).toEqual([
      "error",
      "ip link set eth0 mtu 828   # or more, if the whole segment can",
    ]);
    expect(told(judge(many, small(828)), "interfaces")).toEqual([]);
  });

  test("is raised in the file where it is a tunnel of ours", () => {
    const tunnel = { ...many, tunnels: [{ ...GRETAP, name: "eth0" }] };
    expect(only(judge(tunnel, small(827)), pattern).fix[0]).toBe("mtu: 828   # or more, in tunnel eth0");
  });
});

describe("rights", () => {
  test("root without a capability is an error, another user a warning", () => {
    const root = judge(web, { capabilities: [12, 14, 23] });
    expect(told(root, "rights")).toEqual(["error: CAP_NET_RAW missing, although this is root"]);
    expect(isFit(root)).toBe(false);
    const user = judge(web, { uid: 1000, capabilities: [] });
    expect(told(user, "rights")).toEqual([
      "warning: User 1000 cannot run it: CAP_NET_ADMIN and CAP_NET_RAW missing",
    ]);
    expect(told(judge(web, { uid: 1000, capabilities: [], daemon: running() }), "rights")).toEqual([]);
  });

  test("real time and memory are notes; a wish for real time makes it a warning", () => {
    const less = { capabilities: [12, 13] };
    expect(told(judge(web, less), "rights").map((text) => text.split(":")[0])).toEqual(["note", "note"]);
    expect(told(judge(config(`engine: { realtime: 50 }\n${WEB}`), less), "rights")[0]).toStartWith(
      "warning: CAP_SYS_NICE",
    );
    expect(told(judge(web, { ...less, limits: { rtprio: 99, memlock: Infinity } }), "rights")).toEqual([]);
  });
});

describe("kernel", () => {
  test("names the module that is missing, who needs it and what to type", () => {
    const diagnosis = judge(config(WEB, { tunnels: [GRETAP] }), { features: { ip_gre: "missing" } });
    const found = only(diagnosis, /ip_gre/);
    expect(found.severity).toBe("error");
    expect(found.why).toContain("tunnel gretap1");
    expect(found.fix[0]).toBe("modprobe ip_gre");
    expect(isFit(diagnosis)).toBe(false);
  });

  test("with datapath auto the user-space tunnel takes over, if there is a tun", () => {
    const tunnels = [{ ...GRETAP, datapath: "auto" as const }];
    expect(only(judge(config(WEB, { tunnels }), { features: { ip_gre: "missing" } }), /ip_gre/).severity)
      .toBe("warning");
    const neither = judge(config(WEB, { tunnels }), { features: { ip_gre: "missing", tun: "missing" } });
    expect(only(neither, /ip_gre/).severity).toBe("error");
    expect(only(neither, /Module tun/).fix).toContain("--device /dev/net/tun   # for a container");
  });

  test("a module on the disk is a note, unless nothing may be loaded any more", () => {
    const six = config(WEB, {
      tunnels: [{ ...GRETAP, type: "ip6gre", local: "fd00::1", remote: "fd00::2" }],
    });
    expect(only(judge(six, { features: { ip6_gre: "loadable" } }), /ip6_gre/).severity).toBe("note");
    expect(only(judge(six, { features: { ip6_gre: "loadable" }, modulesLocked: true }), /ip6_gre/).severity)
      .toBe("error");
  });

  test("vmac, balance and accept: false have their modules; what nobody needs is not told", () => {
    const all = { macvlan: "missing", ip_vs: "missing", nf_tables: "missing" } as const;
    expect(told(judge(web, { features: all }), "kernel")).toEqual([]);
    const wanted = config(WEB.replace("vrid: 51", "vrid: 51, accept: false"), { balance: [{}] });
    const vmac = {
      ...wanted,
      vrrp: wanted.vrrp.map((entry) => ({ ...entry, vmac: { name: "vrrp.51", advertise: "vmac" as const } })),
    };
    const names = told(judge(vmac, { features: all }), "kernel").map((text) =>
      /Module (\w+)/.exec(text)?.[1]
    );
    expect(names).toEqual(["macvlan", "ip_vs", "nf_tables"]);
  });

  test("an old kernel, and what could not be asked", () => {
    expect(told(judge(web, { kernel: { release: "4.19.0", major: 4, minor: 19 } }), "kernel")).toEqual([
      "warning: Linux 4.19.0 is older than 5.3",
    ]);
    const unknown = judge(config(WEB, { tunnels: [GRETAP] }), {
      features: { ip_gre: "unknown", ip_vs: "unknown" },
    });
    expect(unknown.unchecked.map(({ what }) => what)).toEqual(["whether the kernel has ip_gre"]);
  });
});

describe("interfaces", () => {
  const lo = link("lo", ["127.0.0.1/8"], { mac: null });
  const cases = [
    ["does not exist", []],
    ["is down", [link("eth0", ["10.0.0.1/24"], { up: false, running: false })]],
    ["has no carrier", [link("eth0", ["10.0.0.1/24"], { running: false })]],
    ["does not take multicast", [link("eth0", ["10.0.0.1/24"], { multicast: false })]],
    ["has no IPv4 address", [link("eth0", ["fe80::1/64"])]],
    ["has no IPv4 address", [link("eth0", ["10.0.0.100/24"])]],
  ] as const;
  for (const [what, links] of cases) {
    test(`eth0 ${what}: error`, () => {
      expect(only(judge(web, { links: [lo, ...links] }), new RegExp(`Interface eth0 ${what}`)).severity).toBe(
        "error",
      );
    });
  }

  test("a tunnel without carrier: what lies below it is told, and no cable", () => {
    const over = config(WEB.replace("eth0", "gretap1"), { tunnels: [GRETAP] });
    const tunnel = link("gretap1", ["10.1.1.2/24"], { kind: "gretap", running: false });
    const below = (more: Partial<LinkFact>, gone = false) => {
      const links = [lo, link("eth0", ["10.0.0.1/24"], more), tunnel];
      return judge(over, gone ? { links, routes: [] } : { links });
    };
    const down = below({ up: false, running: false }, true);
    expect(only(down, /Tunnel gretap1 has no carrier: eth0, by which its packets leave, is down/).fix)
      .toEqual(["ip link set eth0 up"]);
    expect(told(down, "tunnels")).toEqual([
      "error: Tunnel gretap1: eth0, which has its local address 10.0.0.1, is down",
    ]);
    expect(only(below({ running: false }), /has none either/).fix[0]).toStartWith("ethtool eth0");
    expect(only(below({}), /its far end 192.0.2.20 does not answer/).fix).toEqual([
      "ping -I 10.0.0.1 192.0.2.20",
    ]);
    const foreign = judge(config(WEB.replace("eth0", "gretap1")), { links: [lo, tunnel] });
    expect(only(foreign, /Tunnel gretap1 has no carrier$/).fix.join()).not.toContain("ethtool");
  });

  test("a port of a bridge or bond is deaf; one of a VRF is not", () => {
    const under = (name: string, kind: string) =>
      judge(web, { links: [lo, link("eth0", ["10.0.0.1/24"], { master: { name, kind } })] });
    const found = only(under("br5", "bridge"), /Interface eth0 is a port of the bridge br5/);
    expect(found.severity).toBe("error");
    expect(found.fix[0]).toStartWith("interface: br5");
    expect(told(under("bond0", "bond"), "interfaces")).toEqual([
      "error: Interface eth0 is a port of the bond bond0",
    ]);
    expect(told(under("red", "vrf"), "interfaces")).toEqual([]);
  });

  test("a tunnel that the config makes need not be there yet", () => {
    const over = config(WEB.replace("eth0", "gretap1"), { tunnels: [GRETAP] });
    expect(told(judge(over), "interfaces")).toEqual([]);
  });

  test("tracked and carrying interfaces count as much as their use", () => {
    const many = config(`
vrrp:
  web:
    interface: eth0
    vrid: 51
    addresses: [10.0.0.100/24, { address: 10.9.0.1/24, dev: eth5 }]
    track: [{ interface: eth6 }, { interface: eth7, weight: -20 }]
`);
    expect(told(judge(many), "interfaces")).toEqual([
      "error: Interface eth5 does not exist",
      "error: Interface eth6 does not exist",
      "warning: Interface eth7 does not exist",
    ]);
  });

  test("source addresses, and IPv6 that is switched off or not ready", () => {
    const source = config(WEB.replace("vrid", "source: 10.0.0.7, vrid"));
    expect(only(judge(source), /source address 10.0.0.7/).severity).toBe("error");
    const six = config("vrrp: { six: { interface: eth0, vrid: 6, addresses: ['fe80::100/64'] } }");
    const bare = { links: [lo, link("eth0", ["10.0.0.1/24"])] };
    const off = judge(six, { ...bare, sysctl: { "net.ipv6.conf.eth0.disable_ipv6": "1" } });
    expect(only(off, /switched off/).fix[0]).toBe("sysctl -w net.ipv6.conf.eth0.disable_ipv6=0");
    const early = link("eth0", [], { addresses: [address("fe80::1/64", { usable: false })] });
    expect(only(judge(six, { links: [lo, early] }), /checked for duplicates/).severity).toBe("warning");
  });

  test("a virtual address that somebody else put here is told; ours, leases and the owner's are not", () => {
    const held = { links: [lo, link("eth0", ["10.0.0.1/24", "10.0.0.100/24"])] };
    expect(only(judge(web, held), /10.0.0.100 of instance web is on eth0/).severity).toBe("warning");
    expect(told(judge(web, { ...held, daemon: running() }), "interfaces")).toEqual([]);
    expect(told(judge(config(WEB.replace("150", "255")), held), "interfaces")).toEqual([]);
    const lease = link("eth0", [], {
      addresses: [address("10.0.0.1/24"), address("10.0.0.100/24", { validS: 3 })],
    });
    expect(told(judge(web, { links: [lo, lease] }), "interfaces")).toEqual([]);
  });

  test("managers of networks are a note where they manage what is used", () => {
    expect(
      told(judge(web, { managed: { NetworkManager: ["eth1"], "systemd-networkd": ["eth0"] } }), "interfaces"),
    )
      .toEqual(["note: systemd-networkd manages eth0"]);
  });
});

describe("sysctls", () => {
  const strict = { "net.ipv4.conf.eth0.rp_filter": "1" };

  test("strict rp_filter with a unicast peer behind another interface is an error", () => {
    const unicast = config(WEB.replace("vrid", "peers: [192.0.2.9], vrid"));
    const routes = [{ family: "ipv4" as const, destination: null, prefix: 0, dev: "eth1", metric: 0 }];
    const diagnosis = judge(unicast, { routes, sysctl: strict });
    const found = only(diagnosis, /rp_filter is strict on eth0/);
    expect([found.severity, found.fix[0]]).toEqual(["error", "sysctl -w net.ipv4.conf.eth0.rp_filter=2"]);
    expect(told(judge(unicast, { sysctl: strict }), "sysctls")).toEqual([]);
    expect(
      told(judge(unicast, { routes, sysctl: { ...strict, "net.ipv4.conf.all.rp_filter": "2" } }), "sysctls"),
    )
      .toEqual([]);
  });

  test("strict rp_filter on a tunnel, made by the config or by hand", () => {
    const links = [
      link("eth0", ["10.0.0.1/24"]),
      link("gretap1", ["10.1.1.2/24"], { kind: "gretap", mtu: 1462 }),
    ];
    const all = { "net.ipv4.conf.all.rp_filter": "1" };
    const over = WEB.replace("eth0", "gretap1");
    expect(
      only(judge(config(over), { links, sysctl: all }), /rp_filter is strict on tunnel gretap1/).severity,
    )
      .toBe("warning");
    const made = judge(config(over, { tunnels: [GRETAP] }), { links, sysctl: all });
    expect(told(made, "sysctls")).toEqual([]);
    const [now, later, boot] = only(made, /Tunnel gretap1: strict rp_filter/).fix;
    expect(now).toBe("sysctl -w net.ipv4.conf.gretap1.rp_filter=2");
    expect(later).toStartWith("sysctl -w net.ipv4.conf.default.rp_filter=2");
    expect(boot).toContain("/etc/sysctl.d/");
  });

  test("two interfaces in one subnet: rp_filter and arp_ignore", () => {
    const links = [link("eth0", ["10.0.0.1/24"]), link("eth1", ["10.0.0.3/24"])];
    expect(told(judge(web, { links, sysctl: strict }), "sysctls")).toEqual([
      "warning: rp_filter is strict on eth0, and eth0 and eth1 are in the same subnet",
      "warning: eth0 and eth1 are in the same subnet, and arp_ignore is 0",
    ]);
    expect(told(judge(web, { links, sysctl: { "net.ipv4.conf.all.arp_ignore": "1" } }), "sysctls")).toEqual(
      [],
    );
  });

  test("forwarding is wanted by routes and by accept: false", () => {
    const off = { sysctl: { "net.ipv4.ip_forward": "0" } };
    expect(told(judge(web, off), "sysctls")).toEqual([]);
    const routed = config(WEB.replace("vrid", "routes: [{ to: 10.5.0.0/16, via: 10.0.0.9 }], vrid"));
    expect(only(judge(routed, off), /ip_forward is off/).severity).toBe("warning");
    expect(only(judge(config(WEB.replace("vrid", "accept: false, vrid")), off), /ip_forward/).why).toContain(
      "accept: false",
    );
  });

  test("promote_secondaries, igmp_max_memberships, a loopback address that answers ARP", () => {
    const none = { "net.ipv4.conf.eth0.promote_secondaries": "0" };
    expect(only(judge(web, { sysctl: none }), /promote_secondaries is off on eth0/).severity).toBe("note");
    expect(told(judge(config(WEB.replace("100/24", "100/32")), { sysctl: none }), "sysctls")).toEqual([]);
    expect(only(judge(web, { sysctl: { "net.ipv4.igmp_max_memberships": "0" } }), /igmp/).severity).toBe(
      "error",
    );
    const real = config(`static: { addresses: [{ address: 10.0.0.200/32, dev: lo }] }\n${WEB}`);
    expect(only(judge(real), /10.0.0.200 is on the loopback, and eth0 answers/).fix[0]).toContain(
      "arp_ignore=1",
    );
  });

  test("vmac cannot answer ARP against some settings for all", () => {
    const vmac = config(WEB.replace("vrid", "vmac: true, vrid"));
    expect(told(judge(vmac, { sysctl: { "net.ipv4.conf.all.rp_filter": "1" } }), "sysctls")).toEqual([]);
    expect(told(judge(vmac, { sysctl: { "net.ipv4.conf.all.arp_filter": "1" } }), "sysctls")).toEqual([
      "error: net.ipv4.conf.all.arp_filter is 1",
    ]);
    expect(told(judge(vmac), "interfaces")).toEqual([]);
  });

  test("a dot in the name of an interface", () => {
    const links = [link("eth0.7", ["10.0.0.1/24"]), link("eth1", ["10.0.0.3/24"])];
    const sysctl = { "net/ipv4/conf/eth0.7/rp_filter": "1", "net.ipv4.conf.all.arp_ignore": "1" };
    const found = only(judge(config(WEB.replace("eth0", "eth0.7")), { links, sysctl }), /rp_filter/);
    expect(found.fix[0]).toBe("sysctl -w net/ipv4/conf/eth0.7/rp_filter=2");
  });
});

describe("tunnels", () => {
  test("local address, mtu", () => {
    const tunnels = [{ ...GRETAP, local: "10.0.0.5", mtu: 1476 }];
    const texts = told(judge(config(WEB, { tunnels })), "tunnels");
    expect(texts[0]).toMatch(/^error: Tunnel gretap1: its local address 10\.0\.0\.5 is on no interface/);
    expect(texts[1]).toMatch(/^warning: Tunnel gretap1: its mtu of 1476 makes outer packets of 1518 bytes/);
    expect(told(judge(config(WEB, { tunnels: [{ ...GRETAP, mtu: 1458 }] })), "tunnels")).toEqual([]);
  });
});

describe("daemons", () => {
  const keepalived = { name: "keepalived", pid: 99, here: true, config: null };

  test("keepalived is a warning, and an error when it has our VRID or address", () => {
    expect(told(judge(web, { processes: [keepalived] }), "daemons")).toEqual([
      "warning: keepalived is running (process 99)",
    ]);
    const path = "/etc/keepalived/keepalived.conf";
    const conf = (text: string) => ({ processes: [{ ...keepalived, config: { path, text } }] });
    const same = only(
      judge(web, conf("virtual_router_id 51\n virtual_ipaddress {\n 10.0.0.100/24\n}")),
      /keepalived/,
    );
    expect(same.severity).toBe("error");
    expect(same.why).toContain(`${path} has VRID 51 and 10.0.0.100 too`);
    const other = judge(web, conf("virtual_router_id 52 # not 51\n! virtual_router_id 51\n10.0.0.1001"));
    expect(only(other, /keepalived/).severity).toBe("warning");
  });

  test("one in another namespace is none; where that cannot be told it is said", () => {
    expect(told(judge(web, { processes: [{ ...keepalived, here: false }] }), "daemons")).toEqual([]);
    expect(only(judge(web, { processes: [{ ...keepalived, here: null }] }), /keepalived/).why).toContain(
      "may not know",
    );
  });

  test("our own is a note, and an error when it runs another config", () => {
    expect(told(judge(web, { daemon: running() }), "daemons")).toEqual([
      "note: appliance is running (a, process 7): its own state was asked",
    ]);
    expect(only(judge(web, { daemon: running({}, "/etc/other.yaml") }), /other\.yaml/).severity).toBe(
      "error",
    );
  });
});

describe("wire", () => {
  const two = config(WEB.replace("vrid", "version: 2, auth: { type: pass, key: '1111' }, vrid"));
  const v2 = { version: 2, authType: VRRP_AUTH.pass, authData: vrrpAuthData("1111") };

  test("a peer that agrees shows that multicast passes", () => {
    expect(told(judge(web, { heard: [heard()] }), "wire")).toEqual([
      "note: 10.0.0.2 on eth0 is master of VRID 51 (priority 100, ours 150): multicast passes",
    ]);
    expect(told(judge(two, { heard: [heard(v2)] }), "wire")[0]).toStartWith("note:");
  });

  const refusals = [
    ["version", web, { version: 2 }, "version 2, here 3", "version: 2"],
    ["checksum", web, { refused: "checksum" }, "cannot be read \\(checksum\\)", "tcpdump"],
    ["unicast", web, { destination: "10.0.0.1" }, "by unicast", "peers: \\[10.0.0.2\\]"],
    ["ttl", web, { ttl: 64 }, "TTL 64", "peers"],
    ["own address", web, { source: "10.0.0.1" }, "address of this machine", "another address"],
    ["no auth", two, { ...v2, authType: 0 }, "auth none, here pass", "remove auth"],
    ["other key", two, { ...v2, authData: vrrpAuthData("2222") }, "another auth key", "auth"],
    ["AH", two, { ...v2, ah: true }, "auth ah, here pass", "type: ah"],
    ["interval", two, { ...v2, intervalCs: 300 }, "advert_interval 3 s, here 1 s", "advert_interval: 3s"],
    ["owners", config(WEB.replace("150", "255")), { priority: 255 }, "both have priority 255", "priority"],
  ] as const;
  for (const [name, wanted, more, what, fix] of refusals) {
    test(`${name}: the key that differs is told`, () => {
      const diagnosis = judge(wanted, { heard: [heard(more)] });
      const found = only(diagnosis, new RegExp(what));
      expect(found.severity).toBe("error");
      expect(found.fix.join()).toMatch(new RegExp(fix));
      expect(JSON.stringify(diagnosis)).not.toContain("1111");
    });
  }

  test("other addresses, another interval, the same priority", () => {
    expect(told(judge(web, { heard: [heard({ addresses: ["10.0.0.7"] })] }), "wire")[0]).toBe(
      "error: 10.0.0.2 on eth0 advertises VRID 51 with quite other addresses: 10.0.0.7",
    );
    expect(
      told(judge(web, { heard: [heard({ addresses: ["10.0.0.100", "10.0.0.7"], intervalCs: 10 })] }), "wire"),
    )
      .toEqual([
        "warning: 10.0.0.2 on eth0 advertises VRID 51 with other addresses than ours: it has 10.0.0.7 besides",
        "warning: 10.0.0.2 on eth0 advertises VRID 51 every 100 ms, advert_interval here is 1000 ms",
      ]);
    expect(told(judge(web, { heard: [heard({ priority: 150 })] }), "wire")[0]).toStartWith(
      "note: 10.0.0.2 on eth0 has the same",
    );
  });

  test("what arrives and does not come through is the kernel's doing", () => {
    const found = only(judge(web, { heard: [heard({ delivered: 0 })] }), /arrive, but the kernel drops them/);
    expect(found.severity).toBe("error");
    expect(found.fix.join()).toContain("rp_filter");
  });

  test("another VRID, interface or family is not ours", () => {
    const others = [heard({ vrid: 52 }), heard({ interface: "eth1" }), heard({ family: "ipv6" })];
    expect(told(judge(web, { heard: others }), "wire")).toEqual([
      "note: No advertisement of VRID 51 was heard on eth0 in 3.5 s",
    ]);
  });

  test("where nobody could listen it says so", () => {
    const why = ({ unchecked }: ReturnType<typeof judge>) =>
      unchecked.map(({ what, why }) => `${what}: ${why}`);
    const listened: string[] = [];
    expect(why(judge(web, { listened, links: [] }))).toEqual([
      "what other routers say on eth0: it is not there yet",
    ]);
    expect(why(judge(web, { listened, links: [], daemon: running() }))).toEqual([]);
  });

  test("silence of a slow master says nothing", () => {
    const slow = config(WEB.replace("vrid", "advert_interval: 10s, vrid"));
    expect(only(judge(slow), /No advertisement/).why).toContain("too short");
  });

  test("an address that somebody answers for", () => {
    const answers = [{ interface: "eth0", address: "10.0.0.100", mac: "02:00:00:00:00:99" }];
    expect(only(judge(web, { answers }), /answered for by 02:00:00:00:00:99/).severity).toBe("error");
  });

  test("an IPv6 address that somebody answers for, asked for as an IPv4 one is", () => {
    const both = config(WEB.replace("10.0.0.100/24", '10.0.0.100/24, "fe80::100/64"'));
    expect(questions(both, facts()).map(({ family, addresses }) => [family, addresses])).toEqual([
      ["ipv4", ["10.0.0.100"]],
      ["ipv6", ["fe80::100"]],
    ]);
    const answer = (mac: string) => ({ interface: "eth0", address: "fe80::100", mac });
    const found = only(judge(both, { answers: [answer("02:00:00:00:00:99")] }), /answered for by/);
    expect(found.what).toBe("fe80::100 of instance web is answered for by 02:00:00:00:00:99 on eth0");
    const daemon = running({
      families: ["ipv4", "ipv6"],
      state: "backup",
      masters: [{ family: "ipv6", address: "fe80::2", priority: 200 }],
    });
    const told = judge(both, { daemon, answers: [answer("00:00:5e:00:02:33")] }).findings;
    expect(told.filter(({ what }) => what.includes("answered for by"))).toEqual([]);
  });

  test("an address that somebody answers for beside its master", () => {
    const answer = (mac: string, address = "10.0.0.100") => ({ interface: "eth0", address, mac });
    const [master, stranger, own] = [
      "02:00:00:00:00:02",
      "02:00:00:00:00:99",
      macToText(link("eth0", []).mac!),
    ];
    const errors = (daemon: Facts["daemon"], ...answers: ReturnType<typeof answer>[]) =>
      told(judge(web, { daemon, answers, heard: daemon.type === "none" ? [heard()] : [] }), "wire").filter(
        (text) => text.startsWith("error"),
      );
    const none = { type: "none" } as const;
    const backup = running({
      state: "backup",
      masters: [{ family: "ipv4", address: "10.0.0.2", priority: 200 }],
    });
    const waiting = running({ state: "fault", masters: [] });
    const speaks = answer(master, "10.0.0.2");

    const here =
      /^error: 10\.0\.0\.100 of instance web is answered for by 02:.*:99 on eth0, and this machine is its master$/;
    expect(errors(running(), answer(own))).toEqual([]);
    expect(errors(running(), answer(stranger))).toEqual([expect.stringMatching(here)]);
    const other =
      /answered for by 02:00:00:00:00:99 on eth0, which is not the hardware address of its master$/;
    for (const daemon of [none, backup]) {
      expect(errors(daemon, answer(master), speaks)).toEqual([]);
      expect(errors(daemon, answer("00:00:5e:00:01:33"))).toEqual([]);
      expect(errors(daemon, answer(stranger), speaks)).toEqual([expect.stringMatching(other)]);
      expect(errors(daemon, answer("00:00:5e:00:01:33"), answer(stranger))).toEqual([
        expect.stringMatching(other),
      ]);
      // A master in another subnet does not tell its hardware address.
      expect(errors(daemon, answer(master))).toEqual([]);
      expect(errors(daemon, answer(master), answer(stranger))).toEqual([
        expect.stringMatching(/only one can be/),
      ]);
    }
    expect(errors(waiting, answer(stranger))).toEqual([]);
  });

  test("a running daemon's instance with addresses of both families is known for both, and told of once", () => {
    const both = config(WEB.replace("10.0.0.100/24", '10.0.0.100/24, "fe80::100/64"'));
    const masters = [
      { family: "ipv4", address: "10.0.0.2", priority: 200 },
      { family: "ipv6", address: "fe80::2", priority: 200 },
    ] as const;
    const daemon = running({ families: ["ipv4", "ipv6"], state: "backup", masters });
    expect(placesToListen(both, facts({ daemon }))).toEqual([]);
    expect(told(judge(both, { daemon }), "wire")).toEqual([
      "note: Multicast passes on eth0: instance web (VRID 51) hears its master 10.0.0.2 (priority 200)",
    ]);
  });

  test("a running daemon's counters are believed", () => {
    const adverts = {
      received: 0,
      dropped: { auth: 12, ttl: 0 },
      send_errors: 3,
      address_mismatch: 0,
      interval_mismatch: 0,
    };
    const diagnosis = judge(web, { daemon: running({ adverts, split_brain_with: "10.0.0.2" }) });
    expect(told(diagnosis, "wire")).toEqual([
      "error: instance web (VRID 51) has a second master: 10.0.0.2",
      "warning: instance web (VRID 51) has refused advertisements: 12 (auth)",
      "warning: instance web (VRID 51) could not send 3 advertisements",
    ]);
    const backup = running({
      state: "backup",
      masters: [{ family: "ipv4", address: "10.0.0.2", priority: 200 }],
    });
    expect(told(judge(web, { daemon: backup }), "wire")).toEqual([
      "note: Multicast passes on eth0: instance web (VRID 51) hears its master 10.0.0.2 (priority 200)",
    ]);
  });
});

test("a lone master is to be released only with a warning, and never while its tunnel is down", () => {
  const lone = only(judge(web, { daemon: running() }), /never heard another router/);
  expect(lone.why).toContain("While no backup takes over, the service stops");
  expect(lone.fix[0]).toStartWith("appliance release web; ");
  const over = config(WEB.replace("eth0", "gretap1"), { tunnels: [GRETAP] });
  const told = (state: string) => {
    const daemon = {
      ...running({ interface: "gretap1" }),
      tunnels: [{ name: "gretap1", state }],
    } as Facts["daemon"];
    return only(judge(over, { daemon }), /never heard another router/);
  };
  expect(told("up").fix.join()).toContain("appliance release");
  expect(told("down").fix.join()).not.toContain("appliance release");
  expect(told("down").why).toContain("But gretap1 is not up");
});

describe("api", () => {
  const listening = config(`api: { listen: "127.0.0.1:8405" }\n${WEB}`);
  test("a port that is taken, unless by our own daemon", () => {
    const portHolder = { pid: 5, parent: 1, name: "nginx" };
    expect(only(judge(listening, { portHolder }), /Port 8405 of 127.0.0.1 is taken by nginx/).severity).toBe(
      "error",
    );
    expect(
      told(judge(listening, { portHolder: { pid: 8, parent: 7, name: "exe" }, daemon: running() }), "api"),
    )
      .toEqual([]);
  });
  test("the runtime directory, and what is wrong with the socket", () => {
    expect(told(judge(web, { runtimeDir: "/run: read-only file system" }), "api")[0]).toStartWith(
      "error: /run/appliance",
    );
    expect(told(judge(web, { runtimeDir: "x", uid: 7 }), "api")[0]).toStartWith("warning");
    expect(told(judge(web, { daemon: { type: "trouble", why: "it is no socket" } }), "api")[0]).toStartWith(
      "error",
    );
  });
});

test("a slow clock is a note", () => {
  expect(told(judge(web, { clocksource: "acpi_pm" }), "clock")).toEqual([
    "note: The clock source is acpi_pm",
  ]);
});

test("findings come by area, the worst of each first", () => {
  const { findings } = judge(web, { clocksource: "hpet", capabilities: [13], links: [] });
  expect(findings.map(({ area, severity }) => `${area} ${severity}`)).toEqual([
    "rights error",
    "rights note",
    "rights note",
    "interfaces error",
    "clock note",
  ]);
});
