/**
 * What a client lost, by what passed its wire: its own pauses on a busy machine do not count.
 *
 * @module
 */
import type { Traffic } from "../../bench/wire.ts";

/** What was lost between two moments. */
export interface Loss {
  /** Echo requests that were never answered. */
  readonly lost: number;
  /** The longest time in which every request stayed without an answer, or was held back because no neighbour answered for the address. */
  readonly gapMs: number;
}

/** When the client asked who has an address, in milliseconds since 1970. */
function questions({ frames }: Traffic, address: string): number[] {
  const wanted = address.split(".").map(Number);
  return frames.filter(({ bytes }) => {
    const isRequest = bytes[12] === 8 && bytes[13] === 6 && bytes[21] === 1;
    const gratuitous = bytes.subarray(28, 32).join() === wanted.join();
    return isRequest && !gratuitous && bytes.subarray(38, 42).join() === wanted.join();
  }).map(({ atMs }) => atMs);
}

/** Judges a client that pings `address` often, from the capture of its wire with ARP. */
export function lossesOf(traffic: Traffic, address: string): (fromMs: number, toMs: number) => Loss {
  const echoes = traffic.echoes(address);
  const asked = questions(traffic, address);
  const open = new Map<number, number>();
  const answered = new Set<number>();
  echoes.forEach(({ reply, sequence }, index) => {
    if (!reply) open.set(sequence, index);
    else if (open.has(sequence)) answered.add(open.get(sequence)!);
  });
  return (fromMs, toMs) => {
    let lost = 0;
    let gapMs = 0;
    /** When the first request of the present gap left. */
    let since: number | null = null;
    const requests = echoes.flatMap(({ reply, atMs }, index) =>
      reply || atMs < fromMs || atMs > toMs ? [] : [index]
    );
    for (const [place, index] of requests.entries()) {
      const { atMs } = echoes[index]!;
      const before = place === 0 ? fromMs : echoes[requests[place - 1]!]!.atMs;
      const heldBack = asked.find((at) => at > before && at < atMs);
      if (heldBack !== undefined) gapMs = Math.max(gapMs, atMs - heldBack);
      if (!answered.has(index)) {
        lost++;
        since ??= atMs;
        gapMs = Math.max(gapMs, atMs - since);
      } else {
        if (since !== null) gapMs = Math.max(gapMs, atMs - since);
        since = null;
      }
    }
    return { lost, gapMs };
  };
}
