/**
 * Finding out about the machine. Nothing is changed on it: no module is loaded, no setting written, and what is sent is
 * a few questions who has an address.
 *
 * @module
 */
import { askDaemon, readPortHolder, runtimeDirTrouble } from "./collect/api.ts";
import { askNeighbours } from "./collect/ask.ts";
import { readFeatures } from "./collect/feature.ts";
import { readFirewall } from "./collect/firewall.ts";
import { listenAt } from "./collect/listen.ts";
import { readMachine } from "./collect/machine.ts";
import { readNetwork } from "./collect/network.ts";
import { readProcesses } from "./collect/process.ts";
import type { DoctorConfig, Facts, RulesText, Unchecked } from "./model.ts";
import { placesToListen, questions } from "./plan.ts";

/** Three advertisements at the usual second, with room. */
const LISTEN_MS = 3500;

/** What to examine the machine for. */
export interface Examination {
  /** Null = the machine alone is looked at. */
  readonly config: DoctorConfig | null;
  /** Absolute path of the config; null = there is none. */
  readonly file: string | null;
  /** Where a daemon would answer. */
  readonly socket: string;
  /** Whether the kernel takes a tunnel's local address for one of this machine's. */
  readonly isAtHome: (tunnel: DoctorConfig["tunnels"][number]) => boolean;
  /** Told before the time-consuming part, with its length in milliseconds. */
  readonly onListen?: (durationMs: number) => void;
}

/** Finds everything out; takes at most some 5 s. Throws SyscallError when there is no netlink. */
export async function examine({ config, file, socket, isAtHome, onListen }: Examination): Promise<Facts> {
  const network = readNetwork();
  const features = readFeatures();
  const unchecked: Unchecked[] = [];
  const [daemon, firewall] = await Promise.all([askDaemon(socket), readFirewall(features.nf_tables)]);
  if (daemon === "denied") {
    unchecked.push({ area: "daemons", what: `the daemon on ${socket}`, why: "not permitted to connect" });
  }
  if (config !== null) unchecked.push(...unreadableRules(firewall));
  const before: Facts = {
    ...readMachine(),
    ...network,
    features,
    ...readProcesses(network.links),
    firewall,
    daemon: daemon === "denied" ? { type: "none" } : daemon,
    file,
    portHolder: readPortHolder(config?.api.listen ?? null),
    runtimeDir: config === null ? null : runtimeDirTrouble(config.runtimeDir),
    listenedMs: 0,
    listened: [],
    heard: [],
    locals: config === null ? [] : config.tunnels.filter(isAtHome).map(({ local }) => local),
    asked: [],
    answers: [],
    unchecked,
  };
  const places = placesToListen(config, before);
  if (places.length > 0) onListen?.(LISTEN_MS);
  const wire = await listenAt(places, LISTEN_MS);
  const heard: Facts = { ...before, ...wire };
  const answers = await askNeighbours(questions(config, heard));
  return { ...heard, ...answers, unchecked: [...unchecked, ...wire.unchecked, ...answers.unchecked] };
}

function unreadableRules(firewall: Facts["firewall"]): Unchecked[] {
  const programs: readonly (readonly [string, RulesText])[] = [
    ["nft", firewall.nft],
    ["iptables-save", firewall.iptables],
    ["ip6tables-save", firewall.ip6tables],
  ];
  const failed = programs.flatMap(([program, rules]): Unchecked[] =>
    rules !== null && "error" in rules
      ? [{ area: "firewall", what: `the rules that ${program} shows`, why: rules.error }]
      : []
  );
  if (programs.some(([, rules]) => rules !== null)) return failed;
  return [{ area: "firewall", what: "the firewall", why: "neither nft nor iptables-save is installed" }];
}
