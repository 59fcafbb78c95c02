/**
 * Keeps tunnels in the namespace that it is started in. Each line of standard input is a JSON command: `{ "update":
 * [config…] }`, `{ "stop": { "handedOn": false } }`; the first update, also after a stop, starts a keeper, and its optional
 * `ways` says how the kernel is asked. Prints a JSON line for each report, one a moment with the snapshot, and `"stopped"`
 * when a keeper has stopped.
 *
 * @module
 */
import type { KernelWay } from "../../../../mod/tunnel/kernel.ts";
import type { TunnelConfig, TunnelReport } from "../../../../mod/tunnel/model.ts";
import { createTunnelKeeper, type TunnelKeeper } from "../../../../mod/tunnel/shell.ts";
import { viewTunnel } from "../../../../mod/tunnel/view.ts";

interface Command {
  readonly update?: readonly TunnelConfig[];
  readonly ways?: readonly KernelWay[];
  readonly stop?: { readonly handedOn?: boolean };
}

const SNAPSHOT_MS = 50;

function print(line: unknown): void {
  process.stdout.write(JSON.stringify(line) + "\n");
}

function report({ name, from, changed, repaired, state }: TunnelReport): void {
  print({ report: { name, from, changed, repaired, status: state.status, error: state.error } });
}

let keeper: TunnelKeeper | null = null;
setInterval(() => print({ snapshot: keeper?.snapshot().map(viewTunnel) ?? [] }), SNAPSHOT_MS);

for await (const line of console) {
  const { update, ways, stop } = JSON.parse(line) as Command;
  if (update !== undefined && keeper === null) {
    keeper = createTunnelKeeper(update, report, ways === undefined ? {} : { ways });
  } else if (update !== undefined) keeper!.update(update);
  if (stop !== undefined) {
    await keeper?.stop(stop);
    keeper = null;
    print("stopped");
  }
}
