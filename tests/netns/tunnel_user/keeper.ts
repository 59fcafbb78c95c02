/**
 * Keeps one tunnel by the user-space datapath, as control does: `keeper.ts CONFIG_AS_JSON`. Prints a line for each
 * report, and the process's status each 100 ms; ends when its input does.
 */
import type { TunnelConfig } from "../../../mod/tunnel/model.ts";
import { createTunnelKeeper } from "../../../mod/tunnel/shell.ts";
import { createUserDatapath } from "../../../mod/tunnel/user/datapath.ts";

const config = JSON.parse(process.argv[2]!) as TunnelConfig;
const user = createUserDatapath({
  command: () => ({
    path: process.execPath,
    argv: [process.execPath, `${import.meta.dirname}/program.ts`],
  }),
});

function print(line: unknown): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

const keeper = createTunnelKeeper([config], ({ state, repaired }) => {
  print({ status: state.status, error: state.error, repaired, repairs: state.repairs });
}, { user });
const timer = setInterval(() => print({ process: user.status(config.name) }), 100);

process.stdin.on("data", (data: Uint8Array) => {
  // Any line is a new configuration.
  for (const line of String(data).split("\n")) if (line !== "") keeper.update([JSON.parse(line)]);
}).on("end", async () => {
  clearInterval(timer);
  await keeper.stop();
  process.exit(0);
});
