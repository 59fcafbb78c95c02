/**
 * Clients that ask again and again, and tell how long they were without an answer.
 *
 * @module
 */
import { join } from "node:path";
import type { Running } from "./command.ts";
import type { LabNode } from "./topology.ts";
import { waitFor } from "./wait.ts";

/** One answer: when it came (milliseconds since 1970), after how long, and who gave it (HTTP only). */
export interface Answer {
  readonly atMs: number;
  readonly rttMs: number;
  readonly who: string;
}

/** A time without an answer. */
export interface Gap {
  readonly fromMs: number;
  readonly toMs: number;
  readonly lengthMs: number;
}

/** Milliseconds since 1970 with fractions, the clients' clock. */
export function nowMs(): number {
  return performance.timeOrigin + performance.now();
}

class Client {
  readonly answers: Answer[] = [];
  readonly failures: { readonly atMs: number; readonly why: string }[] = [];
  readonly #process: Running;

  constructor(readonly node: LabNode, script: string, target: string, intervalMs: number) {
    const path = join(import.meta.dir, "programs", script);
    this.#process = node.spawn(
      [process.execPath, path, target, String(intervalMs)],
      (line) => this.#take(line),
    );
  }

  #take(line: string): void {
    const [kind, at, rtt, ...rest] = line.split(" ");
    if (kind === "A") this.answers.push({ atMs: Number(at), rttMs: Number(rtt), who: rest.join(" ") });
    else this.failures.push({ atMs: Number(at), why: rest.join(" ") });
  }

  /** Waits for an answer that came after `sinceMs` (default: any), from `who` if given, and returns it. */
  answered(
    options: { readonly sinceMs?: number; readonly who?: string; readonly timeoutMs?: number } = {},
  ): Promise<Answer> {
    const { sinceMs = 0, who, timeoutMs = 5000 } = options;
    return waitFor(
      () =>
        this.answers.findLast((answer) => answer.atMs > sinceMs && (who === undefined || answer.who === who)),
      {
        timeoutMs,
        what: `an answer to ${this.node.name}${who === undefined ? "" : ` from ${who}`}`,
        explain: () => `${this.#process.stderr}\nlast answer ${JSON.stringify(this.answers.at(-1))}`,
      },
    );
  }

  /** The longest time without an answer that ended after `sinceMs`, or has not ended yet. */
  longestGap(sinceMs: number, untilMs: number = nowMs()): Gap {
    let longest: Gap = { fromMs: sinceMs, toMs: sinceMs, lengthMs: 0 };
    let before: number | null = null;
    for (const { atMs } of [...this.answers.filter((answer) => answer.atMs <= untilMs), { atMs: untilMs }]) {
      if (before !== null && atMs > sinceMs && atMs - before > longest.lengthMs) {
        longest = { fromMs: before, toMs: atMs, lengthMs: atMs - before };
      }
      before = atMs;
    }
    return longest;
  }

  async close(): Promise<void> {
    if (this.#process.end === null) await this.#process.stop("SIGKILL");
  }
}

/** Sends an ICMP echo request each `intervalMs` (fractions allowed), whatever became of the ones before. */
export class PingClient extends Client {
  constructor(node: LabNode, address: string, intervalMs: number) {
    super(node, "ping.ts", address, intervalMs);
  }
}

/** Gets a URL each `intervalMs`; a request without an answer is given up after 500 ms. */
export class HttpClient extends Client {
  constructor(node: LabNode, url: string, intervalMs: number) {
    super(node, "http_get.ts", url, intervalMs);
  }
}
