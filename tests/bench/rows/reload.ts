/** A reload of 250 instances of which one changes: what the others notice of it, and when the change is in force. */
import type { Bench, Line, Row } from "../measure.ts";
import { inTurn, type Kind, pauseSomewhere, type Router, startDaemon, withPair } from "../daemon.ts";
import { nowMs } from "../../netns/lab/client.ts";
import { pause, waitFor } from "../../netns/lab/wait.ts";
import { distances, watchWire } from "../wire.ts";

const INSTANCES = 250;
const INTERVAL_MS = 100;
const AFTER_MS = 1000;
/** The second burst of announcements is over by then. */
const SETTLE_MS = 6500;

/** The first instance has one more address, another in each round. */
function routers(round: number): Router[] {
  return Array.from({ length: INSTANCES }, (_, index) => ({
    name: `v${index + 1}`,
    vrid: index + 1,
    priority: 150,
    intervalMs: INTERVAL_MS,
    addresses: [`10.1.0.${index + 1}/32`, ...(index === 0 ? [`${changed(round)}/32`] : [])],
  }));
}

function changed(round: number): string {
  return `10.2.0.${round + 1}`;
}

interface Reload {
  /** The largest distance of two adverts of any instance that was not changed, in milliseconds. */
  readonly gap: number;
  /** The same while nothing was reloaded, in a time as long. */
  readonly quiet: number;
  /** From SIGHUP until the new address was announced, in milliseconds. */
  readonly applied: number;
}

function reloads(kind: Kind, rounds: number, calm: Bench["calm"]): Promise<Reload[]> {
  return withPair(kind, "reload", async ({ a, client }) => {
    const daemon = await startDaemon(kind, a, { routers: routers(0) });
    await waitFor(() => a.has(`10.1.0.${INSTANCES}`), {
      timeoutMs: 5000,
      what: "all addresses",
      everyMs: 100,
      explain: () => daemon.log(),
    });
    await pause(SETTLE_MS);
    const wire = await watchWire(client, "ip proto 112 or arp");
    const signalledMs: number[] = [];
    for (let round = 1; round <= rounds; round++) {
      await calm();
      await pauseSomewhere(AFTER_MS, AFTER_MS + 100);
      daemon.write({ routers: routers(round) });
      await pause(50);
      signalledMs.push(nowMs());
      daemon.reload();
      await pause(AFTER_MS);
    }
    const traffic = await wire.stop();
    const untouched = [
      ...Map.groupBy(traffic.adverts().filter(({ vrid }) => vrid > 1), ({ vrid }) => vrid)
        .values(),
    ];
    const largest = (fromMs: number, toMs: number) =>
      Math.max(
        ...untouched.map((adverts) =>
          Math.max(...distances(adverts.filter(({ atMs }) => atMs > fromMs - INTERVAL_MS && atMs < toMs)))
        ),
      );
    const announced = traffic.announcements();
    return signalledMs.map((fromMs, index) => {
      const first = announced.find(({ address, atMs }) => address === changed(index + 1) && atMs > fromMs);
      return {
        gap: largest(fromMs, fromMs + AFTER_MS),
        quiet: largest(fromMs - AFTER_MS, fromMs - INTERVAL_MS),
        applied: (first?.atMs ?? Infinity) - fromMs,
      };
    });
  });
}

async function run({ rounds, calm }: Bench): Promise<Line[]> {
  const count = rounds(7, 2);
  const { appliance, keepalived } = await inTurn((kind) => reloads(kind, count, calm));
  const line = (key: keyof Reload) =>
    ({
      unit: "ms",
      ours: appliance.map((result) => result[key]),
      keepalived: keepalived.map((result) => result[key]),
    }) as const;
  return [
    { ...line("gap"), what: "largest gap of the untouched, worst", statistic: "worst", budget: 101 },
    { ...line("gap"), what: "the same, median of reloads", statistic: "median", budget: null },
    {
      ...line("quiet"),
      what: "the same while nothing is reloaded, median",
      statistic: "median",
      budget: null,
    },
    {
      ...line("applied"),
      what: "SIGHUP → the added address announced, median",
      statistic: "median",
      budget: 50,
    },
  ];
}

export const reload: Row = {
  name: "reload",
  title: `reload of ${INSTANCES} instances, adverts of 100 ms, one changes`,
  run,
};
