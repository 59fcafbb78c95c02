/** Two masters, kept apart, meet again: until the client is served by the winner. */
import type { Bench, Line, Row } from "../measure.ts";
import {
  holdsAddress,
  type Kind,
  lacksAddress,
  pauseSomewhere,
  sideBySide,
  startDaemon,
  web,
  withPair,
} from "../daemon.ts";
import { nowMs } from "../../netns/lab/client.ts";
import { VIP } from "../../netns/lab/config.ts";
import { pause, waitFor } from "../../netns/lab/wait.ts";
import { servedBy, watchWire } from "../wire.ts";

const INTERVAL_MS = 100;
/** A client whom nobody tells anything asks again itself after about 8 s. */
const PATIENCE_MS = 12_000;
const SETTLE_MS = 500;

/** Announcements that are still to come from before are over by then: each split is one out of a quiet sky. */
const QUIET_MS = 6000;

/** Milliseconds from the link's return until only the winner answers, one a split. */
function splits(kind: Kind, rounds: number, say: Bench["say"]): Promise<number[]> {
  return withPair(kind, "split", async ({ a, b, client }) => {
    const winner = await startDaemon(kind, a, { routers: [web(150, INTERVAL_MS)] });
    await holdsAddress(winner);
    const loser = await startDaemon(kind, b, { routers: [web(100, INTERVAL_MS)] });
    const wire = await watchWire(client);
    const ping = client.ping(VIP, 1);
    await ping.answered();
    const spans: { readonly fromMs: number; readonly toMs: number }[] = [];
    for (let round = 0; round < rounds; round++) {
      say(`${kind}, round ${round + 1} of ${rounds}`);
      await pause(QUIET_MS);
      // The client stays with the loser. (On the winner's side nothing would change for it.)
      a.isolate();
      await holdsAddress(loser);
      await pauseSomewhere(1000, 1100);
      const fromMs = nowMs();
      a.heal();
      await lacksAddress(loser);
      // Where nothing else tells the client, its own neighbour table will.
      await waitFor(() => client.neighbour(VIP) === a.mac(), {
        timeoutMs: PATIENCE_MS,
        what: `the client to know the winner (${kind})`,
        everyMs: 50,
      });
      await pause(SETTLE_MS);
      spans.push({ fromMs, toMs: nowMs() });
    }
    const echoes = (await wire.stop()).echoes(VIP);
    return spans.map(({ fromMs, toMs }) => servedBy(echoes, a.mac(), fromMs, toMs));
  });
}

async function run({ rounds, say }: Bench): Promise<Line[]> {
  const count = rounds(6, 2);
  const { appliance: ours, keepalived } = await sideBySide((kind) => splits(kind, count, say));
  const common = { unit: "ms", ours, keepalived } as const;
  return [
    {
      ...common,
      what: "link back → the winner alone answers, worst",
      statistic: "worst",
      budget: 300,
      note:
        "keepalived's winner announces again only if it happens to hear the loser before the loser hears it",
    },
    { ...common, what: "the same, median", statistic: "median", budget: null },
  ];
}

export const split: Row = { name: "split", title: "a split heals, adverts of 100 ms", run };
