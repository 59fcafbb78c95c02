/**
 * Planned hand-over, adverts of 1 s, under a client that sends each millisecond. What is lost is counted from a capture
 * with the kernel's time stamps. The ways are tried at the same time, each with machines of its own.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { deaths } from "../bench/rows/nginx.ts";
import { watchWire } from "../bench/wire.ts";
import {
  type Appliance,
  appliancePath,
  createLab,
  describeLab,
  type Lab,
  type LabNode,
  nowMs,
  pause,
  VIP,
  waitFor,
  web,
  yamlOf,
} from "./lab.ts";
import { type Loss, lossesOf } from "./lab/lost.ts";

const ROUNDS = 5;
/** After the successor has spoken: whatever is lost is lost by then. */
const SETTLE_MS = 300;

/** How the master is made to step down on purpose, and back. */
interface Means {
  readonly leave: (pair: Pair) => Promise<void>;
  readonly undo: (pair: Pair) => Promise<void>;
}

interface Way {
  readonly name: string;
  readonly means: keyof typeof MEANS;
  readonly version: 2 | 3;
  /** Priority of the successor: the lower, the longer it waits after a goodbye. */
  readonly successor: number;
}

async function command(pair: Pair, name: "release" | "resume"): Promise<void> {
  const { configPath } = pair.first;
  const { code } = await pair.a.spawn([appliancePath(), name, "web", "-c", configPath]).ended;
  expect(code).toBe(0);
}

function reload({ first }: Pair, yaml: string): Promise<void> {
  first.writeConfig(yaml);
  first.process.kill("SIGHUP");
  return Promise.resolve();
}

const MEANS = {
  release: { leave: (pair) => command(pair, "release"), undo: (pair) => command(pair, "resume") },
  SIGTERM: {
    leave: async (pair) => {
      const { code, tookMs } = await pair.first.stop();
      expect(code).toBe(0);
      pair.stopMs.push(tookMs);
    },
    undo: async (pair) => {
      pair.first = await pair.a.startAppliance(pair.yaml(150));
    },
  },
  "reload without it": {
    leave: (pair) => reload(pair, pair.without),
    undo: (pair) => reload(pair, pair.yaml(150)),
  },
} satisfies Record<string, Means>;

const WAYS: readonly Way[] = [
  { name: "release", means: "release", version: 3, successor: 100 },
  { name: "SIGTERM", means: "SIGTERM", version: 3, successor: 100 },
  { name: "reload", means: "reload without it", version: 3, successor: 100 },
  { name: "v2-SIGTERM", means: "SIGTERM", version: 2, successor: 100 },
  { name: "slow-release", means: "release", version: 3, successor: 1 },
  { name: "slow-SIGTERM", means: "SIGTERM", version: 3, successor: 1 },
  { name: "v2-slow-SIGTERM", means: "SIGTERM", version: 2, successor: 1 },
];

/** Two routers and a client in a switch of their own. */
class Pair {
  readonly a: LabNode;
  readonly b: LabNode;
  readonly client: LabNode;
  readonly stopMs: number[] = [];
  readonly spare: Record<string, unknown>;
  first!: Appliance;
  second!: Appliance;

  constructor(lab: Lab, readonly way: Way) {
    const lan = lab.switch(`${way.name}-l`);
    const node = (name: string, last: number) =>
      lab.node(`${way.name}-${name}`, { switch: lan, addresses: [`10.0.0.${last}/24`] });
    [this.a, this.b, this.client] = [node("a", 1), node("b", 2), node("c", 9)];
    this.spare = web(100, { vrid: 52, advert_interval: "1s", addresses: ["10.0.0.200/24"] });
  }

  yaml(priority: number): string {
    const { version } = this.way;
    return yamlOf({ vrrp: { web: web(priority, { advert_interval: "1s", version }), spare: this.spare } });
  }

  get without(): string {
    return yamlOf({ vrrp: { spare: this.spare } });
  }
}

/** What a way cost, one figure a round. */
interface Outcome {
  readonly losses: readonly Loss[];
  /** From the order to the successor's first advert. */
  readonly tookMs: readonly number[];
  readonly stopMs: readonly number[];
}

async function measure(lab: Lab, way: Way): Promise<Outcome> {
  const pair = new Pair(lab, way);
  const { a, b, client } = pair;
  pair.first = await a.startAppliance(pair.yaml(150));
  pair.second = await b.startAppliance(pair.yaml(way.successor));
  await pair.first.waitState("web", "master", 6000);
  await pair.second.waitState("web", "backup", 6000);
  const wire = await watchWire(client);
  const ping = client.ping(VIP, 1);
  await ping.answered();
  const spans: { readonly fromMs: number; readonly toMs: number }[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    await pause(SETTLE_MS);
    const fromMs = nowMs();
    await Promise.all([
      MEANS[way.means].leave(pair),
      waitFor(() => client.neighbour(VIP) === b.mac(), {
        timeoutMs: 4000,
        what: `${way.name}: the client to know the successor`,
        everyMs: 50,
        explain: () => pair.first.log + pair.second.log,
      }),
    ]);
    await pause(SETTLE_MS);
    spans.push({ fromMs, toMs: nowMs() });
    if (round === ROUNDS - 1) break;
    await MEANS[way.means].undo(pair);
    await waitFor(() => client.neighbour(VIP) === a.mac(), {
      timeoutMs: 6000,
      what: `${way.name}: the client to know the master again`,
      everyMs: 50,
      explain: () => pair.first.log + pair.second.log,
    });
  }
  const traffic = await wire.stop();
  const losses = lossesOf(traffic, VIP);
  const successors = traffic.adverts("10.0.0.2").filter(({ vrid, priority }) => vrid === 51 && priority > 0);
  return {
    losses: spans.map(({ fromMs, toMs }) => losses(fromMs, toMs)),
    tookMs: spans.map(({ fromMs }) => successors.find(({ atMs }) => atMs > fromMs)!.atMs - fromMs),
    stopMs: pair.stopMs,
  };
}

function median(values: readonly number[]): number {
  return values.toSorted((x, y) => x - y)[Math.floor(values.length / 2)]!;
}

function list(values: readonly number[], digits = 0): string {
  return values.map((value) => value.toFixed(digits)).join(", ");
}

describeLab("planned hand-over", ["tcpdump"], () => {
  let lab: Lab;
  const outcomes = new Map<string, Promise<Outcome>>();

  beforeAll(() => {
    lab = createLab("handover");
    for (const way of WAYS) {
      const outcome = measure(lab, way);
      outcome.catch(() => {});
      outcomes.set(way.name, outcome);
    }
  }, 20_000);
  afterAll(() => lab.close(), 30_000);

  for (const way of WAYS) {
    test(`${way.name}: nothing is lost`, async () => {
      const { losses, tookMs, stopMs } = await outcomes.get(way.name)!;
      const lost = losses.map((loss) => loss.lost);
      const gaps = losses.map(({ gapMs }) => gapMs);
      const ended = stopMs.length > 0 ? `; ended after ${list(stopMs)} ms` : "";
      console.log(
        `${way.means}, v${way.version}, adverts of 1 s, successor of priority ${way.successor}: lost ${
          list(lost)
        } of one ` +
          `each ms, longest gap ${list(gaps, 1)} ms; the successor speaks after ${list(tookMs)} ms${ended}`,
      );
      expect(median(lost)).toBe(0);
      expect(Math.max(...gaps)).toBeLessThan(50);
      expect(median(tookMs)).toBeLessThan(450);
      if (stopMs.length > 0) expect(median(stopMs)).toBeLessThan(500);
    }, 60_000);
  }
});

describeLab("nginx is killed, adverts of 1 s", ["nginx", "curl", "keepalived"], () => {
  test("the peer serves within 800 ms; keepalived beside it is only told of", async () => {
    const [ours, theirs] = await Promise.all([
      deaths("probe", ROUNDS, () => {}),
      deaths("script", 2, () => {}),
    ]);
    console.log(
      `nginx killed, until the peer answers: ${list(ours)} ms with probes of 200 ms; ` +
        `keepalived with a script of 1 s: ${list(theirs)} ms`,
    );
    expect(median(ours)).toBeLessThan(800);
    expect(Math.max(...ours)).toBeLessThan(2000);
  }, 60_000);
});
