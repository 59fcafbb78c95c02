/** From exec to the first advertisement of an address owner. */
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Bench, Line, Row } from "../measure.ts";
import {
  ADDRESS_A,
  applianceYaml,
  inTurn,
  keepalivedText,
  type Kind,
  type Setup,
  web,
  withPair,
} from "../daemon.ts";
import { appliancePath } from "../../netns/lab/appliance.ts";
import { descendantsOf, isAlive, killTogether } from "../../netns/lab/command.ts";
import { VIP } from "../../netns/lab/config.ts";
import type { LabNode } from "../../netns/lab/topology.ts";
import { pause, waitFor } from "../../netns/lab/wait.ts";
import { watchWire } from "../wire.ts";

const SETUP: Setup = { routers: [web(255, 1000)] };

/** Each named by what its option begins with. */
const PID_FILES = ["p-main", "r-vrrp", "c-checkers"];

function commandOf(kind: Kind, node: LabNode): string[] {
  const directory = node.directory("start");
  if (kind === "appliance") {
    const path = join(directory, "appliance.yaml");
    writeFileSync(path, `${applianceYaml(SETUP)}runtime_dir: ${directory}\n`);
    return [appliancePath(), "run", "-c", path];
  }
  const path = join(directory, "keepalived.conf");
  writeFileSync(path, keepalivedText(SETUP));
  const pidFiles = PID_FILES.flatMap((name) => [`-${name[0]}`, join(directory, `${name}.pid`)]);
  return ["keepalived", "--dont-fork", "--log-console", "--no-syslog", "-f", path, ...pidFiles];
}

/** Milliseconds from exec to the first advert, one a start. */
function starts(kind: Kind, rounds: number, calm: Bench["calm"]): Promise<number[]> {
  return withPair(kind, "start", async ({ a, client }) => {
    const command = commandOf(kind, a);
    const wire = await watchWire(client, "ip proto 112");
    const execMs: number[] = [];
    for (let round = 0; round < rounds; round++) {
      await calm();
      // The shell tells the time, and becomes the daemon.
      const daemon = a.spawn(["bash", "-c", 'echo "at $EPOCHREALTIME"; exec "$@"', "bash", ...command]);
      await waitFor(() => a.has(VIP), { timeoutMs: 5000, what: "the address", explain: () => daemon.stderr });
      await pause(100);
      execMs.push(Number(/^at ([\d.]+)/.exec(daemon.stdout)![1]) * 1000);
      const pids = [daemon.pid, ...descendantsOf(daemon.pid)];
      killTogether(pids);
      await waitFor(() => !pids.some(isAlive), { timeoutMs: 2000, what: "the daemon to be dead" });
      a.restore();
      for (const name of PID_FILES) rmSync(join(a.directory("start"), `${name}.pid`), { force: true });
    }
    const adverts = (await wire.stop()).adverts(ADDRESS_A);
    return execMs.map((fromMs) => (adverts.find(({ atMs }) => atMs > fromMs)?.atMs ?? Infinity) - fromMs);
  });
}

async function run({ rounds, calm }: Bench): Promise<Line[]> {
  const count = rounds(11, 4);
  const { appliance: ours, keepalived } = await inTurn((kind) => starts(kind, count, calm));
  const common = { unit: "ms", ours, keepalived } as const;
  return [
    { ...common, what: "exec → first advert, median", statistic: "median", budget: 30 },
    { ...common, what: "the same, worst", statistic: "worst", budget: null },
  ];
}

export const start: Row = { name: "start", title: "start of an address owner", run };
