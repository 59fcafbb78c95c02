/**
 * Standard output and error of a command.
 *
 * @module
 */
import { writeSync } from "node:fs";
import { isatty } from "node:tty";
import { codeOf, reasonOf } from "../../lib/runtime/reason.ts";

/** A stream that text is written to. Writes are done when they return. */
export interface Output {
  readonly isTerminal: boolean;
  /** Columns of the terminal; null when there is none. */
  readonly columns: number | null;
  /** Lines of the terminal; null when there is none. */
  readonly rows: number | null;
  readonly colours: boolean;
  /** True once the reader has gone away: nothing that is written arrives any more. */
  readonly closed: boolean;
  /** Why what was written did not arrive, in words; null = it did, or its reader did not want it. */
  readonly problem: string | null;
  write(text: string): void;
}

const pause = new Int32Array(new SharedArrayBuffer(4));

/**
 * The stream behind a descriptor. A reader that closes its pipe (`| head`) is no error: the rest is written to nobody.
 */
export function openOutput(fd: 1 | 2): Output {
  const isTerminal = isatty(fd);
  const { NO_COLOR, TERM } = process.env;
  let closed = false;
  let problem: string | null = null;
  return {
    isTerminal,
    get columns() {
      return isTerminal ? (fd === 1 ? process.stdout : process.stderr).columns ?? null : null;
    },
    get rows() {
      return isTerminal ? (fd === 1 ? process.stdout : process.stderr).rows ?? null : null;
    },
    colours: isTerminal && (NO_COLOR === undefined || NO_COLOR === "") && TERM !== "dumb",
    get closed() {
      return closed;
    },
    get problem() {
      return problem;
    },
    write(text) {
      let bytes = new TextEncoder().encode(text);
      while (bytes.length > 0 && !closed) {
        try {
          bytes = bytes.subarray(writeSync(fd, bytes));
        } catch (thrown) {
          const code = codeOf(thrown);
          // Somebody else made the pipe non-blocking and its reader is slow.
          if (code === "EAGAIN") {
            Atomics.wait(pause, 0, 0, 5);
            continue;
          }
          closed = true;
          if (code !== "EPIPE") problem = reasonOf(thrown);
        }
      }
    },
  };
}

/** Colours that screens use. */
export type Colour = "red" | "green" | "yellow" | "dim" | "bold";

const CODES: Readonly<Record<Colour, string>> = { red: "31", green: "32", yellow: "33", dim: "2", bold: "1" };

/** Text in a colour, or as it is. */
export function coloured(text: string, colour: Colour | null, colours: boolean): string {
  return colours && colour !== null ? `\x1b[${CODES[colour]}m${text}\x1b[0m` : text;
}

/** Text on one line without control characters: what a probe or peer sent must not drive the terminal. */
export function plain(text: string): string {
  // deno-lint-ignore no-control-regex
  return text.replace(/[\u0000-\u001f\u007f-\u009f]+/g, " ");
}
