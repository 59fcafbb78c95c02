/** Planned hand-over under a client that sends each millisecond: what it loses, and how long it takes. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Bench, Line, Row } from "../measure.ts";
import {
  ADDRESS_B,
  applianceOf,
  type Daemon,
  holdsAddress,
  type Kind,
  lacksAddress,
  type Pair,
  type Router,
  type Setup,
  sideBySide,
  startDaemon,
  web,
  withPair,
} from "../daemon.ts";
import { appliancePath } from "../../netns/lab/appliance.ts";
import { nowMs } from "../../netns/lab/client.ts";
import { VIP } from "../../netns/lab/config.ts";
import { pause } from "../../netns/lab/wait.ts";
import { type Conversation, lostPackets, servedBy, type Traffic, watchWire } from "../wire.ts";

const INTERVAL_MS = 1000;
/** After the new master has the address: whatever is lost is lost by then. */
const SETTLE_MS = 500;
const MOVED_VIP = "10.0.0.101";

/** A time in which something was planned, by the capture's clock. */
interface Span {
  readonly fromMs: number;
  readonly toMs: number;
}

/** The ways to hand over, each with its rounds. */
interface Spans {
  readonly stop: Span[];
  readonly release: Span[];
  readonly removed: Span[];
  readonly moved: Span[];
}

/** What one daemon gave, one figure a round. */
interface Result {
  readonly lost: Readonly<Record<keyof Spans, number[]>>;
  /** From the command to the successor's first advertisement. */
  readonly releaseMs: readonly number[];
  /** From the command until every reply comes from the successor. */
  readonly servedMs: readonly number[];
}

/** A third router holds the moved address at first; a node without {@link web} still has this one. */
function other(priority: number, addresses: readonly string[]): Router {
  return { name: "other", vrid: 52, priority, intervalMs: INTERVAL_MS, addresses };
}

function weightFile(pair: Pair): string {
  return join(pair.a.directory("weight"), "down");
}

function setups(pair: Pair) {
  const file = weightFile(pair);
  const keepalived = {
    blocks: ["track_file down {", `  file ${file}`, "}"],
    instance: ["track_file {", "  down weight 1", "}"],
  };
  const master = (...routers: Router[]): Setup => ({ routers, keepalived });
  const successor = (...routers: Router[]): Setup => ({ routers });
  const spare = (priority: number) => other(priority, ["10.0.0.102/8", `${MOVED_VIP}/8`]);
  return {
    a: master(web(150, INTERVAL_MS), spare(150)),
    b: successor(web(100, INTERVAL_MS), spare(100)),
    withoutWeb: successor(spare(150)),
    movedA: master(
      { ...web(150, INTERVAL_MS), addresses: [`${VIP}/24`, `${MOVED_VIP}/8`] },
      other(150, ["10.0.0.102/8"]),
    ),
    movedB: successor(
      { ...web(100, INTERVAL_MS), addresses: [`${VIP}/24`, `${MOVED_VIP}/8`] },
      other(100, ["10.0.0.102/8"]),
    ),
  };
}

/** The master steps down by command: ours by `release`, keepalived by the file that its priority follows. */
async function release(kind: Kind, pair: Pair, master: Daemon): Promise<void> {
  if (kind === "keepalived") return writeFileSync(weightFile(pair), "-100\n");
  const { configPath } = applianceOf(master);
  await pair.a.spawn([appliancePath(), "release", "web", "-c", configPath]).ended;
}

async function resume(kind: Kind, pair: Pair, master: Daemon): Promise<void> {
  if (kind === "keepalived") return writeFileSync(weightFile(pair), "0\n");
  const { configPath } = applianceOf(master);
  await pair.a.spawn([appliancePath(), "resume", "web", "-c", configPath]).ended;
}

function measure(kind: Kind, rounds: number, say: Bench["say"]): Promise<Result> {
  return withPair(kind, "handover", async (pair) => {
    const { a, b, client } = pair;
    writeFileSync(weightFile(pair), "0\n");
    const plans = setups(pair);
    let master = await startDaemon(kind, a, plans.a);
    const successor = await startDaemon(kind, b, plans.b);
    await holdsAddress(master);
    await holdsAddress(master, MOVED_VIP);
    const wire = await watchWire(client);
    for (const address of [VIP, MOVED_VIP]) await client.ping(address, 1).answered();
    await pause(SETTLE_MS);

    const spans: Spans = { stop: [], release: [], removed: [], moved: [] };
    const during = async (where: Span[], act: () => Promise<void>) => {
      const fromMs = nowMs();
      await act();
      await pause(SETTLE_MS);
      where.push({ fromMs, toMs: nowMs() });
    };
    const over = () => holdsAddress(successor);
    const back = async () => {
      await lacksAddress(successor);
      await holdsAddress(master);
      await pause(SETTLE_MS);
    };
    for (let round = 0; round < rounds; round++) {
      say(`${kind}, round ${round + 1} of ${rounds}`);
      await during(spans.stop, async () => {
        await Promise.all([master.stop(), over()]);
      });
      master = await startDaemon(kind, a, plans.a);
      await back();
      await during(spans.release, async () => {
        await release(kind, pair, master);
        await over();
        await lacksAddress(master);
      });
      await resume(kind, pair, master);
      await back();
      master.write(plans.withoutWeb);
      await during(spans.removed, async () => {
        master.reload();
        await over();
      });
      master.write(plans.a);
      master.reload();
      await back();
      master.write(plans.movedA);
      successor.write(plans.movedB);
      await during(spans.moved, async () => {
        master.reload();
        successor.reload();
        await pause(2 * INTERVAL_MS);
      });
      master.write(plans.a);
      successor.write(plans.b);
      await during(spans.moved, async () => {
        master.reload();
        successor.reload();
        await pause(2 * INTERVAL_MS);
      });
      await holdsAddress(master);
      await holdsAddress(master, MOVED_VIP);
    }
    return evaluate(await wire.stop(), spans, b.mac());
  });
}

function evaluate(traffic: Traffic, spans: Spans, successorMac: string): Result {
  const served = traffic.conversation(VIP);
  const moved = traffic.conversation(MOVED_VIP);
  const lost = (list: readonly Span[], of: Conversation) =>
    list.map(({ fromMs, toMs }) => lostPackets(of, fromMs, toMs));
  const successors = traffic.adverts(ADDRESS_B).filter(({ vrid, priority }) => vrid === 51 && priority > 0);
  return {
    lost: {
      stop: lost(spans.stop, served),
      release: lost(spans.release, served),
      removed: lost(spans.removed, served),
      moved: lost(spans.moved, moved),
    },
    releaseMs: spans.release.map(({ fromMs, toMs }) =>
      (successors.find(({ atMs }) => atMs > fromMs && atMs < toMs)?.atMs ?? Infinity) - fromMs
    ),
    servedMs: spans.release.map(({ fromMs, toMs }) => servedBy(served.echoes, successorMac, fromMs, toMs)),
  };
}

async function run({ rounds, say }: Bench): Promise<Line[]> {
  const count = rounds(5, 2);
  const { appliance, keepalived } = await sideBySide((kind) => measure(kind, count, say));
  const weight =
    "keepalived has no such command: a track_file takes 100 off the priority, which is its quickest way";
  const lost = (what: string, way: keyof Spans, note?: string): Line[] =>
    (["median", "worst"] as const).map((statistic) => ({
      what: `${what}: lost, ${statistic}`,
      unit: "",
      statistic,
      budget: 0,
      ours: appliance.lost[way],
      keepalived: keepalived.lost[way],
      ...(note === undefined ? {} : { note }),
    }));
  return [
    ...lost("stop (SIGTERM)", "stop"),
    ...lost("release", "release", weight),
    ...lost("reload without the instance", "removed"),
    ...lost(
      "reload, VIP to another instance",
      "moved",
      "there and back in each round; both routers are reloaded at the same moment",
    ),
    {
      what: "release: command to successor's first advert",
      unit: "ms",
      statistic: "median",
      budget: 100,
      ours: appliance.releaseMs,
      keepalived: keepalived.releaseMs,
      note: weight,
    },
    {
      what: "release: command until the successor alone serves",
      unit: "ms",
      statistic: "median",
      budget: null,
      ours: appliance.servedMs,
      keepalived: keepalived.servedMs,
    },
  ];
}

export const handover: Row = {
  name: "handover",
  title: "planned hand-over, adverts of 1 s, a packet each ms",
  run,
};
