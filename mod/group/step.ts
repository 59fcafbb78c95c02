/**
 * The rules of sync groups, keepalived's: all members are master or none is, a fault of one is the fault of all, and a
 * group leaves FAULT when every member could.
 *
 * @module
 */
import type { Conditions } from "../vrrp/model.ts";
import type { ResumeBounds } from "../vrrp/phase.ts";
import type { Member, Standing } from "./model.ts";

/** What the other members forbid this one, in words. */
export function sharedFaults(group: string, members: readonly Member[], name: string): readonly string[] {
  return members.filter((member) => member.name !== name).flatMap((member) =>
    member.faults.map((fault) => `${group}: ${member.name}: ${fault}`)
  );
}

/** What the other members still wait for, in words. */
export function sharedWaiting(members: readonly Member[], name: string): readonly string[] {
  return members.filter((member) => member.name !== name).flatMap(({ waiting }) => waiting);
}

/**
 * What its surroundings and the other members allow a member.
 *
 * @param own What its own surroundings allow.
 */
export function sharedConditions(
  own: Conditions,
  group: string,
  members: readonly Member[],
  name: string,
): Conditions {
  return {
    ...own,
    faults: [...own.faults, ...sharedFaults(`group ${group}`, members, name)],
    waiting: [...own.waiting, ...sharedWaiting(members, name)],
    settled: members.every(({ settled }) => settled),
  };
}

/** Whether all members can be master together now: each is one already, or its time has run out. */
export function mayLead(members: readonly Member[]): boolean {
  return members.every(({ phase, ready }) => phase === "master" || (phase === "backup" && ready));
}

/**
 * Why the other members must be master no more after what one of them has done, in words; null = they need not be told.
 * A fault is shared by itself, with a goodbye of each member. Whoever releases one member releases all of them, each with
 * its own hand-over. One that can go on no more where an engine before stopped keeps all from it. A member that came to a group of masters and hears a master that is as good ends their mastership:
 * it could never follow them.
 */
export function demotion(
  group: string,
  name: string,
  before: Standing,
  after: Standing,
  members: readonly Member[],
): string | null {
  const gaveUp = before.resumeUntil !== null && after.resumeUntil === null;
  if (gaveUp && after.phase === "init") return `group ${group}: ${name} cannot resume`;
  if (after.phase !== "backup" || after.released !== null) return null;
  if (before.phase === "master") return `group ${group}: ${name} is backup (${after.reason})`;
  if (after.master === null || after.takeoverReason !== null) return null;
  return members.some(({ phase }) => phase === "master")
    ? `group ${group}: ${name} hears the master ${after.master.text}`
    : null;
}

/**
 * Whether a demotion means anything to a member. Those to whom it means nothing are not told: two that know another
 * master would tell each other without an end.
 */
export function heedsDemotion({ phase, ready }: Member): boolean {
  return phase === "master" || phase === "init" || ready;
}

/**
 * Within which bounds each of some virtual routers may go on as the master that it was; null = not at all. Members of a
 * group do so together or not at all.
 *
 * @param routers Within which bounds each may by itself.
 */
export function resumeTogether(
  routers: readonly { readonly group: string | null; readonly bounds: ResumeBounds | null }[],
): readonly (ResumeBounds | null)[] {
  const common = new Map<string, ResumeBounds | null>();
  for (const { group, bounds } of routers) {
    if (group !== null) common.set(group, common.has(group) ? tighter(common.get(group)!, bounds) : bounds);
  }
  return routers.map(({ group, bounds }) => group === null ? bounds : common.get(group)!);
}

function tighter(a: ResumeBounds | null, b: ResumeBounds | null): ResumeBounds | null {
  return a && b && { until: Math.min(a.until, b.until), patience: Math.min(a.patience, b.patience) };
}
