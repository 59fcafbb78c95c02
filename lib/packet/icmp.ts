/** Echo request and reply: ICMP (RFC 792) and ICMPv6 (RFC 4443 §4). */
import { readU16, readU8, requireRange, writeBytes, writeU16, writeU8 } from "./bytes.ts";
import { internetChecksum, isChecksumGood, pseudoHeaderSum } from "./checksum.ts";
import { IP_PROTOCOL } from "./ipv4.ts";

/** Bytes in front of an echo's data. */
export const ECHO_HEADER_LENGTH = 8;

/** An echo message. `identifier` and `sequence` have 16 bits. */
export interface Echo {
  readonly kind: "request" | "reply";
  readonly identifier: number;
  readonly sequence: number;
  readonly data: Uint8Array;
}

/** IPv6 sums a pseudo-header, so it needs the addresses; IPv4 does not. */
export type IcmpContext =
  | { readonly family: "ipv4" }
  | { readonly family: "ipv6"; readonly source: Uint8Array; readonly destination: Uint8Array };

/** Why a message was not read. `type`: not an echo. */
export const ICMP_DROP_REASONS = ["truncated", "type", "checksum"] as const;
/** One of `ICMP_DROP_REASONS`. */
export type IcmpDropReason = (typeof ICMP_DROP_REASONS)[number];

/** `echo.data` is a view of the input. */
export type IcmpDecode =
  | { readonly ok: true; readonly echo: Echo }
  | { readonly ok: false; readonly reason: IcmpDropReason };

function echoType(kind: "request" | "reply", context: IcmpContext): number {
  if (context.family === "ipv4") return kind === "request" ? 8 : 0;
  return kind === "request" ? 128 : 129;
}

function pseudoSum(context: IcmpContext, length: number): number {
  if (context.family === "ipv4") return 0;
  return pseudoHeaderSum(context.source, context.destination, IP_PROTOCOL.icmpv6, length);
}

/** An echo message, checksum included. Throws RangeError. */
export function encodeEcho(echo: Echo, context: IcmpContext): Uint8Array {
  requireRange("identifier", echo.identifier, 0, 0xffff);
  requireRange("sequence", echo.sequence, 0, 0xffff);
  const message = new Uint8Array(ECHO_HEADER_LENGTH + echo.data.length);
  writeU8(message, 0, echoType(echo.kind, context));
  writeU16(message, 4, echo.identifier);
  writeU16(message, 6, echo.sequence);
  writeBytes(message, ECHO_HEADER_LENGTH, echo.data);
  writeU16(message, 2, internetChecksum(message, pseudoSum(context, message.length)));
  return message;
}

/** Reads an ICMP or ICMPv6 message that should be an echo. */
export function decodeEcho(message: Uint8Array, context: IcmpContext): IcmpDecode {
  if (message.length < ECHO_HEADER_LENGTH) return { ok: false, reason: "truncated" };
  const type = readU8(message, 0);
  const request = type === echoType("request", context);
  if ((!request && type !== echoType("reply", context)) || readU8(message, 1) !== 0) {
    return { ok: false, reason: "type" };
  }
  if (!isChecksumGood(message, pseudoSum(context, message.length))) return { ok: false, reason: "checksum" };
  const echo: Echo = {
    kind: request ? "request" : "reply",
    identifier: readU16(message, 4),
    sequence: readU16(message, 6),
    data: message.subarray(ECHO_HEADER_LENGTH),
  };
  return { ok: true, echo };
}
