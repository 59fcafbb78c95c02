/**
 * Many schedules from one seed, each of which can be run again by itself, spread over the processors.
 *
 * `APPLIANCE_SIM_RUNS` = number of schedules, `APPLIANCE_SIM_SEED` = the first seed (default: of the commit, so that each
 * change tries others and a failure stays until something changes), `APPLIANCE_SIM_TRACE=1` tells every step.
 *
 * @module
 */
import { spawnSync } from "node:child_process";

/** What was seen in some runs, by name; what begins with `longest` is a maximum, all else are sums. */
export type Figures = Record<string, number>;

/** One schedule; what it returns is added up. Throws when anything is not as it should be. */
export type Schedule = (seed: number) => Figures;

/** The kinds of schedules there are. */
export type Kind = "election" | "hand_over" | "restart" | "replay";

/** What a worker is to do. */
export interface Order {
  readonly kind: Kind;
  readonly first: number;
  readonly runs: number;
}

/** What a worker answers. */
export type Answer = { readonly figures: Figures } | { readonly error: string };

/** Seed of the first schedule. */
export const SEED = Number(process.env["APPLIANCE_SIM_SEED"] ?? commitSeed() ?? Date.now() % 1_000_000_000);
/** Whether to tell every step. */
export const TRACE = process.env["APPLIANCE_SIM_TRACE"] === "1";

/** So few schedules are not worth a thread. */
const FEW = 200;
const THREADS = Math.max(1, Math.min(4, navigator.hardwareConcurrency));

/** The first digits of the commit; null outside a checkout. */
function commitSeed(): number | null {
  const { status, stdout } = spawnSync("git", ["rev-parse", "HEAD"], {
    cwd: import.meta.dirname,
    encoding: "utf8",
  });
  return status === 0 ? Number.parseInt(stdout.slice(0, 7), 16) : null;
}

/** How many schedules to run, when not told, so many. */
export function runsOr(usual: number): number {
  return Number(process.env["APPLIANCE_SIM_RUNS"] ?? usual);
}

function add(total: Figures, figures: Figures): void {
  for (const [name, value] of Object.entries(figures)) {
    const before = total[name] ?? 0;
    total[name] = name.startsWith("longest") ? Math.max(before, value) : before + value;
  }
}

/** Runs schedules one after the other; throws with the seed of the first that fails. */
export async function runSeeds({ kind, first, runs }: Order): Promise<Figures> {
  const { schedule } = await import(`./${kind}.ts`) as { schedule: Schedule };
  const total: Figures = {};
  for (let seed = first; seed < first + runs; seed++) {
    try {
      add(total, schedule(seed));
    } catch (error) {
      const text = error instanceof Error ? error.stack : String(error);
      throw new Error(`APPLIANCE_SIM_SEED=${seed} APPLIANCE_SIM_RUNS=1 fails in ${kind}: ${text}`);
    }
  }
  return total;
}

function runInThread(order: Order): Promise<Figures> {
  const worker = new Worker(new URL("./worker.ts", import.meta.url).href);
  return new Promise<Figures>((resolve, reject) => {
    worker.onmessage = ({ data }: MessageEvent<Answer>) => {
      if ("figures" in data) resolve(data.figures);
      else reject(new Error(data.error));
    };
    worker.onerror = ({ message }) => reject(new Error(message));
    worker.postMessage(order);
  }).finally(() => worker.terminate());
}

/** Runs schedules on all processors, and tells what was seen. */
export async function runMany(kind: Kind, runs: number): Promise<Figures> {
  const parts = TRACE || runs < FEW ? 1 : THREADS;
  const size = Math.ceil(runs / parts);
  const orders = Array.from({ length: parts }, (_, part): Order => ({
    kind,
    first: SEED + part * size,
    runs: Math.min(size, runs - part * size),
  }));
  const total: Figures = {};
  for (const figures of await Promise.all(orders.map(parts === 1 ? runSeeds : runInThread))) {
    add(total, figures);
  }
  console.log(`${kind}: ${runs} schedules from seed ${SEED}: ${JSON.stringify(total)}`);
  return total;
}
