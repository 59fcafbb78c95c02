/**
 * VRRP advertisements: version 2 (RFC 3768) over IPv4, version 3 (RFC 5798, RFC 9568) over IPv4 and IPv6.
 *
 *      0                   1                   2                   3
 *      0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *     +-------+-------+---------------+---------------+---------------+
 *     |version| type=1|     vrid      |   priority    | address count |
 *     +-------+-------+---------------+---------------+---------------+
 * v2  |   auth type   | interval in s |           checksum            |
 * v3  |0 0 0 0|   interval in cs      |           checksum            |
 *     +---------------+---------------+-------------------------------+
 *     |  addresses, 4 or 16 bytes each; v2: then 8 bytes of auth data |
 *     +---------------------------------------------------------------+
 */
import { type AddressFamily, addressLength } from "./address.ts";
import {
  copyBytes,
  equalBytes,
  readU16,
  readU8,
  requireLength,
  requireRange,
  requireRoom,
  writeBytes,
  writeU16,
  writeU8,
  writeZeros,
} from "./bytes.ts";
import { foldSum, internetChecksum, pseudoHeaderSum, sumWords } from "./checksum.ts";
import { IP_PROTOCOL } from "./ipv4.ts";

/** 224.0.0.18, where adverts over IPv4 go. */
export const VRRP_IPV4_GROUP: Uint8Array = Uint8Array.of(224, 0, 0, 18);
/** ff02::12, where adverts over IPv6 go. */
export const VRRP_IPV6_GROUP: Uint8Array = Uint8Array.of(
  0xff,
  2,
  0,
  0,
  0,
  0,
  0,
  0,
  0,
  0,
  0,
  0,
  0,
  0,
  0,
  0x12,
);

/** Authentication types of version 2 (RFC 2338 §5.3.6; RFC 3768 keeps only `none`). */
export const VRRP_AUTH = { none: 0, pass: 1, ah: 2 } as const;
/** Bytes of authentication data at the end of a version 2 advert. */
export const VRRP_AUTH_LENGTH = 8;

const HEADER_LENGTH = 8;
const CHECKSUM_OFFSET = 6;
const TYPE_ADVERTISEMENT = 1;

/**
 * What an advert says. `intervalCs` in centiseconds: v3 1..4095, v2 whole seconds 100..25500. `authType` is 0 in
 * version 3; `authData` (8 bytes) goes with a type other than 0 and is zeros when left out. There are 0..255
 * addresses of 4 or 16 bytes, in version 3 at least one.
 */
export interface VrrpAdvert {
  readonly version: 2 | 3;
  readonly vrid: number;
  readonly priority: number;
  readonly addresses: readonly Uint8Array[];
  readonly intervalCs: number;
  readonly authType: number;
  readonly authData?: Uint8Array;
}

/** The IP header's part in an advert. */
export interface VrrpContext {
  readonly family: AddressFamily;
  readonly source: Uint8Array;
  readonly destination: Uint8Array;
}

/**
 * How version 3 over IPv4 sums, where implementations disagree:
 * - `rfc`: the message alone (RFC 9568 §5.2.8). The one form of version 2, too; and over IPv6 `rfc` stands for the
 *   one form there is, with the IPv6 pseudo-header.
 * - `pseudo`: with an IPv4 pseudo-header (keepalived's and FRR's reading of RFC 5798).
 * - `legacy`: `pseudo` with destination 224.0.0.18 although sent to a unicast address (old
 *   keepalived releases).
 */
export const VRRP_CHECKSUM_FORMS = ["rfc", "pseudo", "legacy"] as const;
/** One of `VRRP_CHECKSUM_FORMS`. */
export type VrrpChecksumForm = (typeof VRRP_CHECKSUM_FORMS)[number];

/** `checksum` matters for version 3 over IPv4 only; default `rfc`. */
export interface VrrpEncodeContext extends VrrpContext {
  readonly checksum?: VrrpChecksumForm;
}

/**
 * Why an advert was not read, in the order of the checks:
 * - `truncated`: shorter than the 8-byte header
 * - `version`: neither 2 nor 3, or 2 over IPv6
 * - `type`: not an advertisement
 * - `count`: the length does not fit the address count, or version 3 without an address (RFC 9568 §5.2.5)
 * - `checksum`: good in no form
 * - `vrid`: 0
 * - `interval`: 0, which would make every backup master at once
 */
export const VRRP_DROP_REASONS = [
  "truncated",
  "version",
  "type",
  "count",
  "checksum",
  "vrid",
  "interval",
] as const;
/** One of `VRRP_DROP_REASONS`. */
export type VrrpDropReason = (typeof VRRP_DROP_REASONS)[number];

/** All fields are copies. A refused packet still tells version (from 1 byte) and vrid (from 2 bytes), unchecked. */
export type VrrpDecode =
  | { readonly ok: true; readonly advert: VrrpAdvert; readonly checksumForm: VrrpChecksumForm }
  | {
    readonly ok: false;
    readonly reason: VrrpDropReason;
    readonly vrid: number | null;
    readonly version: number | null;
  };

/** Bytes of an advert of that version with `count` addresses. */
export function vrrpLength(version: 2 | 3, family: AddressFamily, count: number): number {
  return HEADER_LENGTH + count * addressLength(family) + (version === 2 ? VRRP_AUTH_LENGTH : 0);
}

/** A password as authentication data: its first 8 bytes in UTF-8, padded with zeros. */
export function vrrpAuthData(password: string): Uint8Array {
  const data = new Uint8Array(VRRP_AUTH_LENGTH);
  data.set(new TextEncoder().encode(password).subarray(0, VRRP_AUTH_LENGTH));
  return data;
}

/**
 * Writes an advert at `offset`, checksum included, and returns where it ends. Allocates nothing. Throws RangeError
 * for a field out of range, an address of the other family, version 2 over IPv6, or no room.
 */
export function encodeVrrpInto(
  buffer: Uint8Array,
  offset: number,
  advert: VrrpAdvert,
  context: VrrpEncodeContext,
): number {
  checkAdvert(advert, context);
  const { version, addresses } = advert;
  const width = addressLength(context.family);
  const end = offset + vrrpLength(version, context.family, addresses.length);
  requireRoom(buffer, offset, end - offset);
  writeU8(buffer, offset, (version << 4) | TYPE_ADVERTISEMENT);
  writeU8(buffer, offset + 1, advert.vrid);
  writeU8(buffer, offset + 2, advert.priority);
  writeU8(buffer, offset + 3, addresses.length);
  writeU16(
    buffer,
    offset + 4,
    version === 3 ? advert.intervalCs : (advert.authType << 8) | (advert.intervalCs / 100),
  );
  writeU16(buffer, offset + CHECKSUM_OFFSET, 0);
  let at = offset + HEADER_LENGTH;
  for (let i = 0; i < addresses.length; i++, at += width) writeBytes(buffer, at, addresses[i] as Uint8Array);
  if (version === 2) {
    if (advert.authType !== VRRP_AUTH.none && advert.authData !== undefined) {
      writeBytes(buffer, at, advert.authData);
    } else writeZeros(buffer, at, VRRP_AUTH_LENGTH);
  }
  const initial = pseudoSum(version, context.checksum ?? "rfc", context, end - offset);
  writeU16(buffer, offset + CHECKSUM_OFFSET, internetChecksum(buffer, initial, offset, end));
  return end;
}

/** An advert as an array of its own. Throws RangeError as `encodeVrrpInto` does. */
export function encodeVrrp(advert: VrrpAdvert, context: VrrpEncodeContext): Uint8Array {
  const payload = new Uint8Array(vrrpLength(advert.version, context.family, advert.addresses.length));
  encodeVrrpInto(payload, 0, advert, context);
  return payload;
}

/**
 * Reads an advert. `payload` must be exactly the IP payload, as the IP header's length has it: Ethernet padding
 * counted in it is refused with `count`. What depends on configuration (time to live, authentication, interval,
 * addresses) is the receiver's to check (RFC 9568 §7.1, RFC 3768 §7.1).
 */
export function decodeVrrp(payload: Uint8Array, context: VrrpContext): VrrpDecode {
  const first = payload[0];
  const version = first === undefined ? null : first >> 4;
  const vrid = payload[1] ?? null;
  if (payload.length < HEADER_LENGTH) return { ok: false, reason: "truncated", vrid, version };
  if (version !== 3 && !(version === 2 && context.family === "ipv4")) {
    return { ok: false, reason: "version", vrid, version };
  }
  if ((readU8(payload, 0) & 0x0f) !== TYPE_ADVERTISEMENT) return { ok: false, reason: "type", vrid, version };
  const count = readU8(payload, 3);
  if ((version === 3 && count === 0) || payload.length !== vrrpLength(version, context.family, count)) {
    return { ok: false, reason: "count", vrid, version };
  }
  const checksumForm = findChecksumForm(payload, version, context);
  if (checksumForm === null) return { ok: false, reason: "checksum", vrid, version };
  if (vrid === 0) return { ok: false, reason: "vrid", vrid, version };
  // The upper four bits are reserved in version 3 and ignored on reception (RFC 9568 §5.2.6).
  const intervalCs = version === 3 ? readU16(payload, 4) & 0x0fff : readU8(payload, 5) * 100;
  if (intervalCs === 0) return { ok: false, reason: "interval", vrid, version };
  return { ok: true, advert: readAdvert(payload, version, count, intervalCs, context.family), checksumForm };
}

function readAdvert(
  payload: Uint8Array,
  version: 2 | 3,
  count: number,
  intervalCs: number,
  family: AddressFamily,
): VrrpAdvert {
  const width = addressLength(family);
  const addresses: Uint8Array[] = [];
  let at = HEADER_LENGTH;
  for (let i = 0; i < count; i++, at += width) addresses.push(copyBytes(payload, at, width));
  const vrid = readU8(payload, 1);
  const priority = readU8(payload, 2);
  const authType = version === 2 ? readU8(payload, 4) : VRRP_AUTH.none;
  if (authType === VRRP_AUTH.none) return { version, vrid, priority, addresses, intervalCs, authType };
  const authData = copyBytes(payload, at, VRRP_AUTH_LENGTH);
  return { version, vrid, priority, addresses, intervalCs, authType, authData };
}

function findChecksumForm(
  payload: Uint8Array,
  version: 2 | 3,
  context: VrrpContext,
): VrrpChecksumForm | null {
  const sum = sumWords(payload);
  for (let i = 0; i < VRRP_CHECKSUM_FORMS.length; i++) {
    const form = VRRP_CHECKSUM_FORMS[i] as VrrpChecksumForm;
    if (foldSum(sum + pseudoSum(version, form, context, payload.length)) === 0xffff) return form;
    if (version === 2 || context.family === "ipv6") return null;
    if (form === "pseudo" && equalBytes(context.destination, VRRP_IPV4_GROUP)) return null;
  }
  return null;
}

function pseudoSum(version: 2 | 3, form: VrrpChecksumForm, context: VrrpContext, length: number): number {
  if (version === 2 || (context.family === "ipv4" && form === "rfc")) return 0;
  const legacy = context.family === "ipv4" && form === "legacy";
  const destination = legacy ? VRRP_IPV4_GROUP : context.destination;
  return pseudoHeaderSum(context.source, destination, IP_PROTOCOL.vrrp, length);
}

function checkAdvert(advert: VrrpAdvert, context: VrrpContext): void {
  const { version, addresses, intervalCs, authType, authData } = advert;
  const width = addressLength(context.family);
  requireRange(`version over ${context.family}`, version, context.family === "ipv4" ? 2 : 3, 3);
  requireRange("vrid", advert.vrid, 1, 255);
  requireRange("priority", advert.priority, 0, 255);
  requireRange("address count", addresses.length, version === 3 ? 1 : 0, 255);
  for (let i = 0; i < addresses.length; i++) requireLength("address", addresses[i] as Uint8Array, width);
  if (version === 3) {
    requireRange("interval in centiseconds", intervalCs, 1, 0x0fff);
    requireRange("authentication type in version 3", authType, 0, 0);
  } else {
    requireRange("interval in seconds", intervalCs / 100, 1, 255);
    requireRange("authentication type", authType, 0, 255);
    if (authData !== undefined) requireLength("authentication data", authData, VRRP_AUTH_LENGTH);
  }
  requireLength("source", context.source, width);
  requireLength("destination", context.destination, width);
}
