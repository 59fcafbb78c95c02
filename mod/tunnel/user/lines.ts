/**
 * What a mover and whoever started it say to each other: lines on standard input and output that nobody waits for.
 *
 * @module
 */
import { alloc, EAGAIN, readFd, writeFd } from "../../../lib/libc/mod.ts";
import type { UserTunnelReport } from "./settings.ts";

/** The descriptors. */
export const STDIN = 0;
export const STDOUT = 1;

const input = alloc(4096);

/** Lines to whoever started us. What does not go out at once is not waited for. */
export class Outlet {
  #rest: Uint8Array = new Uint8Array(0);

  /** False when the reader is behind: then nothing was sent. */
  tell(report: UserTunnelReport): boolean {
    if (!this.#flush()) return false;
    this.#rest = new TextEncoder().encode(`${JSON.stringify(report)}\n`);
    this.#flush();
    return true;
  }

  #flush(): boolean {
    if (this.#rest.length > 0) {
      const written = writeFd(STDOUT, this.#rest);
      if (written > 0) this.#rest = this.#rest.subarray(written);
    }
    return this.#rest.length === 0;
  }
}

/** Lines from whoever started us. */
export class Inlet {
  #text = "";
  #over = false;

  /** Whether it has ended. */
  get over(): boolean {
    return this.#over;
  }

  /** The next whole line; null = none so far. */
  next(): string | null {
    for (;;) {
      const end = this.#text.indexOf("\n");
      if (end >= 0) {
        const line = this.#text.slice(0, end);
        this.#text = this.#text.slice(end + 1);
        return line;
      }
      const length = this.#over ? 0 : readFd(STDIN, input);
      if (length === -EAGAIN) return null;
      if (length <= 0) {
        this.#over = true;
        return null;
      }
      this.#text += new TextDecoder().decode(input.subarray(0, length));
    }
  }
}
