/** Someone else deletes the virtual address: until it is back. */
import type { Bench, Line, Row } from "../measure.ts";
import {
  holdsAddress,
  type Kind,
  pauseSomewhere,
  sideBySide,
  startDaemon,
  web,
  withPair,
} from "../daemon.ts";
import { nowMs } from "../../netns/lab/client.ts";
import { VIP } from "../../netns/lab/config.ts";
import { pause } from "../../netns/lab/wait.ts";
import { longestSilence, watchWire } from "../wire.ts";

const AFTER_MS = 2000;

interface Repair {
  /** From the kernel's event of the deletion to that of the addition, as `ip monitor` tells them. */
  readonly backMs: number;
  /** The client's longest time without a reply. */
  readonly outageMs: number;
}

/** One line of `ip -ts -o monitor address`: when, in milliseconds, and whether the address went. */
function readEvent(line: string): { readonly atMs: number; readonly gone: boolean } | null {
  const match = /^\[([\d:T.-]+)\] (Deleted )?/.exec(line);
  if (match === null || !line.includes(` ${VIP}/`)) return null;
  const [seconds, fraction] = match[1]!.split(".");
  return { atMs: Date.parse(`${seconds}Z`) + Number(`0.${fraction}`) * 1000, gone: match[2] !== undefined };
}

function repairs(kind: Kind, rounds: number): Promise<Repair[]> {
  return withPair(kind, "repair", async ({ a, b, client }) => {
    const master = await startDaemon(kind, a, { routers: [web(150, 1000)] });
    await startDaemon(kind, b, { routers: [web(100, 1000)] });
    await holdsAddress(master);
    const events: { readonly atMs: number; readonly gone: boolean }[] = [];
    a.spawn(["ip", "-ts", "-o", "monitor", "address"], (line) => {
      const event = readEvent(line);
      if (event !== null) events.push(event);
    });
    const wire = await watchWire(client);
    await client.ping(VIP, 1).answered();
    const deletedMs: number[] = [];
    for (let round = 0; round < rounds; round++) {
      await holdsAddress(master);
      await pauseSomewhere(1000, 1500);
      deletedMs.push(nowMs());
      a.ip(`addr del ${VIP}/24 dev eth0`);
      await pause(AFTER_MS);
    }
    const echoes = (await wire.stop()).echoes(VIP);
    return deletedMs.map((fromMs) => {
      const gone = events.find(({ atMs, gone }) => gone && atMs >= fromMs - 1)?.atMs ?? NaN;
      const back = events.find(({ atMs, gone: away }) => !away && atMs >= gone)?.atMs ?? Infinity;
      return { backMs: back - gone, outageMs: longestSilence(echoes, fromMs, fromMs + AFTER_MS) };
    });
  });
}

async function run({ rounds }: Bench): Promise<Line[]> {
  const count = rounds(7, 2);
  const { appliance, keepalived } = await sideBySide((kind) => repairs(kind, count));
  const line = (key: keyof Repair) =>
    ({
      unit: "ms",
      ours: appliance.map((result) => result[key]),
      keepalived: keepalived.map((result) => result[key]),
    }) as const;
  return [
    {
      ...line("backMs"),
      what: "kernel's event of deletion → of addition, median",
      statistic: "median",
      budget: 5,
    },
    { ...line("backMs"), what: "the same, worst", statistic: "worst", budget: 5 },
    { ...line("outageMs"), what: "client without a reply, worst", statistic: "worst", budget: null },
  ];
}

export const repair: Row = { name: "repair", title: "a VIP deleted by someone else, adverts of 1 s", run };
