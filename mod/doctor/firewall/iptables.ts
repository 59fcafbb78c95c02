/**
 * Reading what `iptables-save` and `ip6tables-save` print. Pure; what is not understood counts as "cannot be told".
 *
 * @module
 */
import { parsePrefix } from "../../../lib/packet/mod.ts";
import type { Family } from "../../vrrp/config.ts";
import { sameSubnet } from "../facts.ts";
import {
  type Action,
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

const HOOKS: Readonly<Record<string, "prerouting" | "input" | "output" | "postrouting">> = {
  PREROUTING: "prerouting",
  INPUT: "input",
  OUTPUT: "output",
  POSTROUTING: "postrouting",
};
const ICMP_TYPES: Readonly<Record<string, number>> = {
  "neighbour-solicitation": 135,
  "neighbor-solicitation": 135,
  "neighbour-advertisement": 136,
  "neighbor-advertisement": 136,
};
/** Options that say more about another one, or about the action, and take a value. */
const SILENT = ["-m", "--match", "--comment", "--reject-with", "--log-prefix", "--log-level", "-c"];

/** The chains of one family. */
export function parseIptables(saved: string, family: Family): Ruleset {
  const program = family === "ipv4" ? "iptables" : "ip6tables";
  const chains = new Map<string, Chain & { rules: Rule[] }>();
  let table = "filter";
  for (const line of saved.split("\n")) {
    const key = (chain: string) => `${program} ${table} ${chain}`;
    if (line.startsWith("*")) table = line.slice(1).trim();
    const declared = /^:(\S+) (\S+)/.exec(line);
    if (declared !== null) {
      const [, name, policy] = declared;
      const hook = HOOKS[name!];
      const base = hook === undefined
        ? null
        : { hook, family, policy: policy === "DROP" ? "drop" : "accept" } as const;
      chains.set(key(name!), { base, label: `${program} ${table} ${name}`, program, rules: [] });
    }
    const words = wordsOf(line.replace(/^\[\d+:\d+\] /, ""));
    if (words[0] !== "-A") continue;
    chains.get(key(words[1]!))?.rules.push(ruleOf(words.slice(2), key, `${program} ${line.trim()}`));
  }
  return chains;
}

function wordsOf(line: string): string[] {
  return [...line.matchAll(/"((?:[^"\\]|\\.)*)"|(\S+)/g)].map((match) => match[1] ?? match[2]!);
}

function ruleOf(words: readonly string[], key: (chain: string) => string, text: string): Rule {
  const matches: Match[] = [];
  let action: Action = { type: "continue" };
  for (let at = 0; at < words.length;) {
    const negated = words[at] === "!";
    if (negated) at++;
    const option = words[at++]!;
    // A negation may stand behind the option, as old versions print it.
    const late = words[at] === "!" && at++ > 0;
    const value = at < words.length && !/^(-|!$)/.test(words[at]!) ? words[at++]! : "";
    if (option === "-j" || option === "--jump") action = targetOf(value, "jump", key);
    else if (option === "-g" || option === "--goto") action = targetOf(value, "goto", key);
    else if (!SILENT.includes(option)) {
      const match: Match = (packet) => matchOf(packet, option, value);
      matches.push(negated || late ? (packet) => not(match(packet)) : match);
    }
  }
  return { matches, action, text };
}

function targetOf(target: string, type: "jump" | "goto", key: (chain: string) => string): Action {
  switch (target) {
    case "ACCEPT":
      return { type: "accept" };
    case "DROP":
    case "REJECT":
      return { type: "drop" };
    case "RETURN":
      return { type: "return" };
    case "LOG":
    case "NFLOG":
    case "MARK":
    case "CT":
    case "NOTRACK":
      return { type: "continue" };
    default:
      return { type, chain: key(target) };
  }
}

function matchOf(packet: Packet, option: string, value: string): Truth {
  const { direction, multicast } = packet;
  switch (option) {
    case "-p":
    case "--protocol":
      return value === "all" || value === "0" || isProtocol(value, packet.protocol);
    case "-i":
    case "--in-interface":
      return direction === "in" && isInterface(value, packet.interface, "+");
    case "-o":
    case "--out-interface":
      return direction === "out" && isInterface(value, packet.interface, "+");
    case "-s":
    case "--source":
      return inPrefix(packet.source, value);
    case "-d":
    case "--destination":
      return inPrefix(packet.destination, value);
    case "--state":
    case "--ctstate":
      return isTracked(packet, value.split(","));
    case "--pkt-type":
      return direction === "out" ? null : value === (multicast ? "multicast" : "unicast");
    case "--dst-type":
      return multicast ? value === "MULTICAST" : direction === "in" ? value === "LOCAL" : null;
    case "--dport":
    case "--dports":
    case "--destination-port":
      return packet.port !== null && value.split(",").some((range) => {
        const [from, to = from] = range.split(":");
        return packet.port! >= Number(from) && packet.port! <= Number(to);
      });
    case "--icmpv6-type":
      return (ICMP_TYPES[value] ?? Number(value)) === packet.icmpType;
    default:
      return null;
  }
}

function inPrefix(address: Uint8Array | null, text: string): Truth {
  const prefix = parsePrefix(text);
  return address === null || prefix === null ? null : sameSubnet(address, prefix.address, prefix.prefix);
}
