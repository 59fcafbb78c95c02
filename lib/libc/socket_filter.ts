/**
 * Socket filters: classic BPF programs (linux/filter.h) by which the kernel decides what a socket hears at all.
 *
 * @module
 */
import { addressOf, alloc, viewOf } from "./memory.ts";
import { setOption, SO_ATTACH_FILTER, SOL_SOCKET } from "./socket.ts";

/** One instruction: code, how many to skip when a comparison is true, when it is false, and the constant. */
export type FilterInstruction = readonly [
  code: number,
  jumpTrue: number,
  jumpFalse: number,
  constant: number,
];

/** Codes of instructions. Loads are into A, in network order, from where the socket's packets begin. */
export const BPF = {
  LOAD_WORD: 0x20,
  LOAD_HALF: 0x28,
  LOAD_BYTE: 0x30,
  LOAD_CONSTANT: 0x00,
  LOAD_X_CONSTANT: 0x01,
  /** That many bytes behind where X points. */
  LOAD_WORD_BEHIND_X: 0x40,
  LOAD_HALF_BEHIND_X: 0x48,
  LOAD_BYTE_BEHIND_X: 0x50,
  /** Into X the length of the IPv4 header there. */
  LOAD_X_HEADER_LENGTH: 0xb1,
  STORE: 0x02,
  LOAD_STORED: 0x60,
  LOAD_X_STORED: 0x61,
  COPY_TO_X: 0x07,
  COPY_FROM_X: 0x87,
  ADD: 0x04,
  JUMP_EQUAL: 0x15,
  JUMP_EQUAL_X: 0x1d,
  JUMP_SET: 0x45,
  /** The constant = how much of the packet is heard; 0 = nothing. */
  RETURN: 0x06,
} as const;

/** The constant of `RETURN` that lets the whole packet pass. */
export const WHOLE_PACKET = 0xffff;

const INSTRUCTION_SIZE = 8;

/** struct sock_filter, one after the other. */
export function encodeFilter(program: readonly FilterInstruction[]): Uint8Array<ArrayBuffer> {
  const bytes = alloc(program.length * INSTRUCTION_SIZE);
  const view = viewOf(bytes);
  program.forEach(([code, jumpTrue, jumpFalse, constant], index) => {
    const at = index * INSTRUCTION_SIZE;
    view.setUint16(at, code, true);
    view.setUint8(at + 2, jumpTrue);
    view.setUint8(at + 3, jumpFalse);
    view.setUint32(at + 4, constant, true);
  });
  return bytes;
}

/** Lets a socket hear only what the program lets through. Throws SyscallError. */
export function attachFilter(fd: number, program: readonly FilterInstruction[], doing: string): void {
  const code = encodeFilter(program);
  // struct sock_fprog
  const header = alloc(16);
  viewOf(header).setUint16(0, program.length, true);
  viewOf(header).setBigUint64(8, BigInt(addressOf(code)), true);
  setOption(fd, SOL_SOCKET, SO_ATTACH_FILTER, header, doing);
}
