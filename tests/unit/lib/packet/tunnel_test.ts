/** GRE, echo and AH. */
import { expect, test } from "bun:test";
import fc from "fast-check";
import {
  AH_LENGTH,
  ahSpi,
  decodeAh,
  decodeEcho,
  decodeGre,
  decodeIpv4,
  encodeAhInto,
  encodeEcho,
  encodeGre,
  encodeGreInto,
  encodeIpv4Into,
  encodeVrrpInto,
  GRE_PROTOCOL,
  greHeaderLength,
  type IcmpContext,
  signAh,
  verifyAh,
  VRRP_IPV4_GROUP,
  vrrpAuthData,
} from "../../../../lib/packet/mod.ts";
import { flipBit, fromHex, toHex } from "./hex.ts";
import * as recorded from "./keepalived_frames.ts";

const payloads = fc.uint8Array({ maxLength: 64 });

test("GRE: literal headers", () => {
  const payload = Uint8Array.of(0xaa, 0xbb, 0xcc);
  const plain = { protocol: GRE_PROTOCOL.teb, checksum: false, key: null, sequence: null };
  expect(toHex(encodeGre(plain, payload))).toBe("00006558aabbcc");
  expect(toHex(encodeGre({ ...plain, key: 42 }, payload))).toBe("200065580000002aaabbcc");
  expect(toHex(encodeGre({ ...plain, sequence: 0xffffffff }, payload))).toBe("10006558ffffffffaabbcc");
  const full = encodeGre({ protocol: GRE_PROTOCOL.teb, checksum: true, key: 42, sequence: 1 }, payload);
  let sum = 0xb000 + 0x6558 + 0x002a + 0x0001 + 0xaabb + 0xcc00;
  sum = (sum & 0xffff) + (sum >> 16);
  expect(toHex(full)).toBe(`b0006558${(0xffff - sum).toString(16)}00000000002a00000001aabbcc`);
});

test("GRE: round trip and every flipped bit under a checksum", () => {
  const headers = fc.record({
    protocol: fc.nat(0xffff),
    checksum: fc.boolean(),
    key: fc.option(fc.nat(0xffffffff)),
    sequence: fc.option(fc.nat(0xffffffff)),
  });
  fc.assert(fc.property(headers, payloads, fc.nat(), (header, payload, bit) => {
    const packet = encodeGre(header, payload);
    expect(packet.length).toBe(greHeaderLength(header) + payload.length);
    expect(decodeGre(packet)).toEqual({ ok: true, header, payload });
    if (!header.checksum) return;
    // Bit 0 turns the checksum itself off: nothing can detect that.
    const at = 1 + bit % (packet.length * 8 - 1);
    expect(decodeGre(flipBit(packet, at)).ok).toBe(false);
  }));
});

test("GRE: header written in front of a payload that is already there", () => {
  const buffer = new Uint8Array(32);
  buffer.set([1, 2, 3, 4], 20);
  const header = { protocol: GRE_PROTOCOL.ipv4, checksum: true, key: 7, sequence: null };
  expect(encodeGreInto(buffer, 8, header, 4)).toBe(20);
  const decoded = decodeGre(buffer.subarray(8, 24));
  expect(decoded).toEqual({ ok: true, header, payload: Uint8Array.of(1, 2, 3, 4) });
  expect(() => encodeGreInto(buffer, 8, header, 13)).toThrow(RangeError);
  expect(() => encodeGre({ ...header, key: 2 ** 32 }, new Uint8Array(0))).toThrow(RangeError);
});

test("GRE: refusals", () => {
  const reason = (hex: string) => {
    const decoded = decodeGre(fromHex(hex));
    return decoded.ok ? "ok" : decoded.reason;
  };
  expect(reason("000065")).toBe("truncated");
  expect(reason("20006558000000")).toBe("truncated");
  expect(reason("b0006558 00000000 00000000 000000")).toBe("truncated");
  expect(reason("00016558")).toBe("version");
  expect(reason("40006558")).toBe("flags");
  expect(reason("08006558")).toBe("flags");
  expect(reason("04006558")).toBe("flags");
  expect(reason("03f86558")).toBe("ok"); // RFC 2784 §2.3: bits 6-12 are ignored
  expect(reason("80006558 00000000")).toBe("checksum");
});

const contexts: readonly IcmpContext[] = [
  { family: "ipv4" },
  { family: "ipv6", source: new Uint8Array(16).fill(1), destination: new Uint8Array(16).fill(2) },
];

test("echo: literal bytes", () => {
  const echo = { kind: "request" as const, identifier: 0x1234, sequence: 1, data: fromHex("6162") };
  // 0800 + 1234 + 0001 + 6162 = 7b97, inverted 8468
  expect(toHex(encodeEcho(echo, { family: "ipv4" }))).toBe("08008468123400016162");
  expect(toHex(encodeEcho({ ...echo, kind: "reply" }, { family: "ipv4" }))).toBe("00008c68123400016162");
});

test("echo: round trip, and no flipped bit passes", () => {
  const echoes = fc.record({
    kind: fc.constantFrom("request" as const, "reply" as const),
    identifier: fc.nat(0xffff),
    sequence: fc.nat(0xffff),
    data: payloads,
  });
  fc.assert(fc.property(echoes, fc.constantFrom(...contexts), fc.nat(), (echo, context, bit) => {
    const message = encodeEcho(echo, context);
    expect(decodeEcho(message, context)).toEqual({ ok: true, echo });
    expect(decodeEcho(flipBit(message, bit % (message.length * 8)), context).ok).toBe(false);
  }));
});

test("echo: refusals", () => {
  const echo = { kind: "request" as const, identifier: 1, sequence: 1, data: new Uint8Array(0) };
  const message = encodeEcho(echo, { family: "ipv4" });
  expect(decodeEcho(message.slice(0, 7), { family: "ipv4" })).toEqual({ ok: false, reason: "truncated" });
  expect(decodeEcho(message, contexts[1] as IcmpContext)).toEqual({ ok: false, reason: "type" });
  expect(decodeEcho(flipBit(message, 20), { family: "ipv4" })).toEqual({ ok: false, reason: "checksum" });
  expect(() => encodeEcho({ ...echo, sequence: 65536 }, { family: "ipv4" })).toThrow(RangeError);
});

const secret = vrrpAuthData("secret");
const ahPackets = [...recorded.v2AhMulticast, ...recorded.v2AhUnicast].map((frame) => frame.slice(14));

test("AH: what keepalived signed verifies with its password only", () => {
  for (const packet of ahPackets) {
    expect(verifyAh(packet, secret)).toBe(true);
    expect(verifyAh(packet, vrrpAuthData("Secret"))).toBe(false);
  }
});

test("AH: we sign the same bytes as keepalived", () => {
  const buffer = new Uint8Array(100);
  for (const [at, packet] of ahPackets.entries()) {
    const source = packet.slice(12, 16);
    const destination = packet.slice(16, 20);
    const identification = (at & 1) + 1;
    const vrid = at < 2 ? 3 : 6;
    const ahAt = encodeIpv4Into(buffer, 0, {
      tos: 0xc0,
      identification,
      dontFragment: false,
      moreFragments: false,
      fragmentOffset: 0,
      ttl: 255,
      protocol: 51,
      source,
      destination,
    }, AH_LENGTH + 20);
    const ah = { nextHeader: 112, spi: ahSpi(source), sequence: identification };
    const address = Uint8Array.of(10, 9, 0, at < 2 ? 4 : 6);
    const advert = {
      version: 2,
      vrid,
      priority: 254,
      addresses: [address],
      intervalCs: 100,
      authType: 2,
    } as const;
    const end = encodeVrrpInto(buffer, encodeAhInto(buffer, ahAt, ah), advert, {
      family: "ipv4",
      source,
      destination,
    });
    signAh(buffer, secret);
    expect(toHex(buffer.subarray(0, end))).toBe(toHex(packet));
  }
});

test("AH: time to live is covered in multicast only; TOS, flags and checksum never", () => {
  const [multicast, , unicast] = ahPackets as [Uint8Array, Uint8Array, Uint8Array, Uint8Array];
  const mutable = (byte: number, multicastPacket: boolean) =>
    byte === 1 || byte === 6 || byte === 7 || byte === 10 || byte === 11 || (byte === 8 && !multicastPacket);
  for (const packet of [multicast, unicast]) {
    for (let bit = 0; bit < packet.length * 8; bit++) {
      const expected = mutable(bit >> 3, packet === multicast);
      expect([bit >> 3, verifyAh(flipBit(packet, bit), secret)]).toEqual([bit >> 3, expected]);
    }
  }
});

test("AH: header fields", () => {
  const ip = decodeIpv4(ahPackets[1] as Uint8Array);
  if (!ip.ok) throw new Error(ip.reason);
  const decoded = decodeAh(ip.payload);
  if (!decoded.ok) throw new Error(decoded.reason);
  expect(decoded.header).toEqual({
    nextHeader: 112,
    spi: 0x0a010101,
    sequence: 2,
    icv: fromHex("38ef846c94d732eef58a7b0d"),
  });
  expect(decoded.payload.length).toBe(20);
  expect(decodeAh(ip.payload.slice(0, 23))).toEqual({ ok: false, reason: "truncated" });
  expect(decodeAh(flipBit(ip.payload, 15))).toEqual({ ok: false, reason: "length" });
});

test("AH: nothing malformed verifies, signs or throws on reception", () => {
  const packet = ahPackets[0] as Uint8Array;
  for (let end = 0; end < packet.length; end++) expect(verifyAh(packet.slice(0, end), secret)).toBe(false);
  const padded = new Uint8Array(packet.length + 6);
  padded.set(packet);
  expect(verifyAh(padded, secret)).toBe(true);
  expect(() => signAh(packet.slice(0, 43), secret)).toThrow(RangeError);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 120 }), (input) => {
      expect(verifyAh(input, secret)).toBe(false);
      decodeAh(input);
      decodeGre(input);
      for (const context of contexts) decodeEcho(input, context);
    }),
    { numRuns: 1000 },
  );
});

test("the group address that adverts go to", () =>
  expect(Array.from(VRRP_IPV4_GROUP)).toEqual([224, 0, 0, 18]));
