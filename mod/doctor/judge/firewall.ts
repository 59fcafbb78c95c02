/**
 * Would the machine's own firewall drop what the daemon lives on? A heuristic: rules that this program cannot read
 * make "may drop" of "drops". Pure.
 *
 * @module
 */
import { parseAddress } from "../../../lib/packet/mod.ts";
import { daemonInstance, finding, heardFor, instancesOf, list, masterOf, routeTo, unique } from "../facts.ts";
import type { TunnelConfig } from "../../tunnel/model.ts";
import { parseIptables } from "../firewall/iptables.ts";
import type { Packet, Ruleset } from "../firewall/model.ts";
import { parseNft } from "../firewall/nft.ts";
import { type Fate, fateOf } from "../firewall/walk.ts";
import type { DoctorConfig, Facts, Finding, RulesText, Severity } from "../model.ts";

/** A kind of packet that must pass. */
interface Wanted {
  readonly packet: Packet;
  /** What it is, as the subject of "… are dropped". */
  readonly what: string;
  readonly why: string;
  readonly severity: Severity;
  /** How it is known that such packets pass all the same; null = it is not. */
  readonly passing?: string | null;
  /** Condition of a rule that lets it pass. */
  readonly nft: string;
  readonly iptables: string;
}

const VRRP_GROUPS = { ipv4: "224.0.0.18", ipv6: "ff02::12" } as const;

/** Findings about the firewall. */
export function judgeFirewall(config: DoctorConfig | null, facts: Facts): Finding[] {
  if (config === null) return [];
  const ruleset = rulesetOf(facts);
  const found = new Map<string, Finding>();
  for (const wanted of wantedPackets(config, facts)) {
    const fate = fateOf(ruleset, wanted.packet);
    if (fate.verdict === "accept") continue;
    const told = tell(wanted, fate);
    // One rule that drops the packets of ten instances is one finding, and as bad as for the worst of them.
    const before = found.get(told.what);
    if (before === undefined || before.severity === "note") found.set(told.what, told);
  }
  return [...found.values()];
}

function textOf(rules: RulesText): string | null {
  return rules !== null && "text" in rules ? rules.text : null;
}

function rulesetOf({ firewall }: Facts): Ruleset {
  const nft = textOf(firewall.nft);
  const iptables = textOf(firewall.iptables);
  const ip6tables = textOf(firewall.ip6tables);
  return new Map([
    ...(nft === null ? [] : parseNft(nft, iptables !== null) ?? []),
    ...(iptables === null ? [] : parseIptables(iptables, "ipv4")),
    ...(ip6tables === null ? [] : parseIptables(ip6tables, "ipv6")),
  ]);
}

function tell(wanted: Wanted, { verdict, by, chain }: Fate): Finding {
  const { packet, what, why, severity, passing = null, nft, iptables } = wanted;
  const where = packet.direction === "in"
    ? `coming in on ${packet.interface}`
    : `going out on ${packet.interface}`;
  const sure = verdict === "drop";
  const rule = chain!.program === "nft"
    ? `nft insert rule ${chain!.label} ${nft} accept`
    : `${chain!.program} -t ${chain!.label.split(" ")[1]} -I ${
      chain!.label.split(" ")[2]
    } ${iptables} -j ACCEPT`;
  if (!sure && passing !== null) {
    return finding(
      "firewall",
      "note",
      `${what} ${where} may be dropped by ${by}`,
      passing,
    );
  }
  return finding(
    "firewall",
    sure ? severity : "warning",
    `${what} ${where} ${sure ? "are dropped" : "may be dropped"} by ${by}`,
    sure ? why : `${why}. Not certain: other rules depend on things that cannot be told from outside`,
    [rule],
  );
}

function packetOf(
  of: Partial<Packet> & Pick<Packet, "family" | "protocol" | "direction" | "interface">,
): Packet {
  return {
    source: null,
    destination: null,
    multicast: false,
    port: null,
    icmpType: null,
    tracking: null,
    ...of,
  };
}

function wantedPackets(config: DoctorConfig, facts: Facts): Wanted[] {
  return [
    ...instancesOf(config).flatMap((instance) => advertsOf(instance, facts)),
    ...instancesOf(config).filter(({ family }) => family === "ipv6").flatMap(neighboursOf),
    ...config.tunnels.flatMap((tunnel) => greOf(tunnel, facts)),
    ...apiOf(config, facts),
  ];
}

/** Which routers (of unicast: `peer` alone) an instance hears through the firewall, as a sentence; null = none. */
function heardThrough(
  instance: DoctorConfig["vrrp"][number],
  facts: Facts,
  peer: string | null,
): string | null {
  const own = daemonInstance(facts, instance);
  const heard = [
    ...heardFor(instance, facts).filter(({ delivered }) => delivered > 0).map(({ source }) => source),
    ...own?.state === "backup" ? [masterOf(own, instance)?.address ?? []].flat() : [],
  ].filter((address) => peer === null || address === peer);
  return heard.length === 0 ? null : `Those of ${list(unique(heard))} come through all the same`;
}

function advertsOf(instance: DoctorConfig["vrrp"][number], facts: Facts): Wanted[] {
  const { family, interface: dev, auth, peers } = instance;
  const ah = auth.type === "ah";
  const protocol = ah ? 51 : 112;
  const what = ah ? "VRRP advertisements with AH (protocol 51)" : "VRRP advertisements (protocol 112)";
  const common = { family, protocol, interface: dev };
  const nft = (direction: "in" | "out") =>
    `${direction === "in" ? "iifname" : "oifname"} "${dev}" meta l4proto ${protocol}`;
  const iptables = (direction: "in" | "out") => `${direction === "in" ? "-i" : "-o"} ${dev} -p ${protocol}`;
  const wanted = (packet: Packet, peer: string | null = null): Wanted => ({
    packet,
    what,
    why: packet.direction === "in"
      ? `This router does not hear the others of VRID ${instance.vrid} and becomes a second master`
      : `The others do not hear this router of VRID ${instance.vrid} and one of them becomes a second master`,
    severity: "error",
    passing: packet.direction === "in" ? heardThrough(instance, facts, peer) : null,
    nft: nft(packet.direction),
    iptables: iptables(packet.direction),
  });
  if (peers.length === 0) {
    const group = parseAddress(VRRP_GROUPS[family]);
    return (["in", "out"] as const).map((direction) =>
      wanted(packetOf({ ...common, direction, destination: group, multicast: true, tracking: "new" }))
    );
  }
  return peers.flatMap((peer) => [
    wanted(packetOf({ ...common, direction: "in", source: parseAddress(peer) }), peer),
    wanted(packetOf({ ...common, direction: "out", destination: parseAddress(peer) })),
  ]);
}

function neighboursOf(instance: DoctorConfig["vrrp"][number]): Wanted[] {
  const devs = new Set(instance.addresses.map(({ dev }) => dev ?? instance.interface));
  return [...devs].flatMap((dev) => [
    {
      packet: packetOf({
        family: "ipv6",
        protocol: 58,
        direction: "out",
        interface: dev,
        destination: parseAddress("ff02::1"),
        multicast: true,
        icmpType: 136,
        tracking: "untracked",
      }),
      what: "Neighbour advertisements (ICMPv6 type 136)",
      why: `Nobody learns that instance ${instance.name}'s addresses moved here`,
      severity: "error" as const,
      nft: `oifname "${dev}" icmpv6 type nd-neighbor-advert`,
      iptables: `-o ${dev} -p ipv6-icmp --icmpv6-type neighbour-advertisement`,
    },
    {
      packet: packetOf({
        family: "ipv6",
        protocol: 58,
        direction: "in",
        interface: dev,
        multicast: true,
        icmpType: 135,
        tracking: "untracked",
      }),
      what: "Neighbour solicitations (ICMPv6 type 135)",
      why: `Nobody who asks for instance ${instance.name}'s addresses gets an answer`,
      severity: "error" as const,
      nft: `iifname "${dev}" icmpv6 type nd-neighbor-solicit`,
      iptables: `-i ${dev} -p ipv6-icmp --icmpv6-type neighbour-solicitation`,
    },
  ]);
}

function greOf(tunnel: TunnelConfig, facts: Facts): Wanted[] {
  const { name, local, remote } = tunnel;
  const dev = tunnel.dev ?? routeTo(facts, remote);
  if (dev === null) return [];
  const family = local.includes(":") ? "ipv6" : "ipv4";
  const common = { family, protocol: 47, interface: dev } as const;
  return (["in", "out"] as const).map((direction) => ({
    packet: packetOf({
      ...common,
      direction,
      source: parseAddress(direction === "in" ? remote : local),
      destination: parseAddress(direction === "in" ? local : remote),
    }),
    what: "GRE packets (protocol 47)",
    why: `Tunnel ${name} carries nothing`,
    severity: "error",
    nft: `${direction === "in" ? "iifname" : "oifname"} "${dev}" meta l4proto 47`,
    iptables: `${direction === "in" ? "-i" : "-o"} ${dev} -p 47`,
  }));
}

function apiOf({ api }: DoctorConfig, facts: Facts): Wanted[] {
  if (api.listen === null || /^(127\.|::1$|localhost$)/.test(api.listen.host)) return [];
  const { host, port } = api.listen;
  const family = host.includes(":") ? "ipv6" : "ipv4";
  const dev = facts.links.find((link) => link.addresses.some(({ address }) => address === host))?.name ??
    facts.links.find((link) => link.running && link.name !== "lo")?.name;
  if (dev === undefined) return [];
  return [{
    packet: packetOf({
      family,
      protocol: 6,
      direction: "in",
      interface: dev,
      destination: parseAddress(host),
      port,
      tracking: "new",
    }),
    what: `Connections to the API (${list([host])} port ${port})`,
    why: "The API answers on this machine only",
    severity: "warning",
    nft: `tcp dport ${port}`,
    iptables: `-p tcp --dport ${port}`,
  }];
}
