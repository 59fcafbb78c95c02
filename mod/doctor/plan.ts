/**
 * Where to listen and whom to ask. Pure.
 *
 * @module
 */
import type { Family } from "../vrrp/config.ts";
import {
  carrierOf,
  daemonInstance,
  holdersOfVip,
  instancesOf,
  linkOf,
  speakersFor,
  unique,
} from "./facts.ts";
import type { DaemonInstance, DoctorConfig, Facts, LinkFact } from "./model.ts";

/** Addresses that are asked for at most: the rest is left alone. */
const MOST_ASKED = 64;

/** An interface on which somebody may speak. */
export interface Place {
  readonly link: LinkFact;
  readonly family: Family;
}

function hasTrouble({ adverts, split_brain_with }: DaemonInstance): boolean {
  return split_brain_with !== null || adverts.address_mismatch + adverts.interval_mismatch > 0 ||
    Object.values(adverts.dropped).some((count) => count > 0);
}

/** Where to listen: a daemon that runs and is content with what it hears is believed. */
export function placesToListen(config: DoctorConfig | null, facts: Facts): Place[] {
  const places = new Map<string, Place>();
  for (const instance of instancesOf(config)) {
    const own = daemonInstance(facts, instance);
    const link = linkOf(facts, instance.interface);
    if (link === null || !link.running || (own !== null && !hasTrouble(own))) continue;
    places.set(`${link.name} ${instance.family}`, { link, family: instance.family });
  }
  return [...places.values()];
}

/** An interface and the addresses of one family that are asked for on it. */
export interface Question {
  readonly link: LinkFact;
  readonly family: Family;
  /** As text. */
  readonly addresses: readonly string[];
}

/**
 * Who is to be asked for which addresses. Where a router is known to speak for an instance it is asked for, too:
 * the hardware address that has its address may have the virtual ones.
 */
export function questions(config: DoctorConfig | null, facts: Facts): Question[] {
  const asked = new Map<string, Question>();
  let left = MOST_ASKED;
  const ask = (link: LinkFact | null, family: Family, address: string) => {
    if (link === null || link.mac === null || !link.running || left === 0) return;
    left--;
    const key = `${link.name} ${family}`;
    asked.set(key, { link, family, addresses: unique([...asked.get(key)?.addresses ?? [], address]) });
  };
  for (const instance of instancesOf(config)) {
    const own = daemonInstance(facts, instance);
    const { family } = instance;
    if (own === null && !facts.listened.includes(`${instance.interface} ${family}`)) continue;
    for (const vip of instance.addresses) {
      // What this machine holds nobody else needs to answer for; what our daemon put there nobody else may.
      if (own?.state !== "master" && holdersOfVip(facts, instance, vip).length > 0) continue;
      ask(linkOf(facts, carrierOf(instance, vip)), family, vip.address);
    }
    for (const address of speakersFor(instance, facts)) {
      ask(linkOf(facts, instance.interface), family, address);
    }
  }
  return [...asked.values()];
}
