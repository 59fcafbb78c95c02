/** Both cores are busy with something else, adverts of 10 ms: nobody takes over who should not, and commands are answered. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { distances, watchWire } from "../bench/wire.ts";
import {
  type Appliance,
  describeLab,
  isAlive,
  type Lab,
  type LabNode,
  nowMs,
  pairLab,
  pause,
  type Running,
  VIP,
  webYaml,
} from "./lab.ts";

const BUSY_MS = 10_000;
const KEYS = { advert_interval: "10ms" };

function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((x, y) => x - y);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]!;
}

/** A core for which a bare real-time loop waited more than half of what makes a fail-over was taken away by the machine. */
const STALL_MS = 20;
const TICKER = `${import.meta.dir}/../bench/programs/ticker.ts`;
/** Share of a core that a busy loop has when nothing else of weight runs. */
const OURS_ALONE = 0.75;
/** Clock ticks of the kernel a second, as /proc counts. */
const TICKS = 100;

/** Processor time that a process has had, in milliseconds. */
function processorMs(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]!.split(" ");
  return (Number(fields[11]) + Number(fields[12])) * 1000 / TICKS;
}

describeLab("both cores are busy", ["tcpdump", "taskset"], () => {
  let lab: Lab;
  let a: LabNode;
  let b: LabNode;
  let client: LabNode;

  beforeAll(() => void ({ lab, a, b, client } = pairLab("busy")), 30_000);
  afterAll(() => lab.close(), 30_000);

  /** Milliseconds that each of many requests took, for as long as `going`. */
  async function latencies(router: Appliance, going: () => boolean): Promise<number[]> {
    const took: number[] = [];
    while (going()) {
      const before = performance.now();
      expect((await router.status()).instances[0]!.name).toBe("web");
      took.push(performance.now() - before);
      await pause(50);
    }
    return took;
  }

  /** What one time of being busy showed. */
  async function busy(first: Appliance, second: Appliance) {
    const before = (await second.instance("web")).transitions;
    const wire = await watchWire(client, "ip proto 112");
    const loops: Running[] = ["0", "1"].map((core) =>
      lab.keep(client.spawn(["taskset", "-c", core, "sh", "-c", "while :; do :; done"]))
    );
    const tickers = ["0", "1"].map((core) =>
      client.spawn(["taskset", "-c", core, process.execPath, TICKER, String(BUSY_MS)])
    );
    const startedMs = nowMs();
    const going = () => nowMs() < startedMs + BUSY_MS;
    const [mine, theirs] = await Promise.all([latencies(first, going), latencies(second, going)]);
    const asked = performance.now();
    expect(first.command("status").code).toBe(0);
    const commandMs = performance.now() - asked;
    expect(loops.every(({ pid }) => isAlive(pid))).toBe(true);
    const share = Math.min(...loops.map(({ pid }) => processorMs(pid))) / (nowMs() - startedMs);
    for (const loop of loops) await loop.stop("SIGKILL");
    await Promise.all(tickers.map(({ ended }) => ended));
    const stallMs = Math.max(...tickers.flatMap(({ stdout }) => JSON.parse(stdout) as number[]));

    const traffic = await wire.stop();
    const gaps = distances(traffic.adverts("10.0.0.1"));
    const api = [...mine, ...theirs];
    const falls = (await second.instance("web")).transitions - before;
    console.log(
      `both cores busy for ${BUSY_MS / 1000} s (${
        (share * 100).toFixed(0)
      } % of them ours), adverts of 10 ms: ` +
        `${falls} false fail-overs; ${gaps.length} adverts, distance p99.9 ` +
        `${quantile(gaps, 0.999).toFixed(2)} ms, longest ${Math.max(...gaps).toFixed(2)} ms; ` +
        `API median ${quantile(api, 0.5).toFixed(1)} ms, longest ${Math.max(...api).toFixed(0)} ms; ` +
        `appliance status ${commandMs.toFixed(0)} ms; a bare loop waited ${stallMs.toFixed(2)} ms at most`,
    );
    expect(gaps.length).toBeGreaterThan(BUSY_MS / 10 * 0.9);
    expect(Math.max(...api)).toBeLessThan(2000);
    expect(commandMs).toBeLessThan(5000);
    return { falls, disturbed: share < OURS_ALONE || stallMs > STALL_MS };
  }

  test("adverts of 10 ms: no false fail-over, and the API and the commands answer", async () => {
    const first = await a.startAppliance(webYaml(150, KEYS));
    const second = await b.startAppliance(webYaml(100, KEYS));
    await first.waitState("web", "master", 3000);
    await second.waitState("web", "backup", 3000);
    await client.ping(VIP, 10).answered();
    let outcome = await busy(first, second);
    // The kernel delivers packets in threads without a priority: among many others they are late, whoever sends on time. And
    // a core that the machine itself takes away for 36 ms is a fail-over.
    for (let again = 0; again < 2 && outcome.falls > 0 && outcome.disturbed; again++) {
      console.log("others keep this machine busy, too: once more");
      outcome = await busy(first, second);
    }
    if (outcome.falls > 0 && outcome.disturbed) {
      console.log("others keep this machine busy, too: nothing can be said of fail-overs");
    } else expect(outcome.falls).toBe(0);
    // It still does what it is told.
    await first.waitState("web", "master", 1000);
    expect(first.command("release", "web").code).toBe(0);
    await second.waitState("web", "master", 1000);
  }, 60_000);
});
