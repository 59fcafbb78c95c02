import { expect, test } from "bun:test";
import fc from "fast-check";
import { isIP } from "node:net";
import {
  addressLength,
  compareAddresses,
  familyOf,
  formatAddress,
  formatPrefix,
  ipv4MulticastMac,
  ipv6MulticastMac,
  isLinkLocal,
  isMulticast,
  macToText,
  parseAddress,
  parseMac,
  parsePrefix,
  virtualMac,
  zonedAddress,
} from "../../../../lib/packet/address.ts";
import { toHex } from "./hex.ts";

function parsed(text: string): Uint8Array {
  const address = parseAddress(text);
  if (address === null) throw new Error(`${text} does not parse`);
  return address;
}

test("addresses parse to bytes", () => {
  const cases: readonly [string, string][] = [
    ["10.9.0.100", "0a090064"],
    ["0.0.0.0", "00000000"],
    ["255.255.255.255", "ffffffff"],
    ["::", "00".repeat(16)],
    ["::1", "00".repeat(15) + "01"],
    ["fe80::1", "fe80" + "00".repeat(13) + "01"],
    ["FE80::ABCD", "fe80" + "00".repeat(12) + "abcd"],
    ["1:2:3:4:5:6:7:8", "00010002000300040005000600070008"],
    ["1:2:3:4:5:6:7::", "00010002000300040005000600070000"],
    ["::ffff:192.0.2.1", "00".repeat(10) + "ffffc0000201"],
    ["::192.0.2.1", "00".repeat(12) + "c0000201"],
    ["64:ff9b::192.0.2.33", "0064ff9b" + "00".repeat(8) + "c0000221"],
    ["1:2:3:4:5:6:1.2.3.4", "00010002000300040005000601020304"],
  ];
  for (const [text, hex] of cases) expect([text, toHex(parsed(text))]).toEqual([text, hex]);
});

test("what is no address is null", () => {
  const bad = [
    "",
    " ",
    "1",
    "1.2.3",
    "1.2.3.4.5",
    "256.0.0.1",
    "01.2.3.4",
    "0x1.2.3.4",
    "1.2.3.4 ",
    " 1.2.3.4",
  ];
  bad.push(
    "1.2.3.4/24",
    "1:2:3:4:5:6:7",
    "1:2:3:4:5:6:7:8:9",
    "1::2::3",
    ":::",
    ":1::2",
    "1:",
    "12345::",
    "g::",
  );
  bad.push(
    "fe80::1%eth0",
    "::1/64",
    "::ffff:010.2.3.4",
    "::ffff:1.2.3",
    "::1.2.3.4%lo",
    "1.2.3.4:80",
    "[::1]",
  );
  bad.push("1:2:3:4:5:6:7:1.2.3.4", "::1.2.3.4:5", "1:2:3:4:5:6:7:8::");
  for (const text of bad) expect([text, parseAddress(text)]).toEqual([text, null]);
});

test("IPv6 is written as RFC 5952 has it", () => {
  const cases: readonly [string, string][] = [
    ["2001:db8:0:0:0:0:2:1", "2001:db8::2:1"], // §4.2.1 as short as possible
    ["2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"], // §4.2.2 not for one group
    ["2001:0:0:1:0:0:0:1", "2001:0:0:1::1"], // §4.2.3 the longest run
    ["2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"], // §4.2.3 the first of equals
    ["2001:0DB8::000A", "2001:db8::a"], // §4.1, §4.3
    ["1:2:3:4:5:6:0:0", "1:2:3:4:5:6::"],
    ["0:0:3:4:5:6:7:8", "::3:4:5:6:7:8"],
    ["::", "::"],
    ["::1", "::1"],
    ["1::", "1::"],
    ["::ffff:c000:0201", "::ffff:192.0.2.1"], // §5
    ["::c000:0201", "::c000:201"],
  ];
  for (const [text, canonical] of cases) expect(formatAddress(parsed(text))).toBe(canonical);
});

const anyAddress = fc.oneof(
  fc.uint8Array({ minLength: 4, maxLength: 4 }),
  fc.uint8Array({ minLength: 16, maxLength: 16 }),
  // Many zeros, where the short forms are.
  fc.array(fc.constantFrom(0, 0, 0, 1, 255), { minLength: 16, maxLength: 16 }).map((a) => Uint8Array.from(a)),
);

test("text and bytes round-trip, and node agrees on the text", () => {
  fc.assert(fc.property(anyAddress, (address) => {
    const text = formatAddress(address);
    expect(parseAddress(text)).toEqual(address);
    expect(isIP(text)).toBe(address.length === 4 ? 4 : 6);
    if (address.length === 16 && !text.startsWith("::ffff:")) {
      expect(new URL(`http://[${text}]/`).hostname).toBe(`[${text}]`);
    }
  }));
});

test("whatever parses, node takes for an address too, and the other way round", () => {
  const soup = fc.array(fc.constantFrom(..."0123456789abcf:.:.%"), { maxLength: 20 }).map((a) => a.join(""));
  fc.assert(fc.property(fc.oneof(soup, fc.ipV4(), fc.ipV6(), fc.string()), (text) => {
    expect(parseAddress(text) !== null).toBe(isIP(text) !== 0 && !text.includes("%"));
  }));
});

test("prefixes", () => {
  expect(parsePrefix("10.0.0.1/24")).toEqual({ address: Uint8Array.of(10, 0, 0, 1), prefix: 24 });
  expect(parsePrefix("10.0.0.1/0")?.prefix).toBe(0);
  expect(parsePrefix("10.0.0.1")?.prefix).toBe(32);
  expect(parsePrefix("2001:db8::1/128")?.prefix).toBe(128);
  expect(parsePrefix("2001:db8::1")?.prefix).toBe(128);
  for (
    const text of ["10.0.0.1/33", "::1/129", "10.0.0.1/", "10.0.0.1/-1", "10.0.0.1/024", "10.0.0.1/2 ", "/24"]
  ) {
    expect([text, parsePrefix(text)]).toEqual([text, null]);
  }
  for (const text of ["10.0.0.1/24/3", "10.0.0.1/1e1", "10.0.0.1/255.255.255.0", "x/24"]) {
    expect([text, parsePrefix(text)]).toEqual([text, null]);
  }
  expect(formatPrefix({ address: Uint8Array.of(10, 9, 0, 100), prefix: 24 })).toBe("10.9.0.100/24");
});

test("comparison is unsigned and in network order", () => {
  expect(compareAddresses(parsed("10.0.0.2"), parsed("10.0.0.1"))).toBeGreaterThan(0);
  expect(compareAddresses(parsed("9.255.255.255"), parsed("10.0.0.0"))).toBeLessThan(0);
  expect(compareAddresses(parsed("200.0.0.1"), parsed("100.0.0.1"))).toBeGreaterThan(0);
  expect(compareAddresses(parsed("10.0.0.1"), parsed("10.0.0.1"))).toBe(0);
  expect(compareAddresses(parsed("fe80::2"), parsed("fe80::1"))).toBeGreaterThan(0);
  expect(compareAddresses(parsed("255.0.0.1"), parsed("::1"))).toBeLessThan(0);
});

test("families and ranges", () => {
  expect(familyOf(parsed("10.0.0.1"))).toBe("ipv4");
  expect(familyOf(parsed("::1"))).toBe("ipv6");
  expect(() => familyOf(new Uint8Array(6))).toThrow(RangeError);
  expect(() => formatAddress(new Uint8Array(5))).toThrow(RangeError);
  expect([addressLength("ipv4"), addressLength("ipv6")]).toEqual([4, 16]);
  const linkLocal = ["169.254.0.1", "fe80::1", "febf::1"];
  for (const text of linkLocal) expect([text, isLinkLocal(parsed(text))]).toEqual([text, true]);
  for (const text of ["169.253.0.1", "10.0.0.1", "fec0::1", "fe7f::1", "::1"]) {
    expect([text, isLinkLocal(parsed(text))]).toEqual([text, false]);
  }
  for (const text of ["224.0.0.18", "239.255.255.255", "ff02::12"]) {
    expect([text, isMulticast(parsed(text))]).toEqual([text, true]);
  }
  for (const text of ["223.255.255.255", "240.0.0.1", "fe80::1"]) {
    expect([text, isMulticast(parsed(text))]).toEqual([text, false]);
  }
});

test("MAC addresses", () => {
  expect(macToText(virtualMac(51, "ipv4"))).toBe("00:00:5e:00:01:33");
  expect(macToText(virtualMac(255, "ipv6"))).toBe("00:00:5e:00:02:ff");
  expect(() => virtualMac(0, "ipv4")).toThrow(RangeError);
  expect(() => virtualMac(256, "ipv4")).toThrow(RangeError);
  expect(macToText(ipv4MulticastMac(parsed("224.0.0.18")))).toBe("01:00:5e:00:00:12");
  expect(macToText(ipv4MulticastMac(parsed("239.129.2.3")))).toBe("01:00:5e:01:02:03");
  expect(macToText(ipv6MulticastMac(parsed("ff02::1:ff00:12")))).toBe("33:33:ff:00:00:12");
  expect(() => ipv4MulticastMac(parsed("ff02::1"))).toThrow(RangeError);
  expect(() => ipv6MulticastMac(parsed("224.0.0.1"))).toThrow(RangeError);
  expect(() => macToText(new Uint8Array(4))).toThrow(RangeError);
  expect(parseMac("00:00:5E:00:01:33")).toEqual(virtualMac(51, "ipv4"));
  expect(parseMac("00-00-5e-00-01-33")).toEqual(virtualMac(51, "ipv4"));
  for (
    const text of [
      "",
      "00:00:5e:00:01",
      "00:00:5e:00:01:33:44",
      "00:00-5e:00:01:33",
      "0:0:5e:0:1:33",
      "g0:00:5e:00:01:33",
    ]
  ) {
    expect([text, parseMac(text)]).toEqual([text, null]);
  }
});

test("a link-local address is told apart by its link, others are not", () => {
  expect(zonedAddress(parsed("fe80:0::1"), "eth0")).toBe("fe80::1%eth0");
  expect(zonedAddress(parsed("169.254.0.1"), "eth1")).toBe("169.254.0.1%eth1");
  expect(zonedAddress(parsed("10.0.0.1"), "eth0")).toBe("10.0.0.1");
  expect(zonedAddress(parsed("2001:db8::1"), "eth0")).toBe("2001:db8::1");
});
