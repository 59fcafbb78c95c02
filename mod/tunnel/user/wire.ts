/**
 * GRE (RFC 2784, RFC 2890) for packets by the hundred thousand: read and written in place, nothing allocated. The
 * codec of lib/packet says the same in more words; tests hold the two against each other. Pure.
 *
 * @module
 */

/** EtherTypes inside GRE. A keepalive's innermost packet has none. */
export const PROTOCOL = { keepalive: 0, ipv4: 0x0800, teb: 0x6558, ipv6: 0x86dd } as const;

const FLAG_CHECKSUM = 0x8000;
const FLAG_KEY = 0x2000;
const FLAG_SEQUENCE = 0x1000;
/** RFC 2784 §2.2: routing, strict route and recursion must be zero. */
const FLAGS_REFUSED = 0x4c00;
const VERSION_MASK = 0x0007;

/** What {@link readGre} answers instead of an offset. */
export const REFUSED = {
  truncated: -1,
  version: -2,
  flags: -3,
  key: -4,
  checksum: -5,
  sequence: -6,
} as const;

/** As many packets in a row that are late, each newer than the one before, mean that the far end counts anew. */
const RESTART_PACKETS = 4;

/** Both directions of one tunnel: what its headers look like, and how far their sequence numbers are. */
export interface GreEnd {
  readonly checksum: boolean;
  readonly sequence: boolean;
  readonly ikey: number | null;
  readonly okey: number | null;
  /** Bytes of the header that is sent: 4 to 16. */
  readonly headerLength: number;
  /** Number of the next packet that is sent. */
  nextSent: number;
  /** Number that is expected, at least; -1 before the first packet. */
  nextReceived: number;
  /** Number that would continue a run of late packets, and the length of the run. */
  lateNext: number;
  lateRun: number;
}

/** A tunnel's end before its first packet. */
export function greEnd(
  settings: Pick<GreEnd, "checksum" | "sequence" | "ikey" | "okey">,
): GreEnd {
  const { checksum, sequence, ikey, okey } = settings;
  const headerLength = 4 + (checksum ? 4 : 0) + (okey === null ? 0 : 4) + (sequence ? 4 : 0);
  return {
    checksum,
    sequence,
    ikey,
    okey,
    headerLength,
    nextSent: 0,
    nextReceived: -1,
    lateNext: 0,
    lateRun: 0,
  };
}

/** Folds a sum of 16-bit words into 16 bits. */
function fold(sum: number): number {
  while (sum > 0xffff) sum = sum % 0x10000 + Math.floor(sum / 0x10000);
  return sum;
}

/** The Internet checksum's sum of the bytes from `start` to `end`, 0 to 0xffff (RFC 1071); the last one may be odd. */
export function sumBytes(view: DataView, start: number, end: number): number {
  // The sum does not care for byte order but at the end (RFC 1071 §2B), so words are read as the machine has them.
  let sum = 0;
  let at = start;
  for (const stop = end - 7; at < stop; at += 8) {
    const first = view.getUint32(at, true);
    const second = view.getUint32(at + 4, true);
    sum += (first & 0xffff) + (first >>> 16) + (second & 0xffff) + (second >>> 16);
  }
  for (const stop = end - 1; at < stop; at += 2) sum += view.getUint16(at, true);
  if (at < end) sum += view.getUint8(at);
  const folded = fold(sum);
  return folded >>> 8 | (folded & 0xff) << 8;
}

/**
 * Writes the header in front of the payload that lies from `start` to `end`, and returns where it begins. Takes the
 * next sequence number.
 */
export function writeGre(gre: GreEnd, view: DataView, protocol: number, start: number, end: number): number {
  const at = start - gre.headerLength;
  let flags = 0;
  let field = at + 4;
  if (gre.checksum) {
    flags |= FLAG_CHECKSUM;
    view.setUint32(field, 0);
    field += 4;
  }
  if (gre.okey !== null) {
    flags |= FLAG_KEY;
    view.setUint32(field, gre.okey);
    field += 4;
  }
  if (gre.sequence) {
    flags |= FLAG_SEQUENCE;
    view.setUint32(field, gre.nextSent);
    gre.nextSent = gre.nextSent + 1 >>> 0;
  }
  view.setUint16(at, flags);
  view.setUint16(at + 2, protocol);
  if (gre.checksum) view.setUint16(at + 4, 0xffff - sumBytes(view, at, end));
  return at;
}

/**
 * Reads the header at `at` of a packet that ends at `end`: where its payload starts, or one of {@link REFUSED}.
 * Checksum, key and sequence number must be as agreed; the checksum is verified by {@link isGreIntact}, the number by
 * {@link isInSequence}. The protocol is the 16 bits at `at + 2`.
 */
export function readGre(gre: GreEnd, view: DataView, at: number, end: number): number {
  if (end - at < 4) return REFUSED.truncated;
  const flags = view.getUint16(at);
  if ((flags & VERSION_MASK) !== 0) return REFUSED.version;
  if ((flags & FLAGS_REFUSED) !== 0) return REFUSED.flags;
  let start = at + 4;
  if ((flags & FLAG_CHECKSUM) !== 0) start += 4;
  const keyAt = start;
  if ((flags & FLAG_KEY) !== 0) start += 4;
  if ((flags & FLAG_SEQUENCE) !== 0) start += 4;
  if (start > end) return REFUSED.truncated;
  if ((flags & FLAG_KEY) !== 0 ? view.getUint32(keyAt) !== gre.ikey : gre.ikey !== null) return REFUSED.key;
  // As Linux has it: a checksum that was not agreed is as wrong as one that is missing; a number may be there.
  if ((flags & FLAG_CHECKSUM) !== 0 !== gre.checksum) return REFUSED.checksum;
  if (gre.sequence && (flags & FLAG_SEQUENCE) === 0) return REFUSED.sequence;
  return start;
}

/**
 * Whether header and payload sum up right. A checksum of zero counts as one that nobody has computed yet: Linux leaves
 * that to the network card, and between namespaces of one host there is none.
 */
export function isGreIntact(view: DataView, at: number, end: number): boolean {
  return view.getUint16(at + 4) === 0 || sumBytes(view, at, end) === 0xffff;
}

/**
 * Whether a packet is not older than one before it; `start` is where its payload starts. Linux drops what is older, for
 * ever when the far end starts anew at zero; here a run of four late packets that are in order among themselves
 * counts as such a start.
 */
export function isInSequence(gre: GreEnd, view: DataView, start: number): boolean {
  const number = view.getUint32(start - 4);
  if (gre.nextReceived >= 0 && (number - gre.nextReceived | 0) < 0) {
    gre.lateRun = gre.lateRun > 0 && (number - gre.lateNext | 0) >= 0 ? gre.lateRun + 1 : 1;
    gre.lateNext = number + 1 >>> 0;
    if (gre.lateRun < RESTART_PACKETS) return false;
  }
  gre.lateRun = 0;
  gre.nextReceived = number + 1 >>> 0;
  return true;
}

/**
 * Sequence numbers for packets without content that lead a far end to `nextSent`, whatever it expects: each is less
 * than half the circle ahead of the one before. Without them a far end drops everything from an end that was started
 * anew until its numbers have caught up.
 */
export function leadingNumbers(nextSent: number): readonly number[] {
  return [1, 2, 3].map((quarter) => nextSent + quarter * 0x4000_0000 >>> 0);
}
