/**
 * `appliance run`, second part: the engine itself, the root of the process tree.
 *
 * @module
 */
import { monotonicNs } from "../../lib/libc/mod.ts";
import { reasonOf } from "../../lib/runtime/mod.ts";
import { EXIT_FAULT } from "../bus/supervised.ts";
import { ControlProcess } from "./child.ts";
import { Engine } from "./engine.ts";
import { decodeHandOver, HAND_OVER } from "./hand_over.ts";

/** Runs the engine until it is stopped; returns its exit code. `handOver` is what the first image left for it. */
export function runEngine(handOver: string): number {
  delete process.env[HAND_OVER];
  try {
    const control = decodeHandOver(handOver);
    if (control === null) throw new Error(`Cannot start: ${HAND_OVER} is for the daemon's own use, unset it`);
    const { config, supervised } = control;
    return runToItsEnd(new Engine(new ControlProcess(config, control, monotonicNs()), supervised));
  } catch (error) {
    process.stderr.write(`appliance: ${(error as Error).message}\n`);
    return 1;
  }
}

/** What nobody expected ends the engine as a crash does: control tidies up, or the next engine goes on. */
function runToItsEnd(engine: Engine): number {
  try {
    return engine.run();
  } catch (error) {
    const text = `the engine cannot go on, by a fault of this program: ${reasonOf(error)}`;
    process.stderr.write(`appliance: ${text}\n`);
    return EXIT_FAULT;
  }
}
