/** The master is killed: how late after its due moment the successor speaks. */
import type { Bench, Line, Row } from "../measure.ts";
import {
  ADDRESS_A,
  ADDRESS_B,
  holdsAddress,
  inTurn,
  type Kind,
  pauseSomewhere,
  startDaemon,
  web,
  withPair,
} from "../daemon.ts";
import { pause } from "../../netns/lab/wait.ts";
import { watchWire } from "../wire.ts";

const INTERVAL_MS = 10;
const PRIORITY_B = 100;
/** Master_Down_Interval of the successor (RFC 5798 §6.1). */
const DOWN_MS = 3 * INTERVAL_MS + (256 - PRIORITY_B) / 256 * INTERVAL_MS;

/** Milliseconds after the due moment, one for each crash. */
function crashes(kind: Kind, rounds: number, calm: Bench["calm"]): Promise<number[]> {
  return withPair(kind, "crash", async ({ a, b, client }) => {
    const wire = await watchWire(client, "ip proto 112");
    const killedMs: number[] = [];
    for (let round = 0; round < rounds; round++) {
      await calm();
      // Both are new each time: code that never ran before is what runs when a master dies.
      const master = await startDaemon(kind, a, { routers: [web(150, INTERVAL_MS)] });
      await holdsAddress(master);
      const successor = await startDaemon(kind, b, { routers: [web(PRIORITY_B, INTERVAL_MS)] });
      await pauseSomewhere(250, 350);
      killedMs.push(await master.kill());
      // Nobody looks at the machine while the successor acts.
      await pause(2 * DOWN_MS);
      await holdsAddress(successor);
      await successor.kill();
    }
    const adverts = (await wire.stop()).adverts();
    return killedMs.map((atMs, round) => {
      const end = killedMs[round + 1] ?? Infinity;
      const first = adverts.find((advert) =>
        advert.from === ADDRESS_B && advert.atMs > atMs && advert.atMs < end
      );
      const last = adverts.findLast((advert) =>
        advert.from === ADDRESS_A && advert.atMs < (first?.atMs ?? 0)
      );
      if (first === undefined || last === undefined) throw new Error(`${kind}: nobody took over (${round})`);
      return first.atMs - last.atMs - DOWN_MS;
    });
  });
}

async function run({ rounds, calm }: Bench): Promise<Line[]> {
  const count = rounds(15, 3);
  const { appliance: ours, keepalived } = await inTurn((kind) => crashes(kind, count, calm));
  const note =
    `kill -9 of all processes; both routers are new for each of ${count} crashes; due ${
      DOWN_MS.toFixed(2)
    } ms ` +
    "after the master's last advertisement";
  const common = { unit: "ms", ours, keepalived, note } as const;
  return [
    {
      ...common,
      what: "successor's first advert after its due moment, median",
      statistic: "median",
      budget: 1,
    },
    { ...common, what: "the same, worst", statistic: "worst", budget: 3 },
  ];
}

export const crash: Row = { name: "crash", title: "crash fail-over, v3, adverts of 10 ms", run };
