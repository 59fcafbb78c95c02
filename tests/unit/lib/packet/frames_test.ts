/** Ethernet, IPv4, IPv6, ARP and neighbour advertisements against recorded frames, both ways. */
import { expect, test } from "bun:test";
import fc from "fast-check";
import {
  decodeArp,
  decodeEthernet,
  decodeIpv4,
  decodeIpv6,
  decodeNeighbourAdvertisement,
  encodeArp,
  encodeEthernet,
  encodeGratuitousArp,
  encodeGratuitousArpInto,
  encodeIpv4,
  encodeIpv6,
  encodeNeighbourAdvertisementInto,
  encodeSolicitation,
  encodeUnsolicitedAdvertisement,
  encodeUnsolicitedAdvertisementInto,
  internetChecksum,
  type Ipv4Header,
  type Ipv6Header,
  parseAddress,
  parseMac,
} from "../../../../lib/packet/mod.ts";
import { flipBit, fromHex, toHex } from "./hex.ts";
import * as recorded from "./keepalived_frames.ts";

const mac = parseMac("02:00:00:00:00:01") as Uint8Array;
const vip = parseAddress("10.9.0.1") as Uint8Array;
const vip6 = parseAddress("2001:db8::99") as Uint8Array;
const all = [recorded.v2None, recorded.v2Pass, ...recorded.v2AhMulticast, ...recorded.v2AhUnicast];
const allIpv4 = [...all, recorded.v3Multicast, recorded.v3Unicast];
const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
const payloads = fc.uint8Array({ maxLength: 64 });

test("recorded IPv4 frames decode and encode to themselves", () => {
  for (const frame of allIpv4) {
    const ethernet = decodeEthernet(frame);
    if (!ethernet.ok) throw new Error(ethernet.reason);
    const ip = decodeIpv4(ethernet.payload);
    if (!ip.ok) throw new Error(ip.reason);
    expect(ip.header).toMatchObject({ tos: 0xc0, ttl: 255, fragmentOffset: 0, moreFragments: false });
    expect(encodeEthernet(ethernet.header, encodeIpv4(ip.header, ip.payload))).toEqual(frame);
  }
});

test("recorded IPv6 frames decode and encode to themselves", () => {
  for (const frame of [recorded.v3Ipv6, recorded.unsolicitedAdvertisement]) {
    const ethernet = decodeEthernet(frame);
    if (!ethernet.ok) throw new Error(ethernet.reason);
    const ip = decodeIpv6(ethernet.payload);
    if (!ip.ok) throw new Error(ip.reason);
    expect(ip.header.hopLimit).toBe(255);
    expect(encodeEthernet(ethernet.header, encodeIpv6(ip.header, ip.payload))).toEqual(frame);
  }
});

test("Ethernet padding is not in the IP payload", () => {
  const packet = encodeIpv4(ipv4Header, Uint8Array.of(1, 2, 3));
  const padded = new Uint8Array(46);
  padded.set(packet);
  const decoded = decodeIpv4(padded);
  expect(decoded.ok && toHex(decoded.payload)).toBe("010203");
  const packet6 = encodeIpv6(ipv6Header, Uint8Array.of(1, 2));
  const padded6 = new Uint8Array(46);
  padded6.set(packet6);
  const decoded6 = decodeIpv6(padded6);
  expect(decoded6.ok && toHex(decoded6.payload)).toBe("0102");
});

const ipv4Header: Ipv4Header = {
  tos: 0xc0,
  identification: 7,
  dontFragment: true,
  moreFragments: false,
  fragmentOffset: 0,
  ttl: 255,
  protocol: 112,
  source: Uint8Array.of(10, 1, 1, 1),
  destination: Uint8Array.of(224, 0, 0, 18),
};
const ipv6Header: Ipv6Header = {
  trafficClass: 0xc0,
  flowLabel: 0x12345,
  hopLimit: 255,
  nextHeader: 112,
  source: vip6,
  destination: vip6,
};

test("IPv4: options are skipped", () => {
  const packet = fromHex(`46c0 001a 0007 4000 ff70 0000 0a010101 e0000012 94040000 aabb`);
  const checksum = internetChecksum(packet, 0, 0, 24);
  packet[10] = checksum >> 8;
  packet[11] = checksum & 0xff;
  const decoded = decodeIpv4(packet);
  if (!decoded.ok) throw new Error(decoded.reason);
  expect(decoded.headerLength).toBe(24);
  expect(decoded.header).toEqual(ipv4Header);
  expect(toHex(decoded.payload)).toBe("aabb");
});

test("IPv4: each refusal says why", () => {
  const good = encodeIpv4(ipv4Header, Uint8Array.of(1, 2, 3));
  const reason = (change: (packet: Uint8Array) => Uint8Array | void) => {
    const packet = good.slice();
    const decoded = decodeIpv4(change(packet) ?? packet);
    return decoded.ok ? "ok" : decoded.reason;
  };
  expect(reason(() => {})).toBe("ok");
  expect(reason((packet) => packet.slice(0, 19))).toBe("truncated");
  expect(reason((packet) => packet.fill(0x65, 0, 1))).toBe("version");
  expect(reason((packet) => packet.fill(0x44, 0, 1))).toBe("header-length");
  expect(reason((packet) => packet.fill(0x4f, 0, 1))).toBe("truncated");
  expect(reason((packet) => packet.slice(0, 22))).toBe("length");
  expect(reason((packet) => packet.fill(19, 3, 4))).toBe("length");
  expect(reason((packet) => packet.fill(64, 8, 9))).toBe("checksum");
  for (let bit = 0; bit < 160; bit++) expect(decodeIpv4(flipBit(good, bit)).ok).toBe(false);
});

test("IPv6: each refusal says why", () => {
  const good = encodeIpv6(ipv6Header, Uint8Array.of(1, 2, 3));
  const reason = (packet: Uint8Array) => {
    const decoded = decodeIpv6(packet);
    return decoded.ok ? "ok" : decoded.reason;
  };
  expect(reason(good.slice(0, 39))).toBe("truncated");
  expect(reason(flipBit(good, 2))).toBe("version");
  expect(reason(good.slice(0, 42))).toBe("length");
});

test("headers round-trip", () => {
  const header4 = fc.record({
    tos: fc.nat(255),
    identification: fc.nat(0xffff),
    dontFragment: fc.boolean(),
    moreFragments: fc.boolean(),
    fragmentOffset: fc.nat(0x1fff),
    ttl: fc.nat(255),
    protocol: fc.nat(255),
    source: bytes(4),
    destination: bytes(4),
  });
  fc.assert(fc.property(header4, payloads, (header, payload) => {
    expect(decodeIpv4(encodeIpv4(header, payload))).toEqual({ ok: true, header, headerLength: 20, payload });
  }));
  const header6 = fc.record({
    trafficClass: fc.nat(255),
    flowLabel: fc.nat(0xfffff),
    hopLimit: fc.nat(255),
    nextHeader: fc.nat(255),
    source: bytes(16),
    destination: bytes(16),
  });
  fc.assert(fc.property(header6, payloads, (header, payload) => {
    expect(decodeIpv6(encodeIpv6(header, payload))).toEqual({ ok: true, header, payload });
  }));
  const ethernet = fc.record({ destination: bytes(6), source: bytes(6), etherType: fc.nat(0xffff) });
  fc.assert(fc.property(ethernet, payloads, (header, payload) => {
    expect(decodeEthernet(encodeEthernet(header, payload))).toEqual({ ok: true, header, payload });
  }));
});

test("encoders refuse what does not fit", () => {
  const empty = new Uint8Array(0);
  expect(() => encodeIpv4({ ...ipv4Header, ttl: 256 }, empty)).toThrow(RangeError);
  expect(() => encodeIpv4({ ...ipv4Header, source: vip6 }, empty)).toThrow(RangeError);
  expect(() => encodeIpv4(ipv4Header, new Uint8Array(65516))).toThrow(RangeError);
  expect(() => encodeIpv6({ ...ipv6Header, flowLabel: 0x100000 }, empty)).toThrow(RangeError);
  expect(() => encodeIpv6({ ...ipv6Header, destination: vip }, empty)).toThrow(RangeError);
  expect(() => encodeEthernet({ destination: vip, source: mac, etherType: 0 }, empty)).toThrow(RangeError);
  expect(() => encodeGratuitousArp(vip6, mac)).toThrow(RangeError);
  expect(() => encodeUnsolicitedAdvertisement(vip, mac, false)).toThrow(RangeError);
});

test("gratuitous ARP is what keepalived sends", () => {
  expect(toHex(encodeGratuitousArp(vip, mac))).toBe(toHex(recorded.gratuitousArp));
  const decoded = decodeArp(recorded.gratuitousArp.subarray(14));
  expect(decoded).toEqual({
    ok: true,
    arp: {
      operation: "request",
      senderMac: mac,
      senderAddress: vip,
      targetMac: new Uint8Array(6).fill(255),
      targetAddress: vip,
    },
  });
});

test("gratuitous ARP as a reply names its own MAC as target", () => {
  expect(toHex(encodeGratuitousArp(vip, mac, "reply"))).toBe(
    "ffffffffffff020000000001080600010800060400020200000000010a0900010200000000010a090001",
  );
});

test("ARP round-trips with padding, and refuses the rest", () => {
  const arps = fc.record({
    operation: fc.constantFrom("request" as const, "reply" as const),
    senderMac: bytes(6),
    senderAddress: bytes(4),
    targetMac: bytes(6),
    targetAddress: bytes(4),
  });
  fc.assert(fc.property(arps, fc.nat(18), (arp, padding) => {
    const padded = new Uint8Array(28 + padding);
    padded.set(encodeArp(arp));
    expect(decodeArp(padded)).toEqual({ ok: true, arp });
  }));
  const good = recorded.gratuitousArp.slice(14);
  expect(decodeArp(good.slice(0, 27))).toEqual({ ok: false, reason: "truncated" });
  for (let bit = 0; bit < 48; bit++) {
    expect(decodeArp(flipBit(good, bit))).toEqual({ ok: false, reason: "kind" });
  }
  expect(decodeArp(flipBit(good, 60))).toEqual({ ok: false, reason: "operation" });
});

test("an unsolicited advertisement is what keepalived sends", () => {
  expect(toHex(encodeUnsolicitedAdvertisement(vip6, mac, false))).toBe(
    toHex(recorded.unsolicitedAdvertisement),
  );
  const frame = encodeUnsolicitedAdvertisement(vip6, mac, true);
  const decoded = decodeNeighbourAdvertisement(frame.subarray(54), {
    source: vip6,
    destination: parseAddress("ff02::1") as Uint8Array,
    hopLimit: 255,
  });
  const advertisement = { target: vip6, mac, router: true, solicited: false, override: true };
  expect(decoded).toEqual({ ok: true, advertisement });
});

test("a neighbour solicitation", () => {
  const source = parseAddress("fe80::1") as Uint8Array;
  const frame = encodeSolicitation(vip6, source, mac);
  const ip = decodeIpv6(frame.subarray(14));
  if (!ip.ok) throw new Error(ip.reason);
  const last = toHex(vip6).slice(-6);
  expect(toHex(frame.subarray(0, 12))).toBe(`3333ff${last}${toHex(mac)}`);
  expect(toHex(ip.header.destination)).toBe(`ff0200000000000000000001ff${last}`);
  expect(ip.header).toMatchObject({ hopLimit: 255, nextHeader: 58, source });
  expect(toHex(ip.payload)).toMatch(new RegExp(`^8700....00000000${toHex(vip6)}0101${toHex(mac)}$`));
  const pseudo = fromHex(toHex(source) + toHex(ip.header.destination) + "000000" + "20" + "0000003a");
  expect(internetChecksum(Uint8Array.of(...pseudo, ...ip.payload))).toBe(0);
  expect(() => encodeSolicitation(mac, source, mac)).toThrow(RangeError);
});

test("neighbour advertisements: refusals", () => {
  const context = { source: vip6, destination: parseAddress("ff02::1") as Uint8Array, hopLimit: 255 };
  const good = recorded.unsolicitedAdvertisement.slice(54);
  const reason = (message: Uint8Array, hopLimit = 255) => {
    const decoded = decodeNeighbourAdvertisement(message, { ...context, hopLimit });
    return decoded.ok ? "ok" : decoded.reason;
  };
  const resum = (message: Uint8Array) => {
    // Option bytes changed: make the checksum good again by the difference to the sum that was.
    message.set([0, 0], 2);
    const pseudo = fromHex(toHex(vip6) + toHex(context.destination) + "000000" + "20" + "0000003a");
    const sum = internetChecksum(Uint8Array.of(...pseudo, ...message));
    message.set([sum >> 8, sum & 0xff], 2);
    return message;
  };
  expect(reason(good)).toBe("ok");
  expect(reason(good, 254)).toBe("hop-limit");
  expect(reason(good.slice(0, 23))).toBe("truncated");
  expect(reason(flipBit(good, 7))).toBe("type");
  expect(reason(good.slice(0, 24))).toBe("checksum");
  for (let bit = 0; bit < good.length * 8; bit++) expect(reason(flipBit(good, bit))).not.toBe("ok");
  const zeroLength = good.slice();
  zeroLength[25] = 0;
  expect(reason(resum(zeroLength))).toBe("option");
  const tooLong = good.slice();
  tooLong[25] = 2;
  expect(reason(resum(tooLong))).toBe("option");
});

test("an advertisement without MAC", () => {
  const buffer = new Uint8Array(24);
  const advertisement = { target: vip6, mac: null, router: false, solicited: true, override: false };
  expect(encodeNeighbourAdvertisementInto(buffer, 0, advertisement, vip6, vip6)).toBe(24);
  const context = { source: vip6, destination: vip6, hopLimit: 255 };
  expect(decodeNeighbourAdvertisement(buffer, context)).toEqual({ ok: true, advertisement });
});

test("announcements can be written into a buffer that is used again", () => {
  const buffer = new Uint8Array(200).fill(0xa5);
  expect(encodeGratuitousArpInto(buffer, 10, vip, mac)).toBe(52);
  expect(toHex(buffer.subarray(10, 52))).toBe(toHex(recorded.gratuitousArp));
  expect(encodeUnsolicitedAdvertisementInto(buffer, 10, vip6, mac, false)).toBe(96);
  expect(toHex(buffer.subarray(10, 96))).toBe(toHex(recorded.unsolicitedAdvertisement));
  expect(toHex(buffer.subarray(96, 98))).toBe("a5a5");
  expect(() => encodeGratuitousArpInto(buffer, 190, vip, mac)).toThrow(RangeError);
});

test("no input makes a decoder throw", () => {
  const context = { source: vip6, destination: vip6, hopLimit: 255 };
  const mangled = fc.tuple(fc.constantFrom(...allIpv4, recorded.v3Ipv6), fc.nat(), fc.nat())
    .map(([frame, bit, end]) => flipBit(frame, bit % (frame.length * 8)).slice(14, 14 + end % frame.length));
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 200 }), mangled), (input) => {
      decodeEthernet(input);
      decodeIpv4(input);
      decodeIpv6(input);
      decodeArp(input);
      decodeNeighbourAdvertisement(input, context);
    }),
    { numRuns: 2000 },
  );
});
