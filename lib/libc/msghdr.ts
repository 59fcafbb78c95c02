/**
 * How the kernel lays out messages in memory (recvmsg(2), sendmmsg(2), cmsg(3)): offsets and sizes in bytes, on 64 bits.
 *
 * @module
 */

/** struct iovec. */
export const IOVEC = { size: 16, base: 0, length: 8 } as const;

/** struct msghdr. */
export const MSGHDR = {
  size: 56,
  name: 0,
  nameLength: 8,
  vectors: 16,
  vectorCount: 24,
  control: 32,
  controlLength: 40,
} as const;

/** struct mmsghdr: a struct msghdr, and the bytes received into it or sent from it, padded. */
export const MMSGHDR = { size: 64, length: 56 } as const;

/** struct cmsghdr; its data follows at once. `length` counts the header, too. */
export const CMSGHDR = { size: 16, length: 0, level: 8, type: 12 } as const;

/** Where the next struct cmsghdr begins after `length` bytes of one. */
export function alignedControl(length: number): number {
  return (length + 7) & ~7;
}
