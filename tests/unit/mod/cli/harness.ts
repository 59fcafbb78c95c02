/** Runs command lines inside the test's process. */
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Entries, Streams } from "../../../../mod/cli/cli.ts";
import { main } from "../../../../mod/cli/main.ts";
import type { Output } from "../../../../mod/cli/output.ts";

/** A new folder; whoever makes it removes it. */
export function newFolder(): string {
  return mkdtempSync(join(tmpdir(), `appliance-cli-${process.pid}-`));
}

export interface Outcome {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

export const NO_ENTRIES: Entries = {
  engine: () => Promise.reject(new Error("not here")),
  lab: () => Promise.reject(new Error("not here")),
};

/** An output that remembers; `onWrite` may close it. */
export function memory(onWrite: (text: string) => boolean = () => false): Output & { text(): string } {
  let text = "";
  let closed = false;
  return {
    isTerminal: false,
    columns: null,
    rows: null,
    colours: false,
    problem: null,
    get closed() {
      return closed;
    },
    write(more) {
      if (closed) return;
      text += more;
      closed = onWrite(text);
    },
    text: () => text,
  };
}

export async function run(argv: readonly string[], entries: Entries = NO_ENTRIES): Promise<Outcome> {
  const [out, err] = [memory(), memory()];
  const streams: Streams = { out, err };
  const code = await main(argv, entries, streams);
  return { code, out: out.text(), err: err.text() };
}

/** Writes a file and returns its path. */
export function file(folder: string, name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}
