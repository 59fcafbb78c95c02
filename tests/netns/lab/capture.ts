/**
 * Packets as tcpdump saw and reads them: the independent witness.
 *
 * @module
 */
import { join } from "node:path";
import { must, type Running } from "./command.ts";
import type { LabNode } from "./topology.ts";
import { waitFor } from "./wait.ts";

/** One packet as `tcpdump -vv` tells it. */
export interface Seen {
  /** Milliseconds since 1970, by the kernel's time stamp. */
  readonly atMs: number;
  readonly text: string;
}

/** One VRRP advertisement. */
export interface SeenAdvert extends Seen {
  readonly from: string;
  readonly to: string;
  readonly version: number;
  readonly vrid: number;
  readonly priority: number;
}

const ADVERT =
  /[\n)]\s+([0-9a-f.:]+) > ([0-9a-f.:]+): (?:vrrp )?.*VRRPv(\d), Advertisement.*vrid (\d+), prio (\d+)/i;

let captures = 0;

/** A running capture. */
export class Capture {
  readonly path: string;
  readonly #process: Running;

  constructor(readonly node: LabNode, device: string, filter: string) {
    this.path = join(node.directory("capture"), `${++captures}.pcap`);
    this.#process = node.spawn(
      [
        "tcpdump",
        "-i",
        device,
        "-n",
        "-U",
        "-B",
        "8192",
        "-Z",
        "root",
        "--immediate-mode",
        "-w",
        this.path,
        filter,
      ],
    );
  }

  /** Waits until it listens. */
  async ready(): Promise<this> {
    await waitFor(() => {
      if (this.#process.end !== null) throw new Error(`tcpdump ended: ${this.#process.stderr}`);
      return this.#process.stderr.includes("listening on");
    }, { timeoutMs: 5000, what: "tcpdump to listen" });
    return this;
  }

  /** Ends the capture; the packets stay readable until the lab is closed. */
  async stop(): Promise<void> {
    if (this.#process.end === null) await this.#process.stop("SIGINT");
  }

  async close(): Promise<void> {
    await this.stop();
  }

  /** What was captured so far, as `tcpdump -vv` reads it, link addresses included. */
  packets(filter = ""): Seen[] {
    // While the capture runs, the last record may be half written: tcpdump tells what it has and exits with 1.
    const text = must(
      ["sh", "-c", 'tcpdump -n -tt -e -vv -r "$1" $2 2>/dev/null || true', "sh", this.path, filter],
    );
    const packets: Seen[] = [];
    for (const record of text.split(/\n(?=\d+\.\d+ )/)) {
      if (record.trim() === "") continue;
      packets.push({ atMs: Number.parseFloat(record) * 1000, text: record });
    }
    return packets;
  }

  /** The VRRP advertisements so far, in order; those that tcpdump cannot read as such are left out. */
  adverts(from?: string): SeenAdvert[] {
    return this.packets("").flatMap((packet) => {
      const match = ADVERT.exec(packet.text);
      if (match === null) return [];
      const [, source, to, version, vrid, priority] = match;
      if (from !== undefined && source !== from) return [];
      return [{
        ...packet,
        from: source!,
        to: to!,
        version: Number(version),
        vrid: Number(vrid),
        priority: Number(priority),
      }];
    });
  }
}

/** The longest distance between two neighbours, in milliseconds; 0 for fewer than two. */
export function longestDistance(seen: readonly Seen[]): number {
  let longest = 0;
  for (let index = 1; index < seen.length; index++) {
    longest = Math.max(longest, seen[index]!.atMs - seen[index - 1]!.atMs);
  }
  return longest;
}
