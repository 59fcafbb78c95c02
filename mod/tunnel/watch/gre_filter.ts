/**
 * A socket filter that keeps a tunnel's own traffic away from the one who only waits for keepalives. Pure.
 *
 * @module
 */
import { BPF, type FilterInstruction, WHOLE_PACKET } from "../../../lib/libc/mod.ts";
import { GRE_PROTOCOL, IP_PROTOCOL, readU32 } from "../../../lib/packet/mod.ts";
import { bytesOf } from "../diff.ts";
import type { TunnelConfig } from "../model.ts";

/** Cells of the program's memory. */
const PAYLOAD_AT = 0;
const FLAGS = 1;
/** Flags of a GRE header that each add four bytes to it: checksum, key, sequence number. */
const OPTIONS = [0x8000, 0x2000, 0x1000];
const IPV4_PROTOCOL_AT = 9;
const GRE_BASE_LENGTH = 4;

/** Where a comparison goes on; `next` = the instruction after it. */
type Goal = "next" | "accept" | "reject" | "past option";
type Step = readonly [code: number, k: number] | readonly [code: number, k: number, yes: Goal, no: Goal];

function assemble(steps: readonly Step[]): FilterInstruction[] {
  const at = { reject: steps.length, accept: steps.length + 1 };
  const instructions = steps.map(([code, k, yes = "next", no = "next"], index): FilterInstruction => {
    const jump = (goal: Goal) => {
      return goal === "next" ? 0 : goal === "past option" ? 3 : at[goal] - index - 1;
    };
    return [code, jump(yes), jump(no), k];
  });
  return [...instructions, [BPF.RETURN, 0, 0, 0], [BPF.RETURN, 0, 0, WHOLE_PACKET]];
}

/** Adds what an option takes to the place of the payload. */
function addOption(flag: number): Step[] {
  return [
    [BPF.LOAD_STORED, FLAGS],
    [BPF.JUMP_SET, flag, "next", "past option"],
    [BPF.LOAD_STORED, PAYLOAD_AT],
    [BPF.ADD, 4],
    [BPF.STORE, PAYLOAD_AT],
  ];
}

/**
 * For a raw IPv4 socket of protocol 47: lets packets from the tunnel's remote to its local address pass that carry
 * nothing (protocol type 0), or an IPv4 packet that is GRE in turn.
 */
export function keepaliveFilter(ends: Pick<TunnelConfig, "local" | "remote">): readonly FilterInstruction[] {
  return assemble([
    [BPF.LOAD_WORD, 12],
    [BPF.JUMP_EQUAL, readU32(bytesOf(ends.remote), 0), "next", "reject"],
    [BPF.LOAD_WORD, 16],
    [BPF.JUMP_EQUAL, readU32(bytesOf(ends.local), 0), "next", "reject"],
    [BPF.LOAD_X_HEADER_LENGTH, 0],
    [BPF.LOAD_HALF_BEHIND_X, 2],
    [BPF.JUMP_EQUAL, GRE_PROTOCOL.keepalive, "accept", "next"],
    [BPF.JUMP_EQUAL, GRE_PROTOCOL.ipv4, "next", "reject"],
    [BPF.LOAD_HALF_BEHIND_X, 0],
    [BPF.STORE, FLAGS],
    [BPF.COPY_FROM_X, 0],
    [BPF.STORE, PAYLOAD_AT],
    ...OPTIONS.flatMap(addOption),
    [BPF.LOAD_STORED, PAYLOAD_AT],
    [BPF.COPY_TO_X, 0],
    [BPF.LOAD_BYTE_BEHIND_X, GRE_BASE_LENGTH + IPV4_PROTOCOL_AT],
    [BPF.JUMP_EQUAL, IP_PROTOCOL.gre, "accept", "reject"],
  ]);
}
