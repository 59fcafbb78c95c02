/** The frames of the golden captures, built with our encoders; write.ts saves them, packet_test.ts has them judged. */
import {
  AH_LENGTH,
  ahSpi,
  encodeAhInto,
  encodeEcho,
  encodeEthernet,
  encodeGratuitousArp,
  encodeGre,
  encodeIpv4,
  encodeIpv4Into,
  encodeIpv6,
  encodeUnsolicitedAdvertisement,
  encodeVrrp,
  encodeVrrpInto,
  ETHER_TYPE,
  GRE_PROTOCOL,
  IP_PROTOCOL,
  IPV4_HEADER_LENGTH,
  ipv4MulticastMac,
  ipv6MulticastMac,
  parseAddress,
  parseMac,
  signAh,
  TOS_INTERNET_CONTROL,
  virtualMac,
  VRRP_IPV4_GROUP,
  VRRP_IPV6_GROUP,
  type VrrpAdvert,
  vrrpAuthData,
  type VrrpEncodeContext,
  vrrpLength,
} from "../../../lib/packet/mod.ts";

function ip(text: string): Uint8Array {
  const address = parseAddress(text);
  if (address === null) throw new RangeError(`Cannot parse address ${text}`);
  return address;
}

const router = ip("10.1.1.1");
const peer = ip("10.1.1.2");
const router6 = ip("fe80::1");
const peerMac = parseMac("02:00:00:00:00:02") as Uint8Array;
const mac4 = virtualMac(51, "ipv4");
const mac6 = virtualMac(51, "ipv6");

function ipv4Frame(protocol: number, destination: Uint8Array, payload: Uint8Array): Uint8Array {
  const header = {
    tos: TOS_INTERNET_CONTROL,
    identification: 1,
    dontFragment: false,
    moreFragments: false,
    fragmentOffset: 0,
    ttl: 255,
    protocol,
    source: router,
    destination,
  };
  const mac = destination === VRRP_IPV4_GROUP ? ipv4MulticastMac(destination) : peerMac;
  const ethernet = { destination: mac, source: mac4, etherType: ETHER_TYPE.ipv4 };
  return encodeEthernet(ethernet, encodeIpv4(header, payload));
}

function ipv6Frame(nextHeader: number, destination: Uint8Array, payload: Uint8Array): Uint8Array {
  const header = {
    trafficClass: TOS_INTERNET_CONTROL,
    flowLabel: 0,
    hopLimit: 255,
    nextHeader,
    source: router6,
    destination,
  };
  const ethernet = { destination: ipv6MulticastMac(destination), source: mac6, etherType: ETHER_TYPE.ipv6 };
  return encodeEthernet(ethernet, encodeIpv6(header, payload));
}

function advert(version: 2 | 3, addresses: readonly string[], more: Partial<VrrpAdvert> = {}): VrrpAdvert {
  return {
    version,
    vrid: 51,
    priority: 150,
    addresses: addresses.map(ip),
    intervalCs: 100,
    authType: 0,
    ...more,
  };
}

function vrrp4(value: VrrpAdvert, more: Partial<VrrpEncodeContext> = {}): Uint8Array {
  const destination = more.destination ?? VRRP_IPV4_GROUP;
  const payload = encodeVrrp(value, { family: "ipv4", source: router, destination, ...more });
  return ipv4Frame(IP_PROTOCOL.vrrp, destination, payload);
}

function ahFrame(destination: Uint8Array): Uint8Array {
  const value = advert(2, ["10.9.0.100"], { authType: 2 });
  const length = AH_LENGTH + vrrpLength(2, "ipv4", 1);
  const packet = new Uint8Array(IPV4_HEADER_LENGTH + length);
  const at = encodeIpv4Into(packet, 0, {
    tos: TOS_INTERNET_CONTROL,
    identification: 1,
    dontFragment: false,
    moreFragments: false,
    fragmentOffset: 0,
    ttl: 255,
    protocol: IP_PROTOCOL.ah,
    source: router,
    destination,
  }, length);
  const body = encodeAhInto(packet, at, { nextHeader: IP_PROTOCOL.vrrp, spi: ahSpi(router), sequence: 7 });
  encodeVrrpInto(packet, body, value, { family: "ipv4", source: router, destination });
  signAh(packet, vrrpAuthData("secret"));
  const mac = destination === peer ? peerMac : ipv4MulticastMac(destination);
  return encodeEthernet({ destination: mac, source: mac4, etherType: ETHER_TYPE.ipv4 }, packet);
}

const echo = {
  kind: "request",
  identifier: 0x1234,
  sequence: 9,
  data: Uint8Array.of(1, 2, 3, 4, 5, 6, 7),
} as const;
const echoFrame = ipv4Frame(IP_PROTOCOL.icmp, peer, encodeEcho(echo, { family: "ipv4" }));

/** Frames by capture and by name; the order is the order in the capture. */
export const CAPTURES = {
  vrrp: {
    v2None: vrrp4(advert(2, ["10.9.0.100", "10.9.0.101"])),
    v2Pass: vrrp4(advert(2, ["10.9.0.100"], { authType: 1, authData: vrrpAuthData("1111"), priority: 0 })),
    v3Ipv6: ipv6Frame(
      IP_PROTOCOL.vrrp,
      VRRP_IPV6_GROUP,
      encodeVrrp(advert(3, ["fe80::99", "2001:db8::99"], { priority: 255, intervalCs: 4095 }), {
        family: "ipv6",
        source: router6,
        destination: VRRP_IPV6_GROUP,
      }),
    ),
    v3Rfc: vrrp4(advert(3, ["10.9.0.100"], { intervalCs: 1 })),
    v3Pseudo: vrrp4(advert(3, ["10.9.0.100"], { intervalCs: 1 }), { checksum: "pseudo" }),
    v3UnicastRfc: vrrp4(advert(3, ["10.9.0.100"]), { destination: peer }),
    v3UnicastPseudo: vrrp4(advert(3, ["10.9.0.100"]), { destination: peer, checksum: "pseudo" }),
    v3UnicastLegacy: vrrp4(advert(3, ["10.9.0.100"]), { destination: peer, checksum: "legacy" }),
  },
  announce: {
    arpRequest: encodeGratuitousArp(ip("10.9.0.100"), mac4),
    arpReply: encodeGratuitousArp(ip("10.9.0.100"), mac4, "reply"),
    advertisement: encodeUnsolicitedAdvertisement(ip("2001:db8::99"), mac6, false),
    advertisementRouter: encodeUnsolicitedAdvertisement(ip("fe80::99"), mac6, true),
  },
  tunnel: {
    echo: echoFrame,
    echo6: ipv6Frame(
      IP_PROTOCOL.icmpv6,
      ip("ff02::1"),
      encodeEcho({ ...echo, kind: "reply" }, { family: "ipv6", source: router6, destination: ip("ff02::1") }),
    ),
    gretap: ipv4Frame(
      IP_PROTOCOL.gre,
      peer,
      encodeGre({ protocol: GRE_PROTOCOL.teb, checksum: true, key: 42, sequence: 3 }, echoFrame),
    ),
    gre: ipv4Frame(
      IP_PROTOCOL.gre,
      peer,
      encodeGre(
        { protocol: GRE_PROTOCOL.ipv4, checksum: false, key: null, sequence: null },
        echoFrame.slice(14),
      ),
    ),
  },
  ah: { multicast: ahFrame(VRRP_IPV4_GROUP), unicast: ahFrame(peer) },
} as const;

/** Name of a golden capture. */
export type CaptureName = keyof typeof CAPTURES;
