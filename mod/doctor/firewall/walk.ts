/**
 * What becomes of a packet in a set of rules. Pure.
 *
 * @module
 */
import { allOf, type Chain, type Packet, type Ruleset } from "./model.ts";

/** What may become of a packet, and by which rule or policy it is dropped. */
export interface Fate {
  readonly verdict: "accept" | "drop" | "maybe";
  /** Null when nothing drops it. */
  readonly by: string | null;
  /** The chain that is entered first, where a rule against it belongs. */
  readonly chain: Chain | null;
}

/** All that may come out of a chain; `fall` = it comes to its end without a verdict. */
interface Outcome {
  accept: boolean;
  drop: boolean;
  fall: boolean;
  by: string | null;
}

const DEPTH = 16;
const HOOKS = { in: ["prerouting", "input"], out: ["output", "postrouting"] };

/** Follows a packet through all chains that it enters. */
export function fateOf(ruleset: Ruleset, packet: Packet): Fate {
  let doubt: Fate = { verdict: "accept", by: null, chain: null };
  for (const chain of ruleset.values()) {
    const { base } = chain;
    if (base === null || !HOOKS[packet.direction].includes(base.hook)) continue;
    if (base.family !== null && base.family !== packet.family) continue;
    const outcome = walk(ruleset, chain, packet, 0);
    const mayPass = outcome.accept || (outcome.fall && base.policy === "accept");
    const mayDrop = outcome.drop || (outcome.fall && base.policy === "drop");
    if (!mayDrop) continue;
    const by = outcome.by ?? `the policy of ${chain.label}`;
    // What one chain drops no other brings back.
    if (!mayPass) return { verdict: "drop", by, chain };
    if (doubt.verdict === "accept") doubt = { verdict: "maybe", by, chain };
  }
  return doubt;
}

function walk(ruleset: Ruleset, chain: Chain, packet: Packet, depth: number): Outcome {
  const all: Outcome = { accept: false, drop: false, fall: false, by: null };
  for (const { matches, action, text } of chain.rules) {
    const truth = allOf(matches.map((match) => match(packet)));
    if (truth === false || action.type === "continue") continue;
    const outcome: Outcome = { accept: false, drop: false, fall: false, by: null };
    switch (action.type) {
      case "accept":
        outcome.accept = true;
        break;
      case "drop":
        outcome.drop = true;
        outcome.by = text;
        break;
      case "return":
        all.fall = true;
        if (truth) return all;
        continue;
      case "other":
        continue;
      case "jump":
      case "goto": {
        const next = ruleset.get(action.chain);
        if (next === undefined || depth >= DEPTH) continue;
        Object.assign(outcome, walk(ruleset, next, packet, depth + 1));
        if (action.type === "goto") {
          all.fall ||= outcome.fall;
          outcome.fall = false;
        }
      }
    }
    all.accept ||= outcome.accept;
    all.drop ||= outcome.drop;
    all.by ??= outcome.by;
    if (truth && !outcome.fall) return all;
  }
  all.fall = true;
  return all;
}
