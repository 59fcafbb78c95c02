/**
 * The moves of sync groups: what one member does, the others are told to do, too.
 *
 * @module
 */
import { demotion, heedsDemotion, mayLead } from "../group/step.ts";
import type { VrrpEvent, VrrpState } from "../vrrp/model.ts";
import { takeoverReason } from "../vrrp/step.ts";
import type { MonotonicNs } from "./deadlines.ts";
import { companionsOf, type Instance, memberOf } from "./instance.ts";

/** What the groups need of the routers in them. */
export interface GroupsHost {
  readonly instances: () => readonly Instance[];
  readonly dispatch: (instance: Instance, event: VrrpEvent, now: MonotonicNs) => void;
  /** A member can be master no more, or can again: this is the others' concern. */
  readonly review: (now: MonotonicNs) => void;
}

/** All sync groups of this node. */
export class Groups {
  readonly #host: GroupsHost;

  constructor(host: GroupsHost) {
    this.#host = host;
  }

  /** Lets the other members of a group follow what one of them has done. */
  follow(instance: Instance, before: VrrpState, now: MonotonicNs): void {
    const { state, name } = instance;
    if (state.config.group === null) return;
    if (before.blocked !== state.blocked) this.#host.review(now);
    const members = companionsOf(instance, this.#host.instances());
    const reason = demotion(state.config.group, name, before, state, members.map(memberOf));
    if (reason === null) return;
    for (const member of members) {
      if (member === instance || !heedsDemotion(memberOf(member))) continue;
      this.#host.dispatch(member, { type: "demote", reason }, now);
    }
  }

  /** A member of a group wants to be master: all become it together, or none does. */
  ask(instance: Instance, now: MonotonicNs): void {
    const members = companionsOf(instance, this.#host.instances());
    if (!mayLead(members.map(memberOf))) return;
    for (const member of members) {
      this.#host.dispatch(member, { type: "promote", reason: takeoverReason(member.state, now) }, now);
    }
  }
}
