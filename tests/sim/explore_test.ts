/**
 * Every sequence of events to a bounded depth, from the moment that all machines start. After each, once trouble is
 * over, there must be one master, the right one, and one machine must lead all members of a group.
 * `APPLIANCE_SIM_DEPTH` adds to the depth.
 *
 * @module
 */
import { expect, test } from "bun:test";
import type { VrrpConfig } from "../../mod/vrrp/config.ts";
import { mayPreempt } from "../../mod/vrrp/phase.ts";
import { faultsOf } from "../../mod/vrrp/step.ts";
import { masterDownInterval } from "../../mod/vrrp/timers.ts";
import {
  type Exploration,
  exploration,
  identify,
  type Node,
  type Scene,
  settle,
  startAll,
  successors,
} from "./explore.ts";
import { config } from "./scenario.ts";

const DEEPER = Number(process.env["APPLIANCE_SIM_DEPTH"] ?? 0);

function assertOneLeader({ nodes }: Scene, { size }: Exploration): void {
  const hosts = Array.from({ length: size }, (_, host) => nodes.filter((_, id) => id % size === host));
  const able = hosts.filter((members) => members.every(({ state }) => faultsOf(state).length === 0));
  const leads = ({ state }: Node) => state.phase === "master";
  const leaders = hosts.filter((members) => members.some(leads));
  if (leaders.length !== (able.length > 0 ? 1 : 0)) {
    throw new Error(`${leaders.length} machines lead among ${able.length} that can serve`);
  }
  const leader = leaders[0];
  if (leader === undefined) return;
  if (!leader.every(leads)) throw new Error("A machine leads some members only");
  for (const members of able) {
    if (members === leader) continue;
    if (members.every(({ state }, at) => mayPreempt(state, leader[at]!.state.priority))) {
      throw new Error(`A backup of priority ${members[0]!.state.priority} suffers a lower master`);
    }
  }
  const holders = nodes.filter(({ holds }) => holds);
  if (holders.length !== leader.length || !leader.every(({ holds }) => holds)) {
    throw new Error(`${holders.length} routers hold addresses`);
  }
}

/** Returns how many different scenes there are. */
function explore(of: Exploration, depth: number): number {
  const { configs } = of;
  const interval = Math.max(...configs.map(({ intervalCs }) => intervalCs)) * 1e7;
  const down = Math.max(...configs.map((one) => masterDownInterval(one, 1, interval)));
  const waits = Math.max(...configs.map((one) => one.takeoverDelayMs + one.preemptDelayMs)) * 1e6;
  const time = 2 * (down + interval + waits);
  const seen = new Set<string>();
  // All start at once, so that the depth is spent on what happens then.
  let level: { scene: Scene; path: string }[] = [{ scene: startAll(of), path: "" }];
  for (let step = 0; step <= depth; step++) {
    const next: typeof level = [];
    for (const { scene, path } of level) {
      try {
        assertOneLeader(settle(scene, of, time), of);
        if (step === depth) continue;
        successors(scene, of).forEach((successor, index) => {
          const key = identify(successor);
          if (seen.has(key)) return;
          seen.add(key);
          next.push({ scene: successor, path: `${path} ${index}` });
        });
      } catch (error) {
        const text = error instanceof Error ? error.stack : String(error);
        throw new Error(`After events${path}: ${text}`);
      }
    }
    level = next;
  }
  return seen.size;
}

const AH: Partial<VrrpConfig> = { version: 2, intervalCs: 100, auth: { type: "ah", key: "secret" } };

/** Name, machines, segments, weight of a probe, depth. */
const cases: [string, readonly Partial<VrrpConfig>[], number, number, number][] = [
  ["a pair", [{ priority: 150 }, { priority: 100 }], 1, -60, 6],
  ["an equal pair", [{ priority: 100 }, { priority: 100 }], 1, -60, 6],
  [
    "a pair that does not preempt",
    [{ priority: 150, preempt: false }, { priority: 100, preempt: false }],
    1,
    -60,
    6,
  ],
  ["a pair of the RFC", [{ priority: 150, handover: "rfc" }, { priority: 100, handover: "rfc" }], 1, -60, 6],
  [
    "a pair with delays",
    [{ priority: 150, preemptDelayMs: 250 }, { priority: 100, takeoverDelayMs: 50 }],
    1,
    -60,
    6,
  ],
  [
    "a version 2 pair",
    [{ priority: 150, version: 2, intervalCs: 100 }, { version: 2, intervalCs: 100 }],
    1,
    -60,
    6,
  ],
  ["a pair that authenticates", [{ ...AH, priority: 150 }, AH], 1, -60, 6],
  ["a pair of different intervals", [{ priority: 150, intervalCs: 30 }, { priority: 100 }], 1, -60, 6],
  ["an owner and its backup", [{ priority: 255 }, { priority: 100 }], 1, -60, 6],
  ["three", [{ priority: 150 }, { priority: 120 }, { priority: 100 }], 1, -40, 4],
  ["three equal ones", [{}, {}, {}], 1, -40, 4],
  ["a pair of groups of two", [{ priority: 150 }, { priority: 100 }], 2, -60, 5],
  ["an equal pair of groups of two", [{ priority: 100 }, { priority: 100 }], 2, -60, 5],
  ["a pair of groups of two that authenticate", [{ ...AH, priority: 150 }, AH], 2, -60, 4],
  ["a pair of groups of three", [{ priority: 150 }, { priority: 100 }], 3, -60, 4],
];

test.each(cases)("every sequence of events of %s", (_name, parts, segments, weight, depth) => {
  const configs = parts.map((part) => config({ intervalCs: 10, checksum: "rfc", ...part }));
  const scenes = explore(exploration(configs, segments, weight), depth + DEEPER);
  console.log(`${scenes} scenes`);
  expect(scenes).toBeGreaterThan(500);
}, 600_000);
