/** A config file with a mistake is reloaded: nothing may change. */
import type { Bench, Line, Row } from "../measure.ts";
import {
  ADDRESS_A,
  holdsAddress,
  type Kind,
  type Setup,
  sideBySide,
  startDaemon,
  web,
  withPair,
} from "../daemon.ts";
import { isAlive } from "../../netns/lab/command.ts";
import { nowMs } from "../../netns/lab/client.ts";
import { VIP } from "../../netns/lab/config.ts";
import { pause } from "../../netns/lab/wait.ts";
import { distances, longestSilence, lostPackets, watchWire } from "../wire.ts";

const INTERVAL_MS = 100;
const AFTER_MS = 3000;

const GOOD: Setup = { routers: [web(150, INTERVAL_MS)] };

/** Each mistake as a whole file. */
const MISTAKES: Readonly<Record<string, Setup>> = {
  "an interface that does not exist": { routers: [{ ...web(150, INTERVAL_MS), device: "eth7" }] },
  "a VRID twice": { routers: [web(150, INTERVAL_MS), { ...web(120, INTERVAL_MS), name: "again" }] },
};

/** What changed, in words; empty = nothing. */
function changes(kind: Kind, mistake: Setup): Promise<string[]> {
  return withPair(kind, "mistake", async ({ a, b, client }) => {
    const master = await startDaemon(kind, a, GOOD);
    await holdsAddress(master);
    await startDaemon(kind, b, { routers: [web(100, INTERVAL_MS)] });
    const wire = await watchWire(client);
    await client.ping(VIP, 1).answered();
    const pids = master.pids();
    await pause(500);
    const fromMs = nowMs();
    master.write(mistake);
    master.reload();
    await pause(AFTER_MS);
    const toMs = nowMs();
    const found: string[] = [];
    if (!master.alive()) found.push("the daemon ended");
    else if (!pids.every(isAlive)) found.push("a process of the daemon ended");
    const holders = [a, b].filter((node) => node.has(VIP)).length;
    if (holders !== 1) found.push(`the VIP is on ${holders} nodes`);
    else if (b.has(VIP)) found.push("the peer has taken over");
    const traffic = await wire.stop();
    const adverts = traffic.adverts(ADDRESS_A).filter(({ atMs }) => atMs > fromMs && atMs < toMs);
    const gap = Math.max(...distances([{ atMs: fromMs }, ...adverts, { atMs: toMs }]));
    if (gap > 1.5 * INTERVAL_MS) found.push(`no advert for ${gap.toFixed(0)} ms`);
    const conversation = traffic.conversation(VIP);
    const lost = lostPackets(conversation, fromMs, toMs);
    if (lost > 0) {
      found.push(
        `${lost} packets lost, ${
          longestSilence(conversation.echoes, fromMs, toMs).toFixed(0)
        } ms at a stretch`,
      );
    }
    return found;
  });
}

async function run(_: Bench): Promise<Line[]> {
  const lines: Line[] = [];
  for (const [what, mistake] of Object.entries(MISTAKES)) {
    const { appliance, keepalived } = await sideBySide((kind) => changes(kind, mistake));
    const told = (found: readonly string[]) => found.length === 0 ? "nothing" : found.join(", ");
    lines.push({
      what: `${what}: changes`,
      unit: "",
      statistic: "sum",
      budget: 0,
      ours: [appliance.length],
      keepalived: [keepalived.length],
      note: `ours: ${told(appliance)}; keepalived: ${told(keepalived)}`,
    });
  }
  return lines;
}

export const mistake: Row = { name: "mistake", title: "a config with a mistake is reloaded", run };
