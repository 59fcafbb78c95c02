/** 500 instances on one node: what they cost, and whether they are on time. */
import type { Bench, Line, Row } from "../measure.ts";
import { type Memory, memoryOf, processorS } from "../machine.ts";
import { type Kind, type Router, sideBySide, startDaemon } from "../daemon.ts";
import { pause } from "../../netns/lab/wait.ts";
import { Lab } from "../../netns/lab/topology.ts";
import { type Advert, distances, watchWire } from "../wire.ts";

const INSTANCES = 500;
const PER_DEVICE = 250;
const INTERVAL_MS = 1000;
const LATE_MS = 20;
/** Start, Master_Down_Interval and the second burst of announcements are over by then. */
const SETTLE_MS = 11_000;

function routers(): Router[] {
  return Array.from({ length: INSTANCES }, (_, index) => {
    const device = Math.floor(index / PER_DEVICE);
    const vrid = index % PER_DEVICE + 1;
    return {
      name: `v${index}`,
      device: `eth${device}`,
      vrid,
      priority: 150,
      intervalMs: INTERVAL_MS,
      addresses: [`10.${device + 1}.0.${vrid}/32`],
    };
  });
}

interface Result {
  /** By process, the root first. */
  readonly processorS: readonly number[];
  readonly memory: readonly Memory[];
  readonly late: number;
  readonly adverts: number;
}

function lateOnes(adverts: readonly Advert[]): number {
  const byVrid = Map.groupBy(adverts, ({ vrid }) => vrid);
  return [...byVrid.values()].flatMap(distances).filter((distance) => distance > INTERVAL_MS + LATE_MS)
    .length;
}

async function measure(kind: Kind, lengthMs: number): Promise<Result> {
  const lab = new Lab(`many-${kind[0]}`);
  try {
    const node = lab.node("a", { addresses: ["10.0.0.1/24"] });
    const witness = lab.node("witness", { addresses: ["10.0.0.9/24"] });
    for (const machine of [node, witness]) {
      const host = machine === node ? 1 : 9;
      machine.plug({ device: "eth1", switch: lab.switch("lan1"), addresses: [`10.0.1.${host}/24`] });
    }
    const daemon = await startDaemon(kind, node, { routers: routers() });
    await pause(SETTLE_MS);
    const held = node.addresses().filter((address) => /^10\.[12]\./.test(address)).length;
    if (held !== INSTANCES) throw new Error(`${kind} is master of ${held} of ${INSTANCES}: ${daemon.log()}`);
    const wires = [
      await watchWire(witness, "ip proto 112"),
      await watchWire(witness, "ip proto 112", "eth1"),
    ];
    const pids = daemon.pids();
    const fromMs = Date.now();
    const before = pids.map(processorS);
    await pause(lengthMs);
    const after = pids.map(processorS);
    const toMs = Date.now();
    const memory = pids.map(memoryOf);
    const seen = (await Promise.all(wires.map((wire) => wire.stop()))).map((traffic) =>
      traffic.adverts().filter(({ atMs }) => atMs >= fromMs && atMs <= toMs)
    );
    return {
      processorS: after.map((value, index) => value - before[index]!),
      memory,
      late: seen.reduce((sum, adverts) => sum + lateOnes(adverts), 0),
      adverts: seen.reduce((sum, { length }) => sum + length, 0),
    };
  } finally {
    await lab.close();
  }
}

function list(values: readonly number[]): string {
  return values.map((value) => value.toFixed(2)).join(" + ");
}

async function run({ rounds }: Bench): Promise<Line[]> {
  const lengthMs = rounds(20_000, 10_000);
  const { appliance, keepalived } = await sideBySide((kind) => measure(kind, lengthMs));
  const expected = INSTANCES * lengthMs / INTERVAL_MS;
  const missed = (result: Result) => Math.max(0, expected - INSTANCES - result.adverts);
  const memory = ({ memory }: Result, of: keyof Memory) => memory.map((process) => process[of]);
  const processes = (result: Result) =>
    `${list(result.processorS)} s, ${list(memory(result, "privateMib"))} MiB`;
  return [
    {
      what: `processor time of all processes in ${lengthMs / 1000} s`,
      unit: "s",
      statistic: "sum",
      budget: 0.21 * lengthMs / 20_000,
      ours: appliance.processorS,
      keepalived: keepalived.processorS,
      note: `ours: engine + control ${processes(appliance)}; keepalived: parent + vrrp ${
        processes(keepalived)
      }`,
    },
    {
      what: "private memory of all processes",
      unit: "MiB",
      statistic: "sum",
      budget: 20,
      ours: memory(appliance, "privateMib"),
      keepalived: memory(keepalived, "privateMib"),
    },
    {
      what: "of that in no file (the rest is the program's own text)",
      unit: "MiB",
      statistic: "sum",
      budget: null,
      ours: memory(appliance, "anonymousMib"),
      keepalived: memory(keepalived, "anonymousMib"),
    },
    {
      what: `adverts later than ${LATE_MS} ms, or missed`,
      unit: "",
      statistic: "sum",
      budget: 0,
      ours: [appliance.late, missed(appliance)],
      keepalived: [keepalived.late, missed(keepalived)],
      note: `adverts seen: ${appliance.adverts} and ${keepalived.adverts}`,
    },
  ];
}

export const many: Row = { name: "many", title: `${INSTANCES} instances, adverts of 1 s, one node`, run };
