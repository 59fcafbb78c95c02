/**
 * Standard input and output as lines, on whatever descriptor they are (pipes, socket pairs).
 *
 * @module
 */
import { codeOf } from "./reason.ts";

/** The lines of standard input, until its end: also that of a socket whose other end died without reading all. */
export async function* inputLines(): AsyncGenerator<string, void, void> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of inputChunks()) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop()!;
    yield* lines;
  }
}

async function* inputChunks(): AsyncGenerator<Uint8Array, void, void> {
  try {
    yield* Bun.stdin.stream();
  } catch (error) {
    if (codeOf(error) !== "ECONNRESET") throw error;
  }
}

/**
 * Opens standard output as a sink of lines, each written at once. When the other end is gone they are lost: that it is,
 * the end of {@link inputLines} tells.
 */
export function lineOutput(): (line: string) => void {
  const output = Bun.stdout.writer();
  const lost = (error: unknown) => {
    if (codeOf(error) !== "EPIPE" && codeOf(error) !== "ECONNRESET") throw error;
  };
  return (line) => {
    try {
      output.write(line + "\n");
      Promise.resolve(output.flush()).catch(lost);
    } catch (error) {
      lost(error);
    }
  };
}

/** The whole of standard input. */
export function inputText(): Promise<string> {
  return Bun.stdin.text();
}
