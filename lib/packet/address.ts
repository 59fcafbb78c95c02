/**
 * IPv4, IPv6 and MAC addresses. An IP address is a Uint8Array of 4 or 16 bytes in network order; a MAC has 6.
 */
import ipaddr from "ipaddr.js";
import { requireRange } from "./bytes.ts";

/** Which IP version an address, packet or instance belongs to. */
export type AddressFamily = "ipv4" | "ipv6";

/** An address with its prefix length in bits. */
export interface Prefix {
  readonly address: Uint8Array;
  readonly prefix: number;
}

/** ff:ff:ff:ff:ff:ff */
export const BROADCAST_MAC: Uint8Array = Uint8Array.of(255, 255, 255, 255, 255, 255);

/**
 * Reads an address in text: dotted quad, or IPv6 with an optional dotted tail (RFC 4291 §2.2). Strict: no octal or
 * short forms, no zone (`%eth0`), no prefix, no blanks. Null when it is none.
 */
export function parseAddress(text: string): Uint8Array | null {
  if (!text.includes(":")) {
    return ipaddr.IPv4.isValidFourPartDecimal(text) ? Uint8Array.from(ipaddr.IPv4.parse(text).octets) : null;
  }
  // ipaddr.js reads octal in a dotted tail and makes ::1.2.3.4 the other ::ffff:1.2.3.4: rewrite the tail as hex.
  const native = text.includes(".") ? hexTail(text) : text;
  if (native === null || native.includes("%") || !ipaddr.IPv6.isValid(native)) return null;
  return Uint8Array.from(ipaddr.IPv6.parse(native).toByteArray());
}

function hexTail(text: string): string | null {
  const at = text.lastIndexOf(":") + 1;
  const octets = parseAddress(text.slice(at));
  if (octets === null || octets.length !== 4) return null;
  const [a, b, c, d] = octets as unknown as [number, number, number, number];
  return `${text.slice(0, at)}${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`;
}

/** Text of an address: dotted quad, or RFC 5952 form (`::ffff:192.0.2.1` for mapped ones). Throws RangeError. */
export function formatAddress(address: Uint8Array): string {
  if (familyOf(address) === "ipv4") return address.join(".");
  const groups: number[] = [];
  for (let i = 0; i < 16; i += 2) groups.push(((address[i] as number) << 8) | (address[i + 1] as number));
  if (groups[5] === 0xffff && groups.slice(0, 5).every((group) => group === 0)) {
    return `::ffff:${address.slice(12).join(".")}`;
  }
  const [start, length] = longestZeroRun(groups);
  const hex = groups.map((group) => group.toString(16));
  // RFC 5952 §4.2.2: a single zero group is not shortened.
  if (length < 2) return hex.join(":");
  return `${hex.slice(0, start).join(":")}::${hex.slice(start + length).join(":")}`;
}

function longestZeroRun(groups: readonly number[]): [start: number, length: number] {
  let bestStart = 0;
  let bestLength = 0;
  let start = 0;
  for (let i = 0; i <= groups.length; i++) {
    if (groups[i] === 0) continue;
    if (i - start > bestLength) [bestStart, bestLength] = [start, i - start];
    start = i + 1;
  }
  return [bestStart, bestLength];
}

/** Reads `10.0.0.1/24`; without a slash the whole address (32 or 128 bits), as iproute2 has it. Null when neither. */
export function parsePrefix(text: string): Prefix | null {
  const slash = text.indexOf("/");
  const address = parseAddress(slash < 0 ? text : text.slice(0, slash));
  if (address === null) return null;
  const bits = address.length * 8;
  if (slash < 0) return { address, prefix: bits };
  const digits = text.slice(slash + 1);
  if (!/^(0|[1-9][0-9]{0,2})$/.test(digits) || Number(digits) > bits) return null;
  return { address, prefix: Number(digits) };
}

/** Text of an address with its prefix: `10.0.0.1/24`. Throws RangeError. */
export function formatPrefix(value: Prefix): string {
  return `${formatAddress(value.address)}/${value.prefix}`;
}

/** The family, told by the length. Throws RangeError for anything but 4 or 16 bytes. */
export function familyOf(address: Uint8Array): AddressFamily {
  if (address.length === 4) return "ipv4";
  if (address.length === 16) return "ipv6";
  throw new RangeError(`Cannot tell the family of an address of ${address.length} bytes`);
}

/** Bytes of an address: 4 or 16. */
export function addressLength(family: AddressFamily): 4 | 16 {
  return family === "ipv4" ? 4 : 16;
}

/**
 * Unsigned comparison in network order: negative when `a` is lower, 0 when equal. IPv4 sorts before IPv6. This is
 * the order that settles a tie of priorities (RFC 9568 §6.4.3).
 */
export function compareAddresses(a: Uint8Array, b: Uint8Array): number {
  if (a.length !== b.length) return a.length - b.length;
  for (let i = 0; i < a.length; i++) {
    const difference = (a[i] as number) - (b[i] as number);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** 169.254.0.0/16 (RFC 3927) or fe80::/10 (RFC 4291 §2.5.6). */
export function isLinkLocal(address: Uint8Array): boolean {
  if (address.length === 4) return address[0] === 169 && address[1] === 254;
  return address.length === 16 && address[0] === 0xfe && ((address[1] as number) & 0xc0) === 0x80;
}

/**
 * Text that tells one host's address from another's: a link-local one means another host on another link, so its link
 * belongs to it, `fe80::1%eth0` (RFC 4007 §11). Throws RangeError as {@link formatAddress} does.
 */
export function zonedAddress(address: Uint8Array, link: string): string {
  return isLinkLocal(address) ? `${formatAddress(address)}%${link}` : formatAddress(address);
}

/** 224.0.0.0/4 or ff00::/8. */
export function isMulticast(address: Uint8Array): boolean {
  if (address.length === 4) return ((address[0] as number) & 0xf0) === 0xe0;
  return address.length === 16 && address[0] === 0xff;
}

/** `00:00:5e:00:01:33`. Throws RangeError unless it has 6 bytes. */
export function macToText(mac: Uint8Array): string {
  if (mac.length !== 6) throw new RangeError(`Cannot write a MAC address of ${mac.length} bytes`);
  return Array.from(mac, (byte) => byte.toString(16).padStart(2, "0")).join(":");
}

/** Reads six pairs of hex digits joined by `:` or by `-`. Null when it is none. */
export function parseMac(text: string): Uint8Array | null {
  if (!/^[0-9a-f]{2}(?:(:[0-9a-f]{2}){5}|(-[0-9a-f]{2}){5})$/i.test(text)) return null;
  return Uint8Array.from(text.split(/[:-]/), (pair) => parseInt(pair, 16));
}

/** 01:00:5e and the low 23 bits of the group (RFC 1112 §6.4). Throws RangeError unless it has 4 bytes. */
export function ipv4MulticastMac(group: Uint8Array): Uint8Array {
  if (group.length !== 4) throw new RangeError(`Cannot map a group of ${group.length} bytes to a MAC`);
  return Uint8Array.of(0x01, 0x00, 0x5e, (group[1] as number) & 0x7f, group[2] as number, group[3] as number);
}

/** 33:33 and the low 32 bits of the group (RFC 2464 §7). Throws RangeError unless it has 16 bytes. */
export function ipv6MulticastMac(group: Uint8Array): Uint8Array {
  if (group.length !== 16) throw new RangeError(`Cannot map a group of ${group.length} bytes to a MAC`);
  const mac = Uint8Array.of(0x33, 0x33, 0, 0, 0, 0);
  mac.set(group.slice(12), 2);
  return mac;
}

/** 00:00:5e:00:01:VRID for IPv4, 00:00:5e:00:02:VRID for IPv6 (RFC 9568 §7.3). Throws RangeError. */
export function virtualMac(vrid: number, family: AddressFamily): Uint8Array {
  requireRange("vrid", vrid, 1, 255);
  return Uint8Array.of(0x00, 0x00, 0x5e, 0x00, family === "ipv4" ? 1 : 2, vrid);
}
