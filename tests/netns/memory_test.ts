/** How much memory the two processes have to themselves. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { createLab, describeLab, type Lab, type LabNode, waitFor, webYaml } from "./lab.ts";

/** Private memory of a process in KiB: pages that nobody else has mapped. */
function privateKib(pid: number): number {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
  return [...text.matchAll(/^Private_(?:Clean|Dirty):\s+(\d+) kB$/gm)].reduce(
    (sum, [, kib]) => sum + Number(kib),
    0,
  );
}

describeLab("memory", ["nginx"], () => {
  let lab: Lab;
  let a: LabNode;
  let b: LabNode;

  beforeAll(() => {
    lab = createLab("memory");
    a = lab.node("a", { addresses: ["10.0.0.1/24"] });
    b = lab.node("b", { addresses: ["10.0.0.2/24"] });
  }, 30_000);
  afterAll(() => lab.close(), 30_000);

  test(
    "one instance and three probes: at most 30 MB of private memory in both processes together",
    async () => {
      const nginx = await a.startNginx();
      const probes = {
        nginx: { type: "nginx", process: { pid_file: nginx.pidFile }, interval: "200ms" },
        port: { type: "tcp", address: "127.0.0.1:80", interval: "200ms" },
        file: { type: "file", path: nginx.pidFile, interval: "200ms" },
      };
      const track = Object.keys(probes).map((probe) => ({ probe, weight: -10 }));
      const router = await a.startAppliance(webYaml(150, { track }, { probes }));
      // A second one, so that pages of the binary are shared as they are where it is not the only process.
      await b.startAppliance(webYaml(100));
      await router.waitState("web", "master", 3000);
      await waitFor(async () => (await router.status()).probes.every(({ state }) => state === "up"), {
        timeoutMs: 3000,
        what: "the probes to be up",
      });
      const fresh = router.pids.map(privateKib);
      // Scraped for a while.
      for (let request = 0; request < 50; request++) {
        await router.get(request % 2 === 0 ? "/status" : "/metrics");
      }
      const kib = router.pids.map(privateKib);
      console.log(
        `private memory in KiB: engine ${kib[0]}, control ${kib[1]} (before any scrape ${fresh.join(", ")})`,
      );
      expect(kib).toHaveLength(2);
      expect(kib[0]! + kib[1]!).toBeLessThanOrEqual(30 * 1024);
    },
    15_000,
  );
});
