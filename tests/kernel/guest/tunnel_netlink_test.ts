import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import {
  changeTunnel,
  createTunnel,
  deleteLink,
  listLinks,
  NETLINK_ROUTE,
  NetlinkConnection,
  type Tunnel,
  type TunnelSpec,
  type TunnelType,
} from "../../../lib/netlink/mod.ts";
import { parseAddress } from "../../../lib/packet/address.ts";
import { must } from "../../netns/lab.ts";
import { describeGuest, ipLink } from "./guest.ts";

const NAME = "lab-tunnel";
const TYPES: readonly TunnelType[] = ["gre", "gretap", "ip6gre", "ip6gretap"];

type Wishes = Omit<TunnelSpec, "name" | "type" | "local" | "remote">;

/** What to ask for, beside the addresses. Path MTU discovery and ignoreDf exist over IPv4 only. */
const CASES: readonly (readonly [string, Wishes])[] = [
  ["nothing", {}],
  ["one key", { ikey: 42, okey: 42 }],
  ["a key for each direction", { ikey: 1, okey: 4_294_967_295 }],
  ["a key of 0", { ikey: 0, okey: 0 }],
  ["a key that only goes out", { okey: 7 }],
  ["ttl and tos", { ttl: 33, tos: 0x20 }],
  ["ttl and tos of the packet inside", { ttl: 0, tos: 1, pmtudisc: true }],
  ["checksum", { csum: true }],
  ["sequence numbers", { seq: true }],
  ["no path MTU discovery", { ttl: 0, pmtudisc: false }],
  ["all at once", { ikey: 42, okey: 42, ttl: 64, tos: 0x10, csum: true, seq: true, pmtudisc: true }],
];

const FOUR = { local: "192.0.2.1", remote: "192.0.2.2" };
const SIX = { local: "2001:db8::1", remote: "2001:db8::2" };

let netlink: NetlinkConnection;

function isSix(type: TunnelType): boolean {
  return type.startsWith("ip6");
}

function specOf(type: TunnelType, wishes: Wishes): TunnelSpec {
  const { local, remote } = isSix(type) ? SIX : FOUR;
  return { ...wishes, name: NAME, type, local: parseAddress(local)!, remote: parseAddress(remote)! };
}

/** What the kernel must hold for these wishes: defaults filled in. */
function tunnelOf(type: TunnelType, wishes: Wishes): Tunnel {
  const { local, remote } = specOf(type, {});
  const defaults = {
    ikey: null,
    okey: null,
    ttl: 64,
    tos: 0,
    csum: false,
    seq: false,
    link: null,
    encapLimit: null,
  };
  const four = isSix(type) ? { pmtudisc: false } : { pmtudisc: wishes.pmtudisc ?? true };
  return { ...defaults, ignoreDf: false, ...wishes, ...four, type, local, remote };
}

function dotted(key: number): string {
  return [24, 16, 8, 0].map((shift) => (key >>> shift) & 255).join(".");
}

/** The same in iproute2's words. */
function ipDataOf(tunnel: Tunnel): Record<string, unknown> {
  const six = isSix(tunnel.type);
  const { local, remote } = six ? SIX : FOUR;
  const { ikey, okey, csum, seq, ttl, tos } = tunnel;
  const traffic = six
    ? {
      ip6_tnl_f_ign_encap_limit: true,
      flowlabel: "0x00000",
      ...(tos === 1 ? { ip6_tnl_f_use_orig_tclass: true } : { tclass: hexByte(tos) }),
    }
    : { pmtudisc: tunnel.pmtudisc, ...(tos === 0 ? {} : { tos: `0x${tos.toString(16)}` }) };
  return {
    local,
    remote,
    ttl,
    ...traffic,
    ...(ikey === null ? {} : { ikey: dotted(ikey) }),
    ...(okey === null ? {} : { okey: dotted(okey) }),
    ...(csum ? { icsum: true, ocsum: true } : {}),
    ...(seq ? { iseq: true, oseq: true } : {}),
  };
}

function hexByte(value: number): string {
  return `0x${value.toString(16).padStart(2, "0")}`;
}

function listed(): Tunnel | null {
  return listLinks(netlink).find((link) => link.name === NAME)?.tunnel ?? null;
}

/** iproute2's way to ask for the same. */
function ipArguments(tunnel: Tunnel): string[] {
  const six = isSix(tunnel.type);
  const { local, remote } = six ? SIX : FOUR;
  const { ikey, okey, csum, seq, ttl, tos, type } = tunnel;
  return [
    ...["ip", "link", "add", NAME, "type", type, "local", local, "remote", remote],
    ...["ttl", ttl === 0 ? "inherit" : `${ttl}`, "tos", tos === 1 ? "inherit" : hexByte(tos)],
    ...(ikey === null ? [] : ["ikey", `${ikey}`]),
    ...(okey === null ? [] : ["okey", `${okey}`]),
    ...(csum ? ["csum"] : []),
    ...(seq ? ["seq"] : []),
    ...(six ? ["encaplimit", "none"] : [tunnel.pmtudisc ? "pmtudisc" : "nopmtudisc"]),
  ];
}

describeGuest("lib/netlink's tunnels", () => {
  beforeAll(() => {
    netlink = new NetlinkConnection(NETLINK_ROUTE);
  }, 30_000);
  afterAll(() => netlink?.close());
  afterEach(() => {
    const link = listLinks(netlink).find(({ name }) => name === NAME);
    if (link !== undefined) deleteLink(netlink, link.index);
  }, 30_000);

  describe.each([...TYPES])("%s", (type) => {
    test.each([...CASES])("made with %s reads back, by us and by iproute2", (_, wishes) => {
      const expected = tunnelOf(type, wishes);
      expect(createTunnel(netlink, specOf(type, wishes))).toBe(true);
      expect(listed()).toEqual(expected);
      const { info_kind, info_data } = ipLink(NAME).linkinfo!;
      expect({ info_kind, info_data }).toEqual({ info_kind: type, info_data: ipDataOf(expected) });
    });

    test.each([...CASES])("made by iproute2 with %s reads the same", (_, wishes) => {
      const expected = tunnelOf(type, wishes);
      must(ipArguments(expected));
      expect(listed()).toEqual(expected);
    });

    test("takes a device to be bound to, an mtu, and a second making as already there", () => {
      must(["ip", "link", "add", "lab-under", "type", "dummy"]);
      try {
        const { ifindex } = ipLink("lab-under");
        const spec = { ...specOf(type, { link: ifindex }), mtu: 1300 };
        expect(createTunnel(netlink, spec)).toBe(true);
        expect(createTunnel(netlink, spec, { existing: "ok" })).toBe(false);
        expect(listed()?.link).toBe(ifindex);
        expect(ipLink(NAME).mtu).toBe(1300);
      } finally {
        must(["ip", "link", "del", "lab-under"]);
      }
    });

    test("is changed in place", () => {
      createTunnel(netlink, specOf(type, { ikey: 1, okey: 1 }));
      const before = ipLink(NAME).ifindex;
      const wishes: Wishes = { ikey: 42, okey: 43, ttl: 9 };
      changeTunnel(netlink, before, specOf(type, wishes));
      expect(listed()).toEqual(tunnelOf(type, wishes));
      expect(ipLink(NAME).ifindex).toBe(before);
    });
  });
});
