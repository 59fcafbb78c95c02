/**
 * Control's end of the pipe to the engine: commands out, reports in, answers matched to what was asked.
 *
 * @module
 */
import { inputLines, lineOutput } from "../../lib/runtime/mod.ts";
import type { Command, EngineWanted, Report, Told } from "../bus/messages.ts";
import { endFor } from "./fault.ts";

/** How the engine answered a command that asks for an answer. */
export interface EngineAnswer {
  readonly ok: boolean;
  readonly text: string;
}

/** The engine answers within one wake-up; this is for an engine that hangs. */
const ANSWER_TIMEOUT_MS = 5000;
/** How often the engine hears that this process does not hang, which it ends after 15 s of silence. */
const ALIVE_MS = 3000;

type Asking =
  | { readonly type: "configure"; readonly wanted: EngineWanted; readonly predecessor?: number }
  | { readonly type: "release" | "resume"; readonly instance: string }
  | { readonly type: "maintenance"; readonly on: boolean };

function readReport(line: string): Report {
  try {
    return JSON.parse(line) as Report;
  } catch (error) {
    return endFor(`Cannot read what the engine told (${line.length} characters)`, error);
  }
}

export class EngineLink {
  readonly #send = lineOutput();
  readonly #waiting = new Map<number, (answer: EngineAnswer) => void>();
  #lastId = 0;
  /** Events that were taken in and not acknowledged yet. */
  #heard = 0;

  /** Sends a command that is not answered. */
  tell(command: Extract<Command, { type: "tracked" | "reloading" }>): void {
    this.#send(JSON.stringify(command));
  }

  /** Sends a command and resolves with its answer. */
  ask(asking: Asking): Promise<EngineAnswer> {
    const id = ++this.#lastId;
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(id);
        resolve({ ok: false, text: `the engine did not answer within ${ANSWER_TIMEOUT_MS / 1000} s` });
      }, ANSWER_TIMEOUT_MS);
      this.#waiting.set(id, (answer) => {
        clearTimeout(timer);
        resolve(answer);
      });
      this.#send(JSON.stringify({ ...asking, id }));
    });
  }

  /** Hands every report to `receive` until the engine closes the pipe. */
  async listen(receive: (report: Told) => void): Promise<void> {
    const alive: Command = { type: "alive" };
    setInterval(() => this.#send(JSON.stringify(alive)), ALIVE_MS).unref();
    for await (const line of inputLines()) {
      const report = readReport(line);
      if (report.type === "configured") this.#answered(report.id, report.ok, report.problems.join("; "));
      else if (report.type === "done") this.#answered(report.id, report.ok, report.text);
      else {
        receive(report);
        if (report.type === "event") this.#acknowledge();
      }
    }
  }

  /** Those that come together are acknowledged together. */
  #acknowledge(): void {
    if (this.#heard++ > 0) return;
    setImmediate(() => {
      const heard: Command = { type: "heard", events: this.#heard };
      this.#heard = 0;
      this.#send(JSON.stringify(heard));
    });
  }

  #answered(id: number, ok: boolean, text: string): void {
    this.#waiting.get(id)?.({ ok, text });
    this.#waiting.delete(id);
  }
}
