import { expect, test } from "bun:test";
import {
  decodeVrrp,
  encodeVrrp,
  encodeVrrpInto,
  foldSum,
  parseAddress,
  pseudoHeaderSum,
  sumWords,
  VRRP_IPV4_GROUP,
  VRRP_IPV6_GROUP,
  type VrrpAdvert,
  vrrpAuthData,
  type VrrpContext,
  vrrpLength,
} from "../../../../lib/packet/mod.ts";
import { fromHex, toHex } from "./hex.ts";
import * as recorded from "./keepalived_frames.ts";

function ip(text: string): Uint8Array {
  return parseAddress(text) as Uint8Array;
}

const source = ip("10.1.1.1");
const multicast: VrrpContext = { family: "ipv4", source, destination: VRRP_IPV4_GROUP };
const unicast: VrrpContext = { family: "ipv4", source, destination: ip("10.1.1.2") };
const ipv6: VrrpContext = { family: "ipv6", source: ip("fe80::ff:fe00:1"), destination: VRRP_IPV6_GROUP };

const v2: VrrpAdvert = {
  version: 2,
  vrid: 1,
  priority: 255,
  addresses: [ip("10.9.0.1"), ip("10.9.0.2")],
  intervalCs: 100,
  authType: 0,
};
const v3: VrrpAdvert = {
  version: 3,
  vrid: 4,
  priority: 255,
  addresses: [ip("10.9.0.5")],
  intervalCs: 50,
  authType: 0,
};

/** Makes the checksum of a message good again, without a pseudo-header. */
function resum(payload: Uint8Array, context?: VrrpContext): Uint8Array {
  payload.set([0, 0], 6);
  const pseudo = context === undefined
    ? 0
    : pseudoHeaderSum(context.source, context.destination, 112, payload.length);
  const checksum = 0xffff - sumWords(payload, pseudo);
  payload.set([checksum >> 8, checksum & 0xff], 6);
  return payload;
}

function reasonOf(payload: Uint8Array, context: VrrpContext = multicast): string {
  const decoded = decodeVrrp(payload, context);
  return decoded.ok ? "ok" : decoded.reason;
}

test("adverts that keepalived sent decode, and we send the same bytes", () => {
  const pass = { ...v2, vrid: 2, addresses: [ip("10.9.0.3")], authType: 1, authData: vrrpAuthData("1111") };
  const v3Unicast = { ...v3, vrid: 7, addresses: [ip("10.9.0.7")], intervalCs: 100 };
  const six = { ...v3, vrid: 5, addresses: [ip("fe80::99"), ip("2001:db8::99")], intervalCs: 100 };
  const ah = { ...v2, vrid: 3, priority: 254, addresses: [ip("10.9.0.4")], authType: 2 };
  const cases = [
    { frame: recorded.v2None, at: 34, advert: v2, context: multicast, form: "rfc" },
    { frame: recorded.v2Pass, at: 34, advert: pass, context: multicast, form: "rfc" },
    {
      frame: recorded.v2AhMulticast[0] as Uint8Array,
      at: 58,
      advert: { ...ah, authData: new Uint8Array(8) },
      context: multicast,
      form: "rfc",
    },
    { frame: recorded.v3Multicast, at: 34, advert: v3, context: multicast, form: "pseudo" },
    { frame: recorded.v3Unicast, at: 34, advert: v3Unicast, context: unicast, form: "pseudo" },
    { frame: recorded.v3Ipv6, at: 54, advert: six, context: ipv6, form: "rfc" },
  ] as const;
  for (const { frame, at, advert, context, form } of cases) {
    const payload = frame.slice(at);
    expect(decodeVrrp(payload, context)).toEqual({ ok: true, advert, checksumForm: form });
    expect(toHex(encodeVrrp(advert, { ...context, checksum: form }))).toBe(toHex(payload));
  }
});

test("version 3 over IPv4 sums the message alone unless told otherwise (RFC 9568 §5.2.8)", () => {
  // 3104 + ff01 + 0032 + 0a09 + 0005 = 13a45, folded 3a46, inverted c5b9
  const hex = "3104ff010032c5b90a090005";
  expect(toHex(encodeVrrp(v3, multicast))).toBe(hex);
  expect(decodeVrrp(fromHex(hex), multicast)).toEqual({ ok: true, advert: v3, checksumForm: "rfc" });
  // The same bytes are good for any addresses in the IP header.
  expect(reasonOf(fromHex(hex), unicast)).toBe("ok");
});

test("the legacy form: pseudo-header with the group although sent to a peer", () => {
  const legacy = encodeVrrp(v3, { ...unicast, checksum: "legacy" });
  expect(toHex(legacy)).toBe(toHex(encodeVrrp(v3, { ...multicast, checksum: "pseudo" })));
  expect(decodeVrrp(legacy, unicast)).toEqual({ ok: true, advert: v3, checksumForm: "legacy" });
  // Sent to the group it is the pseudo form, and a wrong source is wrong in every form.
  expect(decodeVrrp(legacy, multicast)).toEqual({ ok: true, advert: v3, checksumForm: "pseudo" });
  expect(reasonOf(legacy, { ...unicast, source: ip("10.1.1.9") })).toBe("checksum");
});

test("version 2 and IPv6 have one form each", () => {
  for (const checksum of ["rfc", "pseudo", "legacy"] as const) {
    expect(encodeVrrp(v2, { ...multicast, checksum })).toEqual(encodeVrrp(v2, multicast));
    const six = { ...v3, addresses: [ip("fe80::99")] };
    expect(encodeVrrp(six, { ...ipv6, checksum })).toEqual(encodeVrrp(six, ipv6));
  }
  const summedAsV3 = encodeVrrp(v2, multicast);
  const sum = foldSum(pseudoHeaderSum(multicast.source, multicast.destination, 112, summedAsV3.length));
  const checksum = foldSum(((summedAsV3[6] as number) << 8 | (summedAsV3[7] as number)) + 0xffff - sum);
  summedAsV3.set([checksum >> 8, checksum & 0xff], 6);
  expect(reasonOf(summedAsV3)).toBe("checksum");
  const six = encodeVrrp({ ...v3, addresses: [ip("fe80::99")] }, ipv6);
  expect(reasonOf(resum(six), ipv6)).toBe("checksum");
});

test("each refusal names its reason and keeps vrid and version", () => {
  const good = encodeVrrp(v2, multicast);
  const changed = (at: number, value: number) => {
    const payload = good.slice();
    payload[at] = value;
    return payload;
  };
  expect(reasonOf(new Uint8Array(0))).toBe("truncated");
  expect(reasonOf(good.slice(0, 7))).toBe("truncated");
  expect(reasonOf(changed(0, 0x11))).toBe("version");
  expect(reasonOf(changed(0, 0x41))).toBe("version");
  expect(reasonOf(changed(0, 0x22))).toBe("type");
  expect(reasonOf(changed(3, 3))).toBe("count");
  expect(reasonOf(changed(3, 1))).toBe("count");
  expect(reasonOf(changed(2, 254))).toBe("checksum");
  expect(reasonOf(resum(changed(1, 0)))).toBe("vrid");
  expect(reasonOf(resum(changed(5, 0)))).toBe("interval");
  expect(decodeVrrp(new Uint8Array(0), multicast)).toEqual({
    ok: false,
    reason: "truncated",
    vrid: null,
    version: null,
  });
  expect(decodeVrrp(fromHex("21"), multicast)).toEqual({
    ok: false,
    reason: "truncated",
    vrid: null,
    version: 2,
  });
  expect(decodeVrrp(fromHex("2133"), multicast)).toEqual({
    ok: false,
    reason: "truncated",
    vrid: 51,
    version: 2,
  });
  expect(decodeVrrp(changed(2, 1), multicast)).toEqual({
    ok: false,
    reason: "checksum",
    vrid: 1,
    version: 2,
  });
});

test("the length must fit the count exactly, padding included", () => {
  const good2 = encodeVrrp(v2, multicast);
  const good3 = encodeVrrp(v3, multicast);
  const zeroTail = (payload: Uint8Array, extra: number) => {
    const longer = new Uint8Array(payload.length + extra);
    longer.set(payload);
    return longer;
  };
  // Zeros do not change the sum: only the length tells.
  for (const extra of [1, 2, 4, 8, 10]) {
    expect(reasonOf(zeroTail(good2, extra))).toBe("count");
    expect(reasonOf(zeroTail(good3, extra))).toBe("count");
  }
  expect(reasonOf(good2.slice(0, -1))).toBe("count");
  expect(reasonOf(good2.slice(0, -8))).toBe("count");
  expect(reasonOf(good3.slice(0, -4))).toBe("count");
});

test("an advert without address: version 2 only (RFC 9568 §5.2.5)", () => {
  const empty = encodeVrrp({ ...v2, addresses: [] }, multicast);
  expect(empty.length).toBe(16);
  expect(reasonOf(empty)).toBe("ok");
  expect(reasonOf(resum(fromHex("3104ff0000320000")))).toBe("count");
  expect(() => encodeVrrp({ ...v3, addresses: [] }, multicast)).toThrow(RangeError);
});

test("version 2 is for IPv4 only", () => {
  expect(() => encodeVrrp({ ...v2, addresses: [ip("fe80::1")] }, ipv6)).toThrow(
    "Cannot encode version over ipv6 2",
  );
  expect(reasonOf(encodeVrrp(v2, multicast), ipv6)).toBe("version");
});

test("reserved bits of version 3 are ignored, an interval of zero is not", () => {
  const payload = encodeVrrp(v3, multicast);
  payload[4] = 0xf0;
  const decoded = decodeVrrp(resum(payload), multicast);
  expect(decoded.ok && decoded.advert.intervalCs).toBe(50);
  payload[5] = 0;
  expect(reasonOf(resum(payload))).toBe("interval");
});

test("authentication data: unknown types are told, data of type none is not", () => {
  const payload = encodeVrrp({ ...v2, authType: 7, authData: vrrpAuthData("12345678") }, multicast);
  const decoded = decodeVrrp(payload, multicast);
  expect(decoded.ok && [decoded.advert.authType, toHex(decoded.advert.authData ?? new Uint8Array(0))])
    .toEqual([7, "3132333435363738"]);
  const none = encodeVrrp({ ...v2, authData: vrrpAuthData("12345678") }, multicast);
  expect(toHex(none.slice(-8))).toBe("0000000000000000");
});

test("passwords are cut or padded to 8 bytes", () => {
  expect(toHex(vrrpAuthData("1111"))).toBe("3131313100000000");
  expect(toHex(vrrpAuthData("123456789"))).toBe("3132333435363738");
  expect(toHex(vrrpAuthData(""))).toBe("0000000000000000");
  expect(toHex(vrrpAuthData("äöüß!"))).toBe("c3a4c3b6c3bcc39f");
});

test("the encoder refuses what no field can hold", () => {
  const bad: readonly [VrrpAdvert, VrrpContext][] = [
    [{ ...v3, vrid: 0 }, multicast],
    [{ ...v3, vrid: 256 }, multicast],
    [{ ...v3, priority: -1 }, multicast],
    [{ ...v3, priority: 256 }, multicast],
    [{ ...v3, intervalCs: 0 }, multicast],
    [{ ...v3, intervalCs: 4096 }, multicast],
    [{ ...v3, intervalCs: 1.5 }, multicast],
    [{ ...v3, authType: 1 }, multicast],
    [{ ...v2, intervalCs: 150 }, multicast],
    [{ ...v2, intervalCs: 25600 }, multicast],
    [{ ...v2, authType: 256 }, multicast],
    [{ ...v2, authType: 1, authData: new Uint8Array(7) }, multicast],
    [{ ...v3, addresses: [ip("fe80::1")] }, multicast],
    [{ ...v3, addresses: Array.from({ length: 256 }, () => ip("10.0.0.1")) }, multicast],
    [v3, ipv6],
    [v3, { ...multicast, source: ip("fe80::1") }],
    [{ ...v3, version: 4 as 3 }, multicast],
  ];
  for (const [advert, context] of bad) expect(() => encodeVrrp(advert, context)).toThrow(RangeError);
});

test("a buffer used again carries nothing over, and nothing is written outside", () => {
  const buffer = new Uint8Array(64).fill(0xa5);
  const end = encodeVrrpInto(buffer, 5, v2, multicast);
  expect(end).toBe(5 + vrrpLength(2, "ipv4", 2));
  expect(toHex(buffer.subarray(5, end))).toBe(toHex(recorded.v2None.slice(34)));
  expect(toHex(buffer.subarray(0, 5)) + toHex(buffer.subarray(end, end + 3))).toBe("a5".repeat(8));
  expect(() => encodeVrrpInto(buffer, 50, v2, multicast)).toThrow(RangeError);
});

test("what was decoded survives the receive buffer", () => {
  const payload = encodeVrrp({ ...v2, authType: 1, authData: vrrpAuthData("1111") }, multicast);
  const decoded = decodeVrrp(payload, multicast);
  payload.fill(0);
  if (!decoded.ok) throw new Error(decoded.reason);
  expect(decoded.advert.addresses).toEqual(v2.addresses as Uint8Array[]);
  expect(decoded.advert.authData).toEqual(vrrpAuthData("1111"));
});
