/** Adverts of 10 ms: how long a client is without an answer when the master's link is cut. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { describeLab, type Lab, type LabNode, nowMs, pairLab, VIP, webYaml } from "./lab.ts";

const ROUNDS = 10;

describeLab("10 ms adverts", [], () => {
  let lab: Lab;
  let a: LabNode;
  let b: LabNode;
  let client: LabNode;

  beforeAll(() => void ({ lab, a, b, client } = pairLab("fast")), 30_000);
  afterAll(() => lab.close(), 30_000);

  test("the master's link is cut: the peer answers after three intervals and the skew", async () => {
    const keys = { advert_interval: "10ms" };
    const [first, second] = await Promise.all([
      a.startAppliance(webYaml(150, keys)),
      b.startAppliance(webYaml(100, keys)),
    ]);
    await first.waitState("web", "master", 3000);
    const ping = client.ping(VIP, 1);
    await ping.answered();
    const gaps: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const cutMs = nowMs();
      a.isolate();
      await second.waitState("web", "master", 1000);
      await ping.answered({ sinceMs: nowMs() });
      gaps.push(ping.longestGap(cutMs).lengthMs);
      a.heal();
      await second.waitState("web", "backup", 1000);
      await first.waitState("web", "master", 1000);
      await ping.answered({ sinceMs: nowMs() });
    }
    const sorted = gaps.toSorted((x, y) => x - y);
    const median = (sorted[ROUNDS / 2 - 1]! + sorted[ROUNDS / 2]!) / 2;
    const budget = 3 * 10 + (256 - 100) / 256 * 10 + 10;
    console.log(
      `10 ms adverts, link cut, ms without an answer: ${gaps.map((gap) => gap.toFixed(1)).join(", ")}; ` +
        `median ${median.toFixed(1)} (budget ${budget.toFixed(1)})`,
    );
    expect(median).toBeLessThan(budget);
    // A burdened machine may be late once; it must not be lost.
    expect(Math.max(...gaps)).toBeLessThan(500);
  }, 20_000);
});
