/**
 * Picks the command. What is large, or is not wanted by every command, is loaded when it is wanted; the daemon's
 * processes, which only it starts, do without the command line's machinery.
 *
 * @module
 */
import { fstatSync } from "node:fs";
import { inputText, nameProcess, programArguments, reasonOf } from "./lib/runtime/mod.ts";

const argv = programArguments();
const handOver = process.env.APPLIANCE_ENGINE;

/** Whether another process speaks to this one. By hand the words that the daemon starts its processes by are unknown. */
function isSpokenTo(): boolean {
  try {
    const input = fstatSync(0);
    return input.isSocket() || input.isFIFO();
  } catch {
    return false;
  }
}

async function run(): Promise<number> {
  if (handOver !== undefined) return (await import("./mod/engine/main.ts")).runEngine(handOver);
  const [role, ...rest] = argv;
  if (role === "control" && rest[0] === "--config" && isSpokenTo()) {
    return await (await import("./mod/control/main.ts")).runControl(rest);
  }
  if (role === "tunnel" && rest.length === 1 && isSpokenTo()) {
    return (await import("./mod/tunnel/user/process.ts")).runUserTunnel();
  }
  if (role === "read-config" && rest.length === 1) {
    const { printLoaded } = await import("./mod/config/loaded.ts");
    await printLoaded(rest[0]!, await inputText());
    return 0;
  }
  const { main } = await import("./mod/cli/main.ts");
  return await main(argv, {
    engine: () => import("./mod/launch/main.ts"),
    lab: () => import("./mod/lab/main.ts"),
  });
}

/** What nobody expected: said in one line, for the program is minified and its stack tells nobody anything. */
function fail(error: unknown): void {
  // Nobody reads, or the disk is full: whoever writes decides what that means, and it ends no daemon.
  if ((error as { readonly syscall?: unknown } | null)?.syscall === "write") return;
  process.stderr.write(`appliance: Cannot go on, by a fault of this program: ${reasonOf(error)}\n`);
  process.exit(1);
}

nameProcess("appliance");
process.on("uncaughtException", fail);
process.on("unhandledRejection", fail);
try {
  process.exit(await run());
} catch (error) {
  fail(error);
  process.exit(1);
}
