/** 1,000 virtual addresses of 20 instances are taken over at once. */
import type { Bench, Line, Row } from "../measure.ts";
import {
  ADDRESS_A,
  ADDRESS_B,
  inTurn,
  type Kind,
  pauseSomewhere,
  type Router,
  startDaemon,
  withPair,
} from "../daemon.ts";
import { pause, waitFor } from "../../netns/lab/wait.ts";
import type { LabNode } from "../../netns/lab/topology.ts";
import { type Traffic, watchWire } from "../wire.ts";

const INSTANCES = 20;
const ADDRESSES_EACH = 50;
const ADDRESSES = INSTANCES * ADDRESSES_EACH;
const INTERVAL_MS = 100;
const PRIORITY_B = 100;
const DOWN_MS = 3 * INTERVAL_MS + (256 - PRIORITY_B) / 256 * INTERVAL_MS;

function routers(priority: number): Router[] {
  return Array.from({ length: INSTANCES }, (_, index) => ({
    name: `v${index + 1}`,
    vrid: index + 1,
    priority,
    intervalMs: INTERVAL_MS,
    addresses: Array.from({ length: ADDRESSES_EACH }, (_, host) => `10.1.${index + 1}.${host + 1}/32`),
  }));
}

function heldBy(node: LabNode): number {
  return node.addresses().filter((address) => address.startsWith("10.1.")).length;
}

function holdsAll(node: LabNode, log: () => string): Promise<unknown> {
  return waitFor(() => heldBy(node) === ADDRESSES, {
    timeoutMs: 10_000,
    what: `${node.name} to hold all addresses`,
    everyMs: 100,
    explain: () => `${heldBy(node)} held\n${log()}`,
  });
}

/** What one take-over took, in milliseconds. */
interface Takeover {
  /** The slowest instance: from its own due moment until all its addresses were announced. */
  readonly slowest: number;
  /** From the first due moment of all until the last address of all was announced. */
  readonly whole: number;
}

function evaluate(traffic: Traffic, killedMs: number, mac: string): Takeover {
  const announced = new Map<string, number>();
  for (const { atMs, mac: sender, address } of traffic.announcements()) {
    if (sender === mac && atMs > killedMs && !announced.has(address)) announced.set(address, atMs);
  }
  const due: number[] = [];
  const done: number[] = [];
  for (const { vrid, addresses } of routers(0)) {
    const own = traffic.adverts(ADDRESS_A).filter((advert) => advert.vrid === vrid);
    due.push(own.at(-1)!.atMs + DOWN_MS);
    done.push(Math.max(...addresses.map((address) => announced.get(address.split("/")[0]!) ?? Infinity)));
  }
  return {
    slowest: Math.max(...done.map((atMs, index) => atMs - due[index]!)),
    whole: Math.max(...done) - Math.min(...due),
  };
}

function takeovers(kind: Kind, rounds: number, calm: Bench["calm"]): Promise<Takeover[]> {
  return withPair(kind, "vips", async ({ a, b, client }) => {
    const results: Takeover[] = [];
    for (let round = 0; round < rounds; round++) {
      // New ones each time: what takes over has not done so before.
      const master = await startDaemon(kind, a, { routers: routers(150) });
      await holdsAll(a, () => master.log());
      const successor = await startDaemon(kind, b, { routers: routers(PRIORITY_B) });
      const wire = await watchWire(client, "ip proto 112 or arp");
      await calm();
      await pauseSomewhere(500, 600);
      const killedMs = await master.kill();
      await pause(2 * DOWN_MS);
      await holdsAll(b, () => successor.log());
      const traffic = await wire.stop();
      if (traffic.adverts(ADDRESS_B).length < INSTANCES) throw new Error(`${kind}: not all were taken over`);
      results.push(evaluate(traffic, killedMs, b.mac()));
      await successor.kill();
      for (const node of [a, b]) node.restore();
    }
    return results;
  });
}

async function run({ rounds, calm }: Bench): Promise<Line[]> {
  const count = rounds(5, 2);
  const { appliance, keepalived } = await inTurn((kind) => takeovers(kind, count, calm));
  const line = (key: keyof Takeover) =>
    ({
      unit: "ms",
      statistic: "median",
      ours: appliance.map((result) => result[key]),
      keepalived: keepalived.map((result) => result[key]),
    }) as const;
  return [
    {
      ...line("slowest"),
      what: "slowest instance: due → all its addresses announced, median",
      budget: 5.7,
      note: "each instance from its own due moment; an address is announced once it is there",
    },
    { ...line("whole"), what: "first due of all → last address of all announced, median", budget: null },
  ];
}

export const vips: Row = {
  name: "vips",
  title: `${ADDRESSES} addresses of ${INSTANCES} instances taken over`,
  run,
};
