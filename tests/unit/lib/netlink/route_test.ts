import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { parseAddress } from "../../../../lib/packet/address.ts";
import {
  addAddressRequest,
  addRouteRequest,
  addRuleRequest,
  changeTunnelRequest,
  createBridgeRequest,
  createMacvlanRequest,
  createTunnelRequest,
  createVethRequest,
  deleteGroupRequest,
  genericRequest,
  getLinkRequest,
  MessageBuilder,
  type NetlinkRequest,
  NLM_F_CREATE,
  NLM_F_EXCL,
  NLM_F_REPLACE,
  parseRouteEvent,
  removeAddressRequest,
  removeRouteRequest,
  removeRuleRequest,
  resolveFamily,
  type RouteEvent,
  type RouteSpec,
  type RuleSpec,
  setLinkRequest,
  type Tunnel,
  type TunnelType,
} from "../../../../lib/netlink/mod.ts";
import { NetlinkConnection } from "../../../../lib/netlink/mod.ts";
import { content, datagram, FakeKernel } from "./fake_kernel.ts";

function hex(text: string): Uint8Array {
  return Uint8Array.from<string>(
    text.replaceAll(/[^0-9a-f]/g, "").match(/../g) ?? [],
    (pair) => parseInt(pair, 16),
  );
}

function ip(text: string): Uint8Array {
  return Uint8Array.from(parseAddress(text) ?? []);
}

function prefix(text: string) {
  const [address, bits] = text.split("/");
  return { address: ip(address!), prefix: Number(bits) };
}

function event(type: number, payload: Uint8Array): RouteEvent | null {
  return parseRouteEvent({ type, flags: 0, sequence: 0, port: 0, payload });
}

/** Reads a request as if it were the kernel's own message. */
function echo(request: NetlinkRequest): RouteEvent | null {
  return event(request.type, request.payload);
}

// The hex below was recorded from Linux 6.18 while iproute2 6.1 made these changes.

describe("addresses", () => {
  test("IPv4 with label, broadcast and lifetimes", () => {
    const payload = hex(`02182000 03000000 08000100 0a000001 08000200 0a000001 08000400 0a0000ff
      09000300 76613a7800 000000 08000800 20000000 14000600 00000000 1e000000 4d100200 4d100200`);
    const address = {
      ifindex: 3,
      family: "ipv4" as const,
      address: ip("10.0.0.1"),
      local: ip("10.0.0.1"),
      prefix: 24,
      label: "va:x",
      scope: 0,
      broadcast: ip("10.0.0.255"),
      flags: 0x20,
      validS: 30,
      preferredS: 0,
    };
    expect(event(20, payload)).toEqual({ type: "address-new", address });
    expect(event(21, payload)).toEqual({ type: "address-gone", address });
  });

  test("a far end is told apart from the own address", () => {
    const payload = hex(`021e8000 03000000 08000100 0a070002 08000200 0a070001 07000300 766100 00
      08000800 80000000 14000600 ffffffff ffffffff 4e100200 4e100200`);
    expect(event(20, payload)).toMatchObject({
      address: { address: ip("10.7.0.2"), local: ip("10.7.0.1"), prefix: 30, validS: null, preferredS: null },
    });
  });

  test("IPv6 has one address for both", () => {
    const payload = hex(`0a400200 03000000 14000100 20010db8 00000000 00000000 00000001
      14000600 14000000 1e000000 4e100200 4e100200 08000800 02000000`);
    const own = ip("2001:db8::1");
    expect(event(20, payload)).toMatchObject({
      address: {
        family: "ipv6",
        address: own,
        local: own,
        prefix: 64,
        flags: 2,
        validS: 30,
        preferredS: 20,
        label: null,
      },
    });
  });

  test("the request to add one, byte by byte", () => {
    const request = addAddressRequest({
      ifindex: 3,
      address: ip("10.0.0.1"),
      prefix: 24,
      label: "va:x",
      broadcast: ip("10.0.0.255"),
      validS: 3,
      preferredS: 0,
      noPrefixRoute: true,
      noDad: true,
      device: "va",
    });
    expect(request).toMatchObject({
      type: 20,
      flags: NLM_F_CREATE | NLM_F_EXCL,
      doing: "add 10.0.0.1/24 to va",
    });
    expect(request.payload).toEqual(hex(`02180000 03000000 08000200 0a000001 08000100 0a000001
      09000300 76613a7800 000000 08000400 0a0000ff 08000800 02020000
      14000600 00000000 03000000 00000000 00000000`));
  });

  test("a renewal replaces, and says its lifetime even when it is for ever", () => {
    const request = addAddressRequest({ ifindex: 3, address: ip("10.0.0.1"), prefix: 24, replace: true });
    expect(request.flags).toBe(NLM_F_CREATE | NLM_F_REPLACE);
    expect(request.payload).toEqual(hex(`02180000 03000000 08000200 0a000001 08000100 0a000001
      14000600 ffffffff ffffffff 00000000 00000000`));
    expect(removeAddressRequest({ ifindex: 3, address: ip("10.0.0.1"), prefix: 24 })).toMatchObject({
      type: 21,
      doing: "remove 10.0.0.1/24 from interface 3",
      payload: hex("02180000 03000000 08000200 0a000001 08000100 0a000001"),
    });
  });

  test("what the kernel would misread is a RangeError", () => {
    const good = { ifindex: 3, address: ip("10.0.0.1"), prefix: 24 };
    for (
      const bad of [
        { prefix: 33 },
        { address: new Uint8Array(5) },
        { label: "sixteen-letters!" },
        { validS: 0 },
        { validS: 3, preferredS: 4 },
        { validS: 3, preferredS: null },
        { validS: 1.5 },
        { peer: ip("::1") },
      ]
    ) expect(() => addAddressRequest({ ...good, ...bad })).toThrow(RangeError);
  });

  test("written and read they are the same", () => {
    const lifetime = fc.option(fc.nat(1e6));
    const spec = fc.record({
      ifindex: fc.integer({ min: 1, max: 0x7fffffff }),
      address: fc.oneof(
        fc.uint8Array({ minLength: 4, maxLength: 4 }),
        fc.uint8Array({ minLength: 16, maxLength: 16 }),
      ),
      prefix: fc.nat(32),
      scope: fc.constantFrom(0, 200, 253, 254),
      validS: lifetime.map((value) => value === null ? null : value + 1),
      noDad: fc.boolean(),
    });
    fc.assert(fc.property(spec, (value) => {
      expect(echo(addAddressRequest(value))).toMatchObject({
        type: "address-new",
        address: {
          ifindex: value.ifindex,
          local: value.address,
          address: value.address,
          prefix: value.prefix,
          scope: value.scope,
          validS: value.validS,
          preferredS: value.validS,
          flags: value.noDad ? 2 : 0,
        },
      });
    }));
  });
});

describe("routes", () => {
  test("multipath in a table above 255", () => {
    const payload = hex(`02100000 fc030001 00000000 08000f00 e8030000 08000100 0a090000 08000600 07000000
      08000700 0a000001 24000900 10000002 03000000 08000500 0a000002 100004ff 02000000 08000500 0a00004d`);
    const route = {
      family: "ipv4" as const,
      destination: prefix("10.9.0.0/16"),
      from: null,
      gateway: null,
      ifindex: null,
      metric: 7,
      table: 1000,
      source: ip("10.0.0.1"),
      scope: 0,
      protocol: 3,
      type: "unicast" as const,
      onlink: false,
      mtu: null,
      nexthops: [
        { gateway: ip("10.0.0.2"), ifindex: 3, weight: 3, onlink: false },
        { gateway: ip("10.0.0.77"), ifindex: 2, weight: 256, onlink: true },
      ],
    };
    expect(event(24, payload)).toEqual({ type: "route-new", route });
    expect(event(25, payload)).toEqual({ type: "route-gone", route });
    expect(echo(addRouteRequest(route))).toEqual({ type: "route-new", route });
  });

  test("IPv6 default with an mtu", () => {
    const payload = hex(`0a000000 fe030001 00000000 08000f00 fe000000 0c000800 08000200 78050000
      08000600 00040000 14000500 20010db8 00000000 00000000 00000002 08000400 03000000
      24000c00 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 05001400 00 000000`);
    expect(event(24, payload)).toMatchObject({
      route: {
        family: "ipv6",
        destination: null,
        gateway: ip("2001:db8::2"),
        ifindex: 3,
        metric: 1024,
        mtu: 1400,
      },
    });
  });

  test("blackhole", () => {
    const payload = hex("02180000 fe030006 00000000 08000f00 fe000000 08000100 c0000200");
    expect(event(24, payload)).toMatchObject({
      route: { type: "blackhole", destination: prefix("192.0.2.0/24"), ifindex: null },
    });
  });

  test("a cache entry is no route", () => {
    const payload = hex("02180000 fe030001 00020000 08000f00 fe000000 08000100 c0000200");
    expect(event(24, payload)).toBeNull();
  });

  test("requests get the scope that fits, and the words that tell", () => {
    const scope = (spec: RouteSpec) => addRouteRequest(spec).payload[6];
    expect(scope({ family: "ipv4", ifindex: 2 })).toBe(253);
    expect(scope({ family: "ipv4", gateway: ip("10.0.0.2") })).toBe(0);
    expect(scope({ family: "ipv4", type: "local", ifindex: 1 })).toBe(254);
    expect(scope({ family: "ipv4", type: "blackhole" })).toBe(0);
    expect(scope({ family: "ipv6", ifindex: 2 })).toBe(0);
    expect(removeRouteRequest({ family: "ipv4" }).payload[6]).toBe(255);
    const spec: RouteSpec = {
      family: "ipv4",
      destination: prefix("10.9.0.0/16"),
      gateway: ip("10.0.0.2"),
      ifindex: 3,
      table: 1000,
      replace: true,
    };
    expect(addRouteRequest(spec)).toMatchObject({
      flags: NLM_F_CREATE | NLM_F_REPLACE,
      doing: "set route to 10.9.0.0/16 via 10.0.0.2 on interface 3 in table 1000",
    });
    expect(removeRouteRequest({ family: "ipv6" }).doing).toBe("remove route to default");
  });

  test("families that do not belong together are a RangeError", () => {
    expect(() => addRouteRequest({ family: "ipv4", destination: prefix("2001:db8::/32") })).toThrow(
      RangeError,
    );
    expect(() => addRouteRequest({ family: "ipv4", destination: { address: ip("10.0.0.0"), prefix: 33 } }))
      .toThrow(RangeError);
    expect(() => addRouteRequest({ family: "ipv6", source: ip("10.0.0.1") })).toThrow(RangeError);
    expect(() =>
      addRouteRequest({ family: "ipv4", nexthops: [{ gateway: null, ifindex: 2, weight: 0, onlink: false }] })
    )
      .toThrow(RangeError);
  });

  test("written and read they are the same", () => {
    const v4 = fc.uint8Array({ minLength: 4, maxLength: 4 });
    const v6 = fc.uint8Array({ minLength: 16, maxLength: 16 });
    const index = fc.integer({ min: 1, max: 1e6 });
    const route = fc.constantFrom("ipv4" as const, "ipv6" as const).chain((family) => {
      const own = family === "ipv4" ? v4 : v6;
      const subnet = fc.option(fc.record({ address: own, prefix: fc.integer({ min: 1, max: 32 }) }));
      return fc.record({
        family: fc.constant(family),
        destination: subnet,
        from: subnet,
        gateway: fc.option(fc.oneof(v4, v6)),
        ifindex: fc.option(index),
        metric: fc.option(fc.nat(0xffff_ffff)),
        table: fc.integer({ min: 1, max: 0xffff_ffff }),
        source: fc.option(own),
        scope: fc.nat(255),
        protocol: fc.nat(255),
        type: fc.constantFrom("unicast" as const, "local" as const, "blackhole" as const, "throw" as const),
        onlink: fc.boolean(),
        mtu: fc.option(fc.integer({ min: 1, max: 65535 })),
        nexthops: fc.array(
          fc.record({
            gateway: fc.option(fc.oneof(v4, v6)),
            ifindex: fc.option(index),
            weight: fc.integer({ min: 1, max: 256 }),
            onlink: fc.boolean(),
          }),
          { maxLength: 4 },
        ),
      });
    });
    fc.assert(fc.property(route, (value) => {
      expect(echo(addRouteRequest(value))).toEqual({ type: "route-new", route: value });
    }));
  });
});

describe("rules", () => {
  test("with everything", () => {
    const payload = hex(`02101000 fc000001 02000000 08000f00 e8030000 08000e00 ffffffff 05001500 00 000000
      07000300 766100 00 08000600 64000000 08000a00 10000000 08001000 ff000000
      08000100 0a020000 08000200 0a010000`);
    expect(event(32, payload)).toEqual({
      type: "rule-new",
      rule: {
        family: "ipv4",
        priority: 100,
        action: "lookup",
        table: 1000,
        from: prefix("10.1.0.0/16"),
        to: prefix("10.2.0.0/16"),
        iif: "va",
        oif: null,
        fwmark: 0x10,
        fwmask: 0xff,
        tos: 0,
        ipProtocol: null,
        invert: true,
        suppressPrefix: null,
        protocol: 0,
      },
    });
  });

  test("suppress_prefixlength 0 is not none", () => {
    const payload = hex(`0a000000 fe000001 00000000 08000f00 fe000000 08000e00 00000000 05001500 00 000000
      08000600 c8000000`);
    expect(event(33, payload)).toMatchObject({ type: "rule-gone", rule: { suppressPrefix: 0, table: 254 } });
  });

  test("requests say what they are about", () => {
    const spec: RuleSpec = { family: "ipv4", priority: 100, from: prefix("10.1.0.0/16"), table: 1000 };
    expect(addRuleRequest(spec).doing).toBe("add ipv4 rule 100 from 10.1.0.0/16 lookup 1000");
    expect(removeRuleRequest(spec).payload[7]).toBe(0);
    expect(() => addRuleRequest({ family: "ipv6", from: prefix("10.1.0.0/16") })).toThrow(RangeError);
  });

  test("written and read they are the same", () => {
    const subnet = fc.option(
      fc.record({
        address: fc.uint8Array({ minLength: 16, maxLength: 16 }),
        prefix: fc.integer({ min: 1, max: 128 }),
      }),
    );
    const u32 = fc.nat(0xffff_ffff);
    const rule = fc.record({
      family: fc.constant("ipv6" as const),
      priority: u32,
      action: fc.constantFrom(
        "lookup" as const,
        "blackhole" as const,
        "unreachable" as const,
        "prohibit" as const,
      ),
      table: u32,
      from: subnet,
      to: subnet,
      iif: fc.option(fc.constantFrom("eth0", "a.b-c@d")),
      oif: fc.option(fc.constantFrom("eth1")),
      fwmark: fc.option(u32),
      fwmask: fc.option(u32),
      tos: fc.nat(255),
      ipProtocol: fc.option(fc.nat(255)),
      invert: fc.boolean(),
      suppressPrefix: fc.option(fc.nat(128)),
      protocol: fc.nat(255),
    });
    fc.assert(fc.property(rule, (value) => {
      expect(echo(addRuleRequest(value))).toEqual({ type: "rule-new", rule: value });
    }));
  });
});

describe("links", () => {
  const header = (family: number, flags: number) =>
    new MessageBuilder().u8(family).u8(0).u16(1).i32(7).u32(flags).u32(0);

  test("a bridge's word about its port is not about the link", () => {
    const port = header(7, 0x1043).attrText(3, "eth0").attrU32(10, 4).finish();
    expect(event(17, port)).toBeNull();
    expect(event(16, port)).toBeNull();
    const link = header(0, 0x1043).attrText(3, "eth0").attrU32(10, 4).finish();
    expect(event(17, link)).toMatchObject({ type: "link-gone", link: { index: 7, name: "eth0", master: 4 } });
  });

  test("up is what was asked for, running what there is", () => {
    const read = (flags: number) => event(16, header(0, flags).attrText(3, "eth0").finish());
    expect(read(0x1003)).toMatchObject({ link: { up: true, running: false } });
    expect(read(0x11003)).toMatchObject({ link: { up: true, running: false } });
    expect(read(0x11043)).toMatchObject({ link: { up: true, running: true } });
    expect(read(0x1002)).toMatchObject({ link: { up: false, running: false } });
  });

  test("without a name it is about something else", () => {
    expect(event(16, header(0, 0x1043).attrU32(4, 1500).finish())).toBeNull();
  });

  test("a macvlan's kind may stand behind its data", () => {
    const payload = header(0, 0x1043).attrText(3, "vrrp.51").attrU32(5, 3).attrU8(16, 6)
      .attrText(20, "a remark").attrBytes(1, hex("00005e000133")).nest(18).nest(2).attrU32(1, 1).end()
      .attrText(1, "macvlan").end()
      .finish();
    expect(event(16, payload)).toMatchObject({
      link: {
        kind: "macvlan",
        macvlanMode: "private",
        alias: "a remark",
        link: 3,
        operstate: "up",
        mac: hex("00005e000133"),
        tunnel: null,
      },
    });
  });

  test("an error deep inside makes the whole malformed", () => {
    const payload = header(0, 0).attrText(3, "m").nest(18).attrText(1, "macvlan").nest(2).attrU8(1, 1).end()
      .end().finish();
    expect(event(16, payload)).toBeNull();
  });

  test("requests, byte by byte", () => {
    const head = "00000000 00000000 00000000 00000000";
    expect(createBridgeRequest("br0", { mcastSnooping: false }).payload).toEqual(hex(`${head}
      08000300 62723000 1c001280 0b000100 62726964676500 00 0c000280 05001700 00 000000`));
    expect(createVethRequest("a", "b", { peerNetnsFd: 9 }).payload).toEqual(hex(`${head}
      06000300 6100 0000 38001280 09000100 7665746800 000000 28000280 24000180
      ${head} 06000300 6200 0000 08001c00 09000000`));
    expect(
      createMacvlanRequest({ name: "m", base: 3, mac: hex("00005e000133") }).payload,
    ).toEqual(hex(`${head} 06000300 6d00 0000 1c001280 0c000100 6d6163766c616e00 0c000280 08000100 01000000
      08000500 03000000 0a000100 00005e000133 0000`));
    expect(setLinkRequest(3, { up: true, master: null, mtu: 1400 }).payload)
      .toEqual(hex("00000000 03000000 01000000 01000000 08000400 78050000 08000a00 00000000"));
    expect(setLinkRequest("m", { addrGenModeNone: true }).payload)
      .toEqual(hex(`${head} 06000300 6d00 0000 10001a80 0c000a80 05000800 01 000000`));
    expect(setLinkRequest(3, { alias: "hi", group: 7 }).payload).toEqual(
      hex("00000000 03000000 00000000 00000000 06001400 6869 0000 08001b00 07000000"),
    );
    expect(deleteGroupRequest(7).payload).toEqual(hex(`${head} 08001b00 07000000`));
    expect(() => setLinkRequest("m", { name: "n" })).toThrow(RangeError);
    expect(setLinkRequest(3, { up: false }).payload).toEqual(hex("00000000 03000000 00000000 01000000"));
    expect(setLinkRequest(3, { mtu: 1400 }).payload.subarray(0, 16)).toEqual(
      hex("00000000 03000000 00000000 00000000"),
    );
  });

  test("errors name the link and the wish", () => {
    expect(setLinkRequest(3, { up: true }, "eth1").doing).toBe("set eth1 up");
    expect(setLinkRequest(3, { master: 4 }).doing).toBe("attach interface 3 to interface 4");
  });

  test("a name that is none is a RangeError", () => {
    for (const name of ["", "sixteen-letters!", "a b", "a/b", "..", "a:b"]) {
      expect(() => createBridgeRequest(name)).toThrow(RangeError);
      expect(() => getLinkRequest(name)).toThrow(RangeError);
    }
  });
});

describe("tunnels", () => {
  test("gretap with a key in one direction, byte by byte", () => {
    const request = createTunnelRequest({
      name: "t",
      type: "gretap",
      local: ip("192.0.2.10"),
      remote: ip("192.0.2.20"),
      okey: 42,
      csum: true,
    });
    expect(request.payload).toEqual(hex(`00000000 00000000 00000000 00000000 06000300 7400 0000
      64001280 0b000100 67726574617000 00 54000280 06000200 8000 0000 06000300 a000 0000
      08000400 00000000 08000500 0000002a 08000600 c000020a 08000700 c0000214 05000800 40 000000
      08000100 00000000 05000900 00 000000 05000a00 01 000000`));
  });

  const tunnels = fc.constantFrom<TunnelType>("gre", "gretap", "ip6gre", "ip6gretap").chain((type) => {
    const six = type.startsWith("ip6");
    const size = six ? 16 : 4;
    const address = fc.uint8Array({ minLength: size, maxLength: size });
    const key = fc.option(fc.nat(0xffff_ffff));
    return fc.record({
      type: fc.constant(type),
      local: address,
      remote: address,
      ikey: key,
      okey: key,
      ttl: fc.nat(255),
      tos: fc.nat(255),
      pmtudisc: six ? fc.constant(false) : fc.boolean(),
      ignoreDf: six ? fc.constant(false) : fc.boolean(),
      csum: fc.boolean(),
      seq: fc.boolean(),
      link: fc.option(fc.integer({ min: 1, max: 1e6 })),
      encapLimit: six ? fc.option(fc.nat(255)) : fc.constant(null),
    }) as fc.Arbitrary<Tunnel>;
  });

  test("written and read they are the same", () => {
    fc.assert(fc.property(tunnels, (tunnel) => {
      const made = echo(createTunnelRequest({ ...tunnel, name: "tun0", mtu: 1400 }));
      expect(made).toMatchObject({
        type: "link-new",
        link: { name: "tun0", kind: tunnel.type, mtu: 1400, tunnel },
      });
      const changed = changeTunnelRequest(9, { ...tunnel, name: "tun0" });
      expect(changed.flags).toBe(0);
    }));
  });

  test("addresses of the wrong family, a key or tos too large are a RangeError", () => {
    const good = { name: "t", type: "gre" as const, local: ip("10.0.0.1"), remote: ip("10.0.0.2") };
    expect(() => createTunnelRequest({ ...good, local: ip("::1") })).toThrow(RangeError);
    expect(() => createTunnelRequest({ ...good, type: "ip6gre" })).toThrow(RangeError);
    expect(() => createTunnelRequest({ ...good, ikey: 2 ** 32 })).toThrow(RangeError);
    expect(() => createTunnelRequest({ ...good, tos: 256 })).toThrow(RangeError);
  });
});

describe("generic", () => {
  test("a family is found with its groups", () => {
    const kernel = new FakeKernel((request) => {
      expect(request.type).toBe(16);
      expect(request.payload).toEqual(hex("03010000 09000200 4950565300 000000"));
      const payload = new MessageBuilder().u8(1).u8(2).u16(0).attrText(2, "IPVS").attrU16(1, 33).attrU32(3, 1)
        .nest(7).nest(1).attrU32(2, 9).attrText(1, "events").end().end().finish();
      return [datagram(16, 0, request.sequence, payload), ...content(request)];
    });
    expect(resolveFamily(new NetlinkConnection(kernel), "IPVS")).toEqual({
      name: "IPVS",
      id: 33,
      version: 1,
      groups: { events: 9 },
    });
  });

  test("a request carries the family's number and version", () => {
    const request = genericRequest(
      { id: 33, version: 1 },
      { command: 5, name: "IPVS_CMD_NEW_DEST", doing: "add a server", flags: 4 },
      (builder) => builder.attrU8(1, 7),
    );
    expect(request).toEqual({
      type: 33,
      flags: 4,
      name: "IPVS_CMD_NEW_DEST",
      doing: "add a server",
      payload: hex("05010000 05000100 07 000000"),
    });
  });
});
