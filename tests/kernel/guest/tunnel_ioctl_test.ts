import { afterEach, expect, test } from "bun:test";
import {
  addressOf,
  AF_INET,
  alloc,
  closeFd,
  cString,
  EEXIST,
  EOPNOTSUPP,
  ioctl,
  openSocket,
  SOCK_DGRAM,
  viewOf,
} from "../../../lib/libc/mod.ts";
import { listLinks, NETLINK_ROUTE, NetlinkConnection, type Tunnel } from "../../../lib/netlink/mod.ts";
import { parseAddress } from "../../../lib/packet/address.ts";
import { run } from "../../netns/lab.ts";
import { describeGuest } from "./guest.ts";

// linux/if_tunnel.h
const SIOCGETTUNNEL = 0x89f0;
const SIOCADDTUNNEL = 0x89f1;
const SIOCDELTUNNEL = 0x89f2;
const GRE_KEY = 0x2000;
const IP_DF = 0x4000;
const IFNAMSIZ = 16;
const IPPROTO_GRE = 47;
const NAME = "lab-ioctl";

/** struct ip_tunnel_parm: 52 bytes, ports of network byte order, an IPv4 header at 32. */
function tunnelParm(key: number, ttl: number): Uint8Array<ArrayBuffer> {
  const parm = alloc(52);
  const view = viewOf(parm);
  parm.set(cString(NAME), 0);
  view.setUint16(20, GRE_KEY);
  view.setUint16(22, GRE_KEY);
  view.setUint32(24, key);
  view.setUint32(28, key);
  parm[32] = 0x45;
  view.setUint16(38, IP_DF);
  parm[40] = ttl;
  parm[41] = IPPROTO_GRE;
  parm.set(parseAddress("192.0.2.1")!, 44);
  parm.set(parseAddress("192.0.2.2")!, 48);
  return parm;
}

/** Asks `device` (a type's fallback device to add, the tunnel's own otherwise): 0 or the negated errno. */
function ask(request: number, device: string, parm: Uint8Array): number {
  const ifreq = alloc(40);
  ifreq.set(cString(device), 0);
  viewOf(ifreq).setBigUint64(IFNAMSIZ, BigInt(addressOf(parm)), true);
  const socket = openSocket(AF_INET, SOCK_DGRAM, 0, "ask for a tunnel");
  try {
    return ioctl(socket, request, ifreq);
  } finally {
    closeFd(socket);
  }
}

function listed(): Tunnel | null {
  const netlink = new NetlinkConnection(NETLINK_ROUTE);
  try {
    return listLinks(netlink).find(({ name }) => name === NAME)?.tunnel ?? null;
  } finally {
    netlink.close();
  }
}

describeGuest("the tunnel ioctls", () => {
  afterEach(() => void run(["ip", "link", "del", NAME]));

  test("SIOCADDTUNNEL makes the same gre tunnel that netlink reads, once", () => {
    expect(ask(SIOCADDTUNNEL, "gre0", tunnelParm(42, 33))).toBe(0);
    expect(listed()).toEqual({
      type: "gre",
      local: parseAddress("192.0.2.1")!,
      remote: parseAddress("192.0.2.2")!,
      ikey: 42,
      okey: 42,
      ttl: 33,
      tos: 0,
      pmtudisc: true,
      ignoreDf: false,
      csum: false,
      seq: false,
      link: null,
      encapLimit: null,
    });
    expect(ask(SIOCADDTUNNEL, "gre0", tunnelParm(42, 33))).toBe(-EEXIST);
  });

  test("SIOCGETTUNNEL reads it and SIOCDELTUNNEL removes it", () => {
    ask(SIOCADDTUNNEL, "gre0", tunnelParm(42, 33));
    const parm = alloc(52);
    expect(ask(SIOCGETTUNNEL, NAME, parm)).toBe(0);
    expect(viewOf(parm).getUint32(24)).toBe(42);
    expect(parm[40]).toBe(33);
    expect(ask(SIOCDELTUNNEL, NAME, parm)).toBe(0);
    expect(listed()).toBeNull();
  });

  test("makes no gretap: netlink is the only way", () => {
    expect(ask(SIOCADDTUNNEL, "gretap0", tunnelParm(42, 33))).toBe(-EOPNOTSUPP);
    expect(listed()).toBeNull();
  });
});
