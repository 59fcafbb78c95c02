/**
 * Picks the command. What is large, or is not wanted by every command, is loaded when it is wanted; the daemon's two
 * processes, which only it starts, do without the command line's machinery.
 *
 * @module
 */
import { inputText, programArguments } from "./lib/runtime/mod.ts";

const argv = programArguments();
const handOver = process.env.APPLIANCE_ENGINE;

async function run(): Promise<number> {
  if (handOver !== undefined) return (await import("./mod/engine/main.ts")).runEngine(handOver);
  if (argv[0] === "control") return await (await import("./mod/control/main.ts")).runControl(argv.slice(1));
  if (argv[0] === "tunnel") return (await import("./mod/tunnel/user/process.ts")).runUserTunnel();
  if (argv[0] === "read-config") {
    const { printLoaded } = await import("./mod/config/loaded.ts");
    await printLoaded(argv[1] ?? "", await inputText());
    return 0;
  }
  const { main } = await import("./mod/cli/main.ts");
  return await main(argv, {
    engine: () => import("./mod/launch/main.ts"),
    lab: () => import("./mod/lab/main.ts"),
  });
}

process.exit(await run());
