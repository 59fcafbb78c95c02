/**
 * What other routers say about our virtual routers, and whether it arrives. Pure.
 *
 * @module
 */
import { verifyAh, VRRP_AUTH, vrrpAuthData } from "../../../lib/packet/mod.ts";
import { daemonInstance, finding, heardFor, instancesOf, linkOf, list, masterOf, nameOf } from "../facts.ts";
import type { DaemonInstance, DoctorConfig, Facts, Finding, HeardFact, Unchecked } from "../model.ts";
import { judgeAnswers } from "./answer.ts";

type Instance = DoctorConfig["vrrp"][number];

const AUTH_NAMES = ["none", "pass", "ah"] as const;

/** Findings about other routers. */
export function judgeWire(config: DoctorConfig | null, facts: Facts): Finding[] {
  return instancesOf(config).flatMap((instance) => judgeInstance(instance, facts));
}

/** Where nobody could listen because there is nothing to listen on. */
export function unheard(config: DoctorConfig | null, facts: Facts): Unchecked[] {
  return instancesOf(config).filter((instance) => daemonInstance(facts, instance) === null).flatMap(
    (instance) => {
      const link = linkOf(facts, instance.interface);
      if (link !== null && link.running) return [];
      const what = `what other routers say on ${instance.interface}`;
      return [{ area: "wire", what, why: link === null ? "it is not there yet" : "it is down" }];
    },
  );
}

function seconds(ms: number): string {
  return `${Number((ms / 1000).toFixed(1))} s`;
}

function judgeInstance(instance: Instance, facts: Facts): Finding[] {
  const own = daemonInstance(facts, instance);
  const heard = heardFor(instance, facts);
  const found = [
    ...heard.flatMap((router) => judgeRouter(instance, router, facts)),
    ...judgeAnswers(instance, facts, remedies(instance)),
  ];
  if (own !== null) found.push(...judgeCounters(instance, own, facts));
  const usable = linkOf(facts, instance.interface)?.running ?? false;
  const silent = heard.length === 0 && facts.listened.includes(`${instance.interface} ${instance.family}`);
  if (silent && usable && own === null) found.push(silence(instance, facts));
  return found;
}

/** What to look at where nothing is heard, likeliest first. */
function remedies({ interface: dev, family, peers }: Instance): string[] {
  const capture = `tcpdump -ni ${dev} ${
    family === "ipv4" ? "ip proto 112 or ip proto 51" : "ip6 proto 112"
  }   # on both sides`;
  if (peers.length > 0) return [...peers.map((peer) => `ping ${peer}`), capture];
  return [
    capture,
    "the switch: IGMP snooping without a querier swallows multicast (Linux bridge: " +
    "echo 0 > /sys/class/net/BRIDGE/bridge/multicast_snooping)",
    "peers: [ADDRESS] in the instance   # unicast, where the network has no multicast",
  ];
}

function silence(instance: Instance, { listenedMs }: Facts): Finding {
  const { interface: dev, vrid, intervalCs, peers } = instance;
  const short = intervalCs * 10 * 2 > listenedMs;
  const why = short
    ? `At an interval of ${seconds(intervalCs * 10)} that was too short to tell`
    : "That is well while no other router is master. If one should be, it is down, or its advertisements do not get here: " +
      (peers.length > 0
        ? "a firewall, a missing route"
        : "a firewall, or a switch that does not pass multicast");
  const what = `No advertisement of VRID ${vrid} was heard on ${dev} in ${seconds(listenedMs)}`;
  return finding("wire", "note", what, why, short ? [] : remedies(instance));
}

/** What a running instance has counted. */
function judgeCounters(instance: Instance, own: DaemonInstance, facts: Facts): Finding[] {
  // An instance with addresses of both families counts for both together: that is told once.
  if (own.families[0] !== instance.family) return [];
  const found: Finding[] = [];
  const name = nameOf(instance);
  const dropped = Object.entries(own.adverts.dropped).filter(([, count]) => count > 0);
  if (dropped.length > 0) {
    found.push(finding(
      "wire",
      "warning",
      `${name} has refused advertisements: ${dropped.map(([why, count]) => `${count} (${why})`).join(", ")}`,
      "Whoever sent them is no peer to it: both may be master. The word tells which key differs",
      ["appliance explain", "appliance events"],
    ));
  }
  const { send_errors, received } = own.adverts;
  if (send_errors > 0) {
    found.push(
      finding("wire", "warning", `${name} could not send ${send_errors} advertisements`, null, [
        "appliance events",
      ]),
    );
  }
  if (own.split_brain_with !== null) {
    found.push(finding(
      "wire",
      "error",
      `${name} has a second master: ${own.split_brain_with}`,
      "Clients reach now the one, now the other",
      remedies(instance),
    ));
  }
  const master = masterOf(own, instance);
  if (own.state === "backup" && master !== null) {
    const what =
      `${instance.peers.length === 0 ? "Multicast" : "Unicast"} passes on ${instance.interface}: ` +
      `${name} hears its master ${master.address} (priority ${master.priority})`;
    found.push(finding("wire", "note", what));
  } else if (own.state === "master" && received === 0 && dropped.length === 0) {
    found.push(loneMaster(instance, facts));
  }
  return found;
}

/** Tunnels that an instance depends on and that the running daemon does not say are up. */
function tunnelsDown({ interface: dev, addresses, extra, track }: Instance, { daemon }: Facts): string[] {
  if (daemon.type !== "running") return [];
  const used = new Set([
    dev,
    ...[...addresses, ...extra].map((vip) => vip.dev),
    ...track.flatMap(({ kind, name }) => kind === "tunnel" ? [name] : []),
  ]);
  return daemon.tunnels.filter(({ name, state }) => used.has(name) && state !== "up").map(({ name }) => name);
}

function loneMaster(instance: Instance, facts: Facts): Finding {
  const what = `${nameOf(instance)} is master and has never heard another router`;
  const well = "Backups are silent, so that is well when there is one";
  const down = tunnelsDown(instance, facts);
  if (down.length > 0) {
    // Nobody would take over: to release it would only stop the service.
    const why = `${well}. But ${list(down)} ${
      down.length === 1 ? "is" : "are"
    } not up, so nobody may hear it either`;
    return finding("wire", "note", what, why, remedies(instance));
  }
  return finding(
    "wire",
    "note",
    what,
    `${well}. To be sure, release it for a moment: it then hears its successor. While no backup takes over, the service ` +
      "stops",
    [
      `appliance release ${instance.unit}; appliance status; appliance resume ${instance.unit}` +
      "   # interrupts the service when there is no backup",
      ...remedies(instance),
    ],
  );
}

/** One router that speaks for our VRID: is it a peer, and does it agree with us? */
function judgeRouter(instance: Instance, router: HeardFact, facts: Facts): Finding[] {
  const { interface: dev, vrid } = instance;
  const who = `${router.source} on ${dev}`;
  if (router.arrived > 0 && router.delivered === 0) {
    return [finding(
      "wire",
      "error",
      `Advertisements of VRID ${vrid} from ${who} arrive, but the kernel drops them`,
      `${router.arrived} were seen at the device, none came through: the firewall, or rp_filter, is in between`,
      [
        `nft list ruleset; iptables-save`,
        `sysctl net.ipv4.conf.all.rp_filter net.ipv4.conf.${dev}.rp_filter`,
      ],
    )];
  }
  const refusal = refusalOf(instance, router, facts);
  if (refusal !== null) {
    return [finding(
      "wire",
      "error",
      `${who} speaks for VRID ${vrid} in a way that must be refused: ${refusal.what}`,
      "Neither takes the other for a peer, and both become master. If it belongs to another cluster, take another VRID",
      refusal.fix,
    )];
  }
  const found: Finding[] = [];
  const ours = instance.addresses.map(({ address }) => address);
  const missing = ours.filter((address) => !router.addresses.includes(address));
  const extra = router.addresses.filter((address) => !ours.includes(address));
  if (missing.length === ours.length) {
    found.push(finding(
      "wire",
      "error",
      `${who} advertises VRID ${vrid} with quite other addresses: ${list(router.addresses) || "none"}`,
      "It seems to be another cluster, and would be taken for our master",
      [`vrid: ${freeVrid(facts)}   # one that nobody uses, on all routers of this cluster`],
    ));
  } else if (missing.length + extra.length > 0) {
    const parts = [
      ...missing.length > 0 ? [`it lacks ${list(missing)}`] : [],
      ...extra.length > 0 ? [`it has ${list(extra)} besides`] : [],
    ];
    found.push(finding(
      "wire",
      "warning",
      `${who} advertises VRID ${vrid} with other addresses than ours: ${list(parts)}`,
      "What one of them lacks goes away when it becomes master",
      ["addresses: the same list on all routers of the cluster"],
    ));
  }
  if (instance.version === 3 && router.intervalCs !== instance.intervalCs) {
    found.push(finding(
      "wire",
      "warning",
      `${who} advertises VRID ${vrid} every ${router.intervalCs * 10} ms, advert_interval here is ${
        instance.intervalCs * 10
      } ms`,
      "The one that is master sets the pace, so fail-over takes longer or shorter depending on who it is",
      [`advert_interval: ${router.intervalCs * 10}ms`],
    ));
  }
  if (router.priority === instance.priority && router.priority !== 255) {
    found.push(finding(
      "wire",
      "note",
      `${who} has the same priority for VRID ${vrid}: ${router.priority}`,
      "When both start at once, the higher address wins",
      [],
    ));
  }
  if (found.every(({ severity }) => severity === "note") && daemonInstance(facts, instance) === null) {
    const way = instance.peers.length === 0 ? "multicast passes" : "unicast passes";
    const text =
      `${who} is master of VRID ${vrid} (priority ${router.priority}, ours ${instance.priority}): ${way}`;
    found.push(finding("wire", "note", text));
  }
  return found;
}

/** A number from 1 to 255 that nobody was heard using. */
function freeVrid({ heard }: Facts): number {
  const used = new Set(heard.map(({ vrid }) => vrid));
  for (let vrid = 1; vrid <= 255; vrid++) if (!used.has(vrid)) return vrid;
  return 255;
}

interface Refusal {
  readonly what: string;
  readonly fix: readonly string[];
}

/** Which key makes us refuse each other; null = none. */
function refusalOf(instance: Instance, router: HeardFact, facts: Facts): Refusal | null {
  const { version, peers, auth } = instance;
  if (router.version !== null && router.version !== version) {
    return { what: `version ${router.version}, here ${version}`, fix: [`version: ${router.version}`] };
  }
  if (router.refused !== null) {
    return {
      what: `its advertisements cannot be read (${router.refused})`,
      fix: [`tcpdump -vvni ${instance.interface} host ${router.source}`],
    };
  }
  const multicast = isGroup(router.destination);
  if (multicast !== (peers.length === 0)) {
    return multicast
      ? {
        what: "by multicast, here peers are configured (unicast)",
        fix: ["remove peers, or give it peers too"],
      }
      : { what: "by unicast, here multicast is configured", fix: [`peers: [${router.source}]`] };
  }
  if (!multicast && !peers.includes(router.source)) {
    return { what: "it is not among the peers", fix: [`peers: [${[...peers, router.source].join(", ")}]`] };
  }
  if (multicast && router.ttl !== 255) {
    return {
      what: `its packets have TTL ${router.ttl} instead of 255: a router or tunnel is in between`,
      fix: [`peers: [${router.source}]`],
    };
  }
  if (linkOf(facts, instance.interface)?.addresses.some(({ address }) => address === router.source)) {
    return { what: "it has the address of this machine", fix: ["give one of the two another address"] };
  }
  const difference = authDifference(instance, router);
  if (difference !== null) return difference;
  if (version === 2 && router.intervalCs !== instance.intervalCs) {
    const theirs = router.intervalCs / 100;
    return {
      what: `advert_interval ${theirs} s, here ${instance.intervalCs / 100} s`,
      fix: [`advert_interval: ${theirs}s`],
    };
  }
  if (auth.type !== "none" && version === 3) return null;
  return router.priority === 255 && instance.priority === 255
    ? {
      what: "both have priority 255, but only one can own the addresses",
      fix: ["priority: 254   # or less, on one of them"],
    }
    : null;
}

function isGroup(address: string): boolean {
  return address === "224.0.0.18" || address.startsWith("ff02:");
}

function authDifference({ version, auth }: Instance, router: HeardFact): Refusal | null {
  const theirs = router.ah
    ? "ah"
    : version === 2
    ? AUTH_NAMES[router.authType] ?? `type ${router.authType}`
    : "none";
  if (theirs !== auth.type) {
    return {
      what: `auth ${theirs}, here ${auth.type}`,
      fix: [theirs === "none" ? "remove auth" : `auth: { type: ${theirs}, key: … }`],
    };
  }
  if (auth.type === "none") return null;
  const key = vrrpAuthData(auth.key);
  const same = auth.type === "pass"
    ? router.authType === VRRP_AUTH.pass && router.authData !== null &&
      key.every((byte, at) => router.authData![at] === byte)
    : router.packet !== null && verifyAh(router.packet, key);
  return same
    ? null
    : { what: "another auth key", fix: ["auth: { key: … }   # the same on all routers, as is its type"] };
}
