/**
 * Reading what `nft -j list ruleset` prints (libnftables-json(5)). Pure; what is not understood counts as "cannot be
 * told".
 *
 * @module
 */
import { parseAddress } from "../../../lib/packet/mod.ts";
import { sameSubnet } from "../facts.ts";
import {
  type Action,
  anyOf,
  type Base,
  type Chain,
  isInterface,
  isProtocol,
  isTracked,
  type Match,
  not,
  type Packet,
  type Rule,
  type Ruleset,
  type Truth,
} from "./model.ts";

type Json = Readonly<Record<string, unknown>>;

const IPTABLES_TABLES = ["filter", "mangle", "raw", "nat", "security"];
const ICMP_TYPES: Readonly<Record<string, number>> = {
  "nd-neighbor-solicit": 135,
  "nd-neighbor-advert": 136,
};
const HOOKS = ["prerouting", "input", "output", "postrouting"];

function object(value: unknown): Json | null {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? value as Json : null;
}

function text(value: unknown): string {
  return typeof value === "string" ? value : typeof value === "number" ? String(value) : "";
}

/**
 * The chains of a ruleset; null when it is not such a document.
 *
 * @param withoutIptables Leave out the tables of iptables, which its own program shows better.
 */
export function parseNft(json: string, withoutIptables: boolean): Ruleset | null {
  let entries: unknown;
  try {
    entries = object(JSON.parse(json))?.["nftables"];
  } catch {
    return null;
  }
  if (!Array.isArray(entries)) return null;
  const chains = new Map<string, Chain & { rules: Rule[] }>();
  for (const entry of entries) {
    const chain = object(object(entry)?.["chain"]);
    if (chain === null || isSkipped(chain, withoutIptables)) continue;
    const label = labelOf(chain, text(chain["name"]));
    chains.set(label, { base: baseOf(chain), label, program: "nft", rules: [] });
  }
  for (const entry of entries) {
    const rule = object(object(entry)?.["rule"]);
    if (rule === null) continue;
    chains.get(labelOf(rule, text(rule["chain"])))?.rules.push(...rulesOf(rule));
  }
  return chains;
}

function isSkipped(chain: Json, withoutIptables: boolean): boolean {
  const [family, table] = [text(chain["family"]), text(chain["table"])];
  // Our own table drops what is for addresses that are not to be accepted, and nothing else.
  if (/^appliance(-|$)/.test(table)) return true;
  if (!["ip", "ip6", "inet"].includes(family)) return true;
  return withoutIptables && family !== "inet" && IPTABLES_TABLES.includes(table);
}

function labelOf(of: Json, chain: string): string {
  return `${text(of["family"])} ${text(of["table"])} ${chain}`;
}

function baseOf(chain: Json): Base | null {
  const hook = text(chain["hook"]);
  if (!HOOKS.includes(hook)) return null;
  const family = text(chain["family"]);
  return {
    hook: hook as Base["hook"],
    family: family === "ip" ? "ipv4" : family === "ip6" ? "ipv6" : null,
    policy: chain["policy"] === "drop" ? "drop" : "accept",
  };
}

/** A rule; a verdict map makes several of one. */
function rulesOf(rule: Json): Rule[] {
  const matches: Match[] = [];
  const chainKey = (target: unknown) => labelOf(rule, text(target));
  const where = `the rule with handle ${text(rule["handle"])} of ${labelOf(rule, text(rule["chain"]))}`;
  for (const statement of Array.isArray(rule["expr"]) ? rule["expr"] : []) {
    const [[kind, value] = ["", null]] = Object.entries(object(statement) ?? {});
    if (kind === "match") matches.push(matchOf(object(value) ?? {}));
    // What only counts, logs or marks decides nothing.
    else if (/^(counter|log|mangle|notrack|meter|set|comment|quota|flow)$/.test(kind)) continue;
    else if (kind === "vmap") return verdictMap(object(value) ?? {}, matches, chainKey, where);
    else {
      const action = actionOf(kind, value, chainKey);
      // A limit lets only some through.
      if (action.type === "other") matches.push(() => null);
      else return [{ matches, action, text: where }];
    }
  }
  return [];
}

function actionOf(kind: string, value: unknown, chainKey: (target: unknown) => string): Action {
  switch (kind) {
    case "accept":
    case "drop":
    case "return":
    case "continue":
      return { type: kind };
    case "reject":
      return { type: "drop" };
    case "jump":
    case "goto":
      return { type: kind, chain: chainKey(object(value)?.["target"]) };
    default:
      return { type: "other" };
  }
}

function verdictMap(
  map: Json,
  matches: readonly Match[],
  chainKey: (target: unknown) => string,
  where: string,
): Rule[] {
  const pairs = object(map["data"])?.["set"];
  if (!Array.isArray(pairs)) return [];
  return pairs.flatMap((pair) => {
    if (!Array.isArray(pair)) return [];
    const [[kind, value] = ["", null]] = Object.entries(object(pair[1]) ?? {});
    const match = matchOf({ op: "==", left: map["key"], right: pair[0] });
    return [{ matches: [...matches, match], action: actionOf(kind, value, chainKey), text: where }];
  });
}

function matchOf(match: Json): Match {
  const op = text(match["op"]);
  if (op !== "==" && op !== "in" && op !== "!=") return () => null;
  const left = object(match["left"]) ?? {};
  return (packet) => {
    const truth = compare(packet, left, match["right"]);
    return op === "!=" ? not(truth) : truth;
  };
}

/** Whether the packet's field is, or is among, `right`. */
function compare(packet: Packet, left: Json, right: unknown): Truth {
  const meta = text(object(left["meta"])?.["key"]);
  if (meta !== "") return compareMeta(packet, meta, right);
  if (text(object(left["ct"])?.["key"]) === "state") {
    return isTracked(packet, (Array.isArray(right) ? right : setOf(right) ?? [right]).map(text));
  }
  const fib = object(left["fib"]);
  if (
    fib !== null && fib["result"] === "type" && Array.isArray(fib["flags"]) && fib["flags"].includes("daddr")
  ) {
    return among(
      right,
      (word) => packet.multicast ? word === "multicast" : packet.direction === "in" ? word === "local" : null,
    );
  }
  const payload = object(left["payload"]);
  if (payload !== null) {
    return comparePayload(packet, text(payload["protocol"]), text(payload["field"]), right);
  }
  return null;
}

function compareMeta(packet: Packet, key: string, right: unknown): Truth {
  switch (key) {
    case "iif":
    case "iifname":
      return packet.direction === "out"
        ? false
        : among(right, (name) => isInterface(name, packet.interface, "*"));
    case "oif":
    case "oifname":
      return packet.direction === "in"
        ? false
        : among(right, (name) => isInterface(name, packet.interface, "*"));
    case "l4proto":
      return among(right, (word) => isProtocol(word, packet.protocol));
    case "nfproto":
      return among(right, (word) => word === packet.family);
    case "protocol":
      return among(right, (word) => word === (packet.family === "ipv4" ? "ip" : "ip6"));
    case "pkttype":
      return packet.direction === "out"
        ? null
        : among(right, (word) => word === (packet.multicast ? "multicast" : "host"));
    default:
      return null;
  }
}

function comparePayload(packet: Packet, protocol: string, field: string, right: unknown): Truth {
  if (protocol === "ip" || protocol === "ip6") {
    if ((protocol === "ip") !== (packet.family === "ipv4")) return false;
    if (field === "protocol" || field === "nexthdr") {
      return among(right, (word) => isProtocol(word, packet.protocol));
    }
    if (field === "saddr") return amongAddresses(right, packet.source);
    return field === "daddr" ? amongAddresses(right, packet.destination) : null;
  }
  if (protocol === "tcp" || protocol === "th") {
    if (packet.port === null) return false;
    return field === "dport" ? among(right, (word) => Number(word) === packet.port) : null;
  }
  if (protocol === "icmpv6") {
    if (packet.icmpType === null) return false;
    return field === "type"
      ? among(right, (word) => (ICMP_TYPES[word] ?? Number(word)) === packet.icmpType)
      : null;
  }
  return isProtocol(protocol, packet.protocol) === false ? false : null;
}

function setOf(right: unknown): readonly unknown[] | null {
  const set = object(right)?.["set"];
  return Array.isArray(set) ? set : null;
}

/** Whether a word of `right`, a value, range or anonymous set, is the one; what a named set holds is not looked up. */
function among(right: unknown, is: (word: string) => Truth): Truth {
  const set = setOf(right);
  if (set !== null) return anyOf(set.map((entry) => among(entry, is)));
  const range = object(right)?.["range"];
  if (Array.isArray(range)) {
    const [from, to] = range.map(Number);
    if (Number.isInteger(from) && Number.isInteger(to) && to! - from! < 65536) {
      for (let number = from!; number <= to!; number++) if (is(String(number)) === true) return true;
      return false;
    }
    return null;
  }
  const word = text(right);
  return word === "" || word.startsWith("@") ? null : is(word);
}

function amongAddresses(right: unknown, address: Uint8Array | null): Truth {
  const set = setOf(right);
  if (set !== null) return anyOf(set.map((entry) => amongAddresses(entry, address)));
  const prefix = object(object(right)?.["prefix"]);
  const base = parseAddress(text(prefix === null ? right : prefix["addr"]));
  if (address === null || base === null) return null;
  return sameSubnet(address, base, prefix === null ? base.length * 8 : Number(prefix["len"]));
}
