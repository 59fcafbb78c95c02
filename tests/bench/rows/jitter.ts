/** How regular advertisements of 10 ms are, on an idle and on a busy machine. */
import { cpus } from "node:os";
import { join } from "node:path";
import type { Bench, Line, Row } from "../measure.ts";
import { ADDRESS_A, holdsAddress, type Kind, type Setup, startDaemon, web, withPair } from "../daemon.ts";
import { pause, within } from "../../netns/lab/wait.ts";
import { distances, watchWire } from "../wire.ts";

const INTERVAL_MS = 10;
const TICKER = join(import.meta.dir, "../programs/ticker.ts");
const SETTLE_MS = 600;
const SLICE_MS = 6000;

function setupOf(realtime: boolean): Setup {
  return {
    routers: [web(150, INTERVAL_MS)],
    appliance: { file: { engine: { realtime: realtime ? "auto" : "off" } } },
    keepalived: { globals: realtime ? ["vrrp_rt_priority 50"] : [] },
  };
}

/** What one slice of time gave, in milliseconds. */
interface Slice {
  /** How far each distance of two adverts is from the interval. */
  readonly jitter: readonly number[];
  /** The same of a bare real-time timer beside it; empty where there was none. */
  readonly bare: readonly number[];
}

function slice(kind: Kind, realtime: boolean, busy: boolean, lengthMs: number): Promise<Slice> {
  return withPair(kind, "jitter", async ({ a, client }) => {
    const master = await startDaemon(kind, a, setupOf(realtime));
    await holdsAddress(master);
    const hogs = busy ? cpus().map(() => client.spawn(["sh", "-c", "while :; do :; done"])) : [];
    await pause(SETTLE_MS);
    const wire = await watchWire(client, "ip proto 112");
    const ticker = busy && realtime ? client.spawn([process.execPath, TICKER, String(lengthMs)]) : null;
    const fromMs = Date.now();
    await pause(lengthMs);
    const toMs = Date.now();
    if (ticker !== null) await within(ticker.ended, 5000, "the bare timer");
    for (const hog of hogs) hog.kill("SIGKILL");
    const adverts = (await wire.stop()).adverts(ADDRESS_A)
      .filter(({ atMs }) => atMs >= fromMs && atMs <= toMs);
    return {
      jitter: distances(adverts).map((distance) => Math.abs(distance - INTERVAL_MS)),
      bare: ticker === null ? [] : shifts(JSON.parse(ticker.stdout) as number[]),
    };
  });
}

/** How far the distances of ticks are from the interval, from how late each was. */
function shifts(late: readonly number[]): number[] {
  return late.slice(1).map((value, index) => Math.abs(value - late[index]!));
}

/** What is measured: all of these in turn, again and again, so that a noisy moment meets none of them alone. */
const CASES = {
  idleOurs: ["appliance", true, false],
  idleKeepalived: ["keepalived", false, false],
  idleOff: ["appliance", false, false],
  busyOurs: ["appliance", true, true],
  busyKeepalived: ["keepalived", true, true],
  busyOff: ["appliance", false, true],
  busyOrdinary: ["keepalived", false, true],
} as const;

type Case = keyof typeof CASES;

async function run({ rounds, calm, say }: Bench): Promise<Line[]> {
  const slices = rounds(2, 1);
  const found: Partial<Record<Case, number[]>> = {};
  const bare: Record<Kind, number[]> = { appliance: [], keepalived: [] };
  for (let round = 0; round < slices; round++) {
    say(`round ${round + 1} of ${slices}`);
    for (const [name, [kind, realtime, busy]] of Object.entries(CASES)) {
      await calm();
      const seen = await slice(kind, realtime, busy, SLICE_MS);
      (found[name as Case] ??= []).push(...seen.jitter);
      bare[kind].push(...seen.bare);
    }
  }
  const line = (ours: Case, keepalived: Case) =>
    ({ unit: "ms", ours: found[ours] ?? [], keepalived: found[keepalived] ?? [] }) as const;
  return [
    {
      ...line("idleOurs", "idleKeepalived"),
      what: "idle, p99",
      statistic: "p99",
      budget: 0.12,
      note:
        `difference of each distance from ${INTERVAL_MS} ms over ${
          slices * SLICE_MS / 1000
        } s; ours as it comes: ` +
        "real-time when allowed",
    },
    {
      ...line("idleOff", "idleKeepalived"),
      what: "idle, ours with realtime: off, p99",
      statistic: "p99",
      budget: null,
    },
    {
      ...line("busyOurs", "busyKeepalived"),
      what: "all processors busy, both real-time, p99.9",
      statistic: "p99.9",
      budget: 0.1,
      note: "keepalived with vrrp_rt_priority 50",
    },
    {
      what: "a bare real-time timer beside them, p99.9",
      unit: "ms",
      statistic: "p99.9",
      budget: null,
      ours: bare.appliance,
      keepalived: bare.keepalived,
      note: "a loop that does nothing, in the same slices of time: what the machine takes from everybody",
    },
    {
      ...line("busyOff", "busyOrdinary"),
      what: "all processors busy, neither real-time, p99.9",
      statistic: "p99.9",
      budget: null,
    },
  ];
}

export const jitter: Row = { name: "jitter", title: "regularity of adverts of 10 ms", run };
