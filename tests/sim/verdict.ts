/**
 * Judges a cluster that has been healthy for long enough: one master, the right one, who alone holds the addresses and
 * announced them last; members of a group led by one machine.
 *
 * @module
 */
import { mayPreempt } from "../../mod/vrrp/phase.ts";
import { faultsOf } from "../../mod/vrrp/step.ts";
import { isMaster, type Router, type Segment } from "./parts.ts";
import type { World } from "./world.ts";

/** What was seen of a cluster. */
export interface Findings {
  /** Segments that have a master. */
  masters: number;
  /** Segments without anybody who could serve. */
  unserved: number;
  /** Segments whose clients were misled by somebody who could not be heard. */
  misled: number;
}

function describe(world: World): string {
  return world.routers.map(({ config: { name }, machine: { id, alive }, state }) =>
    `\n  ${name} of ${id}${
      alive ? "" : " (dead)"
    } ${state.phase} priority ${state.priority} ready ${state.ready} (${state.reason})`
  ).join("");
}

function canServe({ machine, state }: Router): boolean {
  return machine.alive && faultsOf(state).length === 0 && state.conditions.waiting.length === 0;
}

/** The segments whose routers move together, in lists; one on its own is a list of one. */
function unitsOf({ segments }: World): readonly (readonly Segment[])[] {
  const grouped = segments.filter(({ routers }) => routers[0]!.config.group !== null);
  const alone = segments.filter((segment) => !grouped.includes(segment)).map((segment) => [segment]);
  return grouped.length > 0 ? [grouped, ...alone] : alone;
}

/** Throws when anything is not as it should be. */
export function judge(world: World): Findings {
  const findings = { masters: 0, unserved: 0, misled: 0 };
  const fail = (text: string) => new Error(`${text}${describe(world)}`);
  for (const unit of unitsOf(world)) {
    const able = world.machines.filter(({ id }) => unit.every(({ routers }) => canServe(routers[id]!)));
    const leaders = world.machines.filter(({ id }) => unit.some(({ routers }) => isMaster(routers[id]!)));
    if (leaders.length !== (able.length > 0 ? 1 : 0)) {
      throw fail(`${leaders.length} machines lead of ${able.length} that can serve`);
    }
    const leader = leaders[0];
    if (leader === undefined) {
      findings.unserved += unit.length;
      continue;
    }
    const better = able.find((other) =>
      other !== leader &&
      unit.every(({ routers }) => mayPreempt(routers[other.id]!.state, routers[leader.id]!.state.priority))
    );
    if (better !== undefined) throw fail(`Machine ${better.id} is better`);
    for (const segment of unit) {
      const misled = judgeSegment(world, segment, segment.routers[leader.id]!, fail);
      findings.masters++;
      if (misled) findings.misled++;
    }
  }
  return findings;
}

/** Whether its clients are misled. */
function judgeSegment(
  world: World,
  { id, routers, lastAnnouncer }: Segment,
  master: Router,
  fail: (text: string) => Error,
): boolean {
  if (!isMaster(master)) throw fail(`The leader is not master on segment ${id}`);
  const holders = routers.filter((router) => world.holds(router));
  if (holders.length !== 1 || holders[0] !== master) {
    throw fail(`Addresses of segment ${id} are held by ${holders.map(({ machine }) => machine.id)}`);
  }
  for (const other of routers) {
    if (other === master || !canServe(other)) continue;
    if (other.state.phase !== "backup") throw fail(`Machine ${other.machine.id} stands aside on ${id}`);
    if (other.state.master?.priority !== master.state.priority) {
      throw fail(`Machine ${other.machine.id} knows ${other.state.master?.text} on ${id}`);
    }
  }
  if (lastAnnouncer === master) return false;
  if (lastAnnouncer?.leftUnheard !== true) {
    throw fail(`Clients of segment ${id} believe the addresses at machine ${lastAnnouncer?.machine.id}`);
  }
  return true;
}
