/**
 * The demo: what happens to the cluster, act by act, and what must come of it.
 *
 * @module
 */
import { nowMs } from "./client.ts";
import { type Cluster, Unmet } from "./cluster.ts";
import type { Act } from "./model.ts";
import type { DemoReport, PhaseReport } from "./report.ts";

/** How long the cluster is watched after it has settled: it must not waver. */
const SETTLE_MS = 1200;

/**
 * Plays the demo on a cluster whose lab has not been built. What the cluster fails to do is in the report; rejects with
 * everything else.
 *
 * @param stop Whether the last act may take something away; without it all goes on as it was at the beginning.
 */
export async function playDemo(cluster: Cluster, stop: boolean): Promise<DemoReport> {
  const phases: PhaseReport[] = [];
  const failures: string[] = [];
  const { lab } = cluster;
  try {
    await bringUp(cluster);
    for (const act of lab.scenario.acts(lab).filter(({ final }) => stop || !final)) {
      const phase = await play(cluster, act);
      phases.push(phase);
      if (phase.limitMs !== null && phase.outageMs > phase.limitMs) {
        const outage = `${Math.round(phase.outageMs)} ms without an answer`;
        failures.push(`${phase.title}: ${outage}, more than ${phase.limitMs} ms`);
      }
    }
  } catch (thrown) {
    if (!(thrown instanceof Unmet)) throw thrown;
    failures.push(thrown.message);
  }
  const answered = cluster.outcomes.filter(({ ok }) => ok).length;
  return {
    ok: failures.length === 0,
    failures,
    durationMs: cluster.elapsedMs(),
    datapath: cluster.datapath,
    webServer: lab.web.kind === "nginx" ? `nginx ${lab.web.version}` : "built-in",
    requests: { answered, unanswered: cluster.outcomes.length - answered },
    phases,
    timeline: cluster.timeline.toSorted((a, b) => a.atMs - b.atMs),
  };
}

/** Builds and starts everything; returns when the first node is master and serves the client. */
export async function bringUp(cluster: Cluster): Promise<void> {
  const { scenario } = cluster.lab;
  const [first, second] = scenario.nodes;
  cluster.act("The network is built and both nodes are started");
  cluster.start();
  await inStates(cluster, { [first.name]: "master", [second.name]: "backup" }, scenario.pace.startMs);
  if (scenario.tunnel !== null) await cluster.tunnelIsUp(scenario.tunnel, scenario.pace.startMs);
  const sinceMs = nowMs();
  cluster.startClient();
  await served(cluster, first.name, sinceMs);
  await cluster.pause(SETTLE_MS);
}

/** Performs an act, waits until the cluster is as it should be, and sees whether it stays so. */
async function play(cluster: Cluster, act: Act): Promise<PhaseReport> {
  const { name, title, limitMs, states, server } = act;
  const servedBefore = cluster.lastServer() ?? "nobody";
  cluster.act(title);
  const startedMs = cluster.elapsedMs();
  const startMs = nowMs();
  act.action();
  try {
    await served(cluster, server, startMs);
    await inStates(cluster, states, cluster.lab.scenario.pace.actMs);
    await cluster.pause(SETTLE_MS);
    // By now an answer from the wrong node, or a state that did not last, has shown itself.
    await served(cluster, server, nowMs());
    await inStates(cluster, states, 0);
  } catch (thrown) {
    if (thrown instanceof Unmet) throw new Unmet(`${title}: ${thrown.message}`);
    throw thrown;
  }
  const { outageMs, unanswered } = cluster.span(startMs);
  const servedAfter = cluster.lastServer() ?? "nobody";
  return { name, title, startedMs, outageMs, limitMs, unanswered, servedBefore, servedAfter };
}

/** Waits until a node has answered the client after a moment (milliseconds since 1970), and nobody else since. */
function served(cluster: Cluster, node: string, sinceMs: number): Promise<void> {
  return cluster.until(
    `the client is served by ${node}`,
    cluster.lab.scenario.pace.actMs,
    () => cluster.answeredBy(node, sinceMs),
    () => `it is served by ${cluster.lastServer(sinceMs) ?? "nobody"}`,
  );
}

async function inStates(
  cluster: Cluster,
  states: Readonly<Record<string, string>>,
  timeoutMs: number,
): Promise<void> {
  for (const [node, state] of Object.entries(states)) {
    await cluster.until(
      `${node} is ${state}`,
      timeoutMs,
      () => cluster.stateOf(node) === state,
      () => `it is ${cluster.stateOf(node) ?? "unknown"}`,
    );
  }
}
