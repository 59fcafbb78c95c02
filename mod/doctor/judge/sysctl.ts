/**
 * Kernel settings that make packets disappear. Pure.
 *
 * @module
 */
import {
  confName,
  finding,
  instancesOf,
  inSubnet,
  isTunnel,
  largerOf,
  linkOf,
  list,
  nameOf,
  routeTo,
  setSysctl,
  sysctlNumber,
  unique,
} from "../facts.ts";
import type { DoctorConfig, Facts, Finding } from "../model.ts";

const STRICT = 1;
const LOOSE = 2;

/** Findings about sysctls. */
export function judgeSysctls(config: DoctorConfig | null, facts: Facts): Finding[] {
  if (config === null) return [];
  return [
    ...reversePath(config, facts),
    ...forwarding(config, facts),
    ...arpFlux(config, facts),
    ...loopbackAddresses(config, facts),
    ...virtualMac(config, facts),
    ...secondaries(config, facts),
    ...memberships(config, facts),
  ];
}

/** Is what comes in by `dev` dropped when its source is not routed back by the same interface? */
function isStrict(facts: Facts, dev: string): boolean {
  return largerOf(facts, dev, "rp_filter") === STRICT;
}

function loosen(dev: string): string[] {
  return setSysctl(confName("ipv4", dev, "rp_filter"), LOOSE);
}

function reversePath(config: DoctorConfig, facts: Facts): Finding[] {
  const found: Finding[] = [];
  const vrrp = instancesOf(config).filter(({ family }) => family === "ipv4");

  for (const instance of vrrp) {
    const name = instance.interface;
    if (!isStrict(facts, name)) continue;
    const astray = instance.peers.filter((peer) => {
      const dev = routeTo(facts, peer);
      return dev !== null && dev !== name;
    });
    if (astray.length === 0) continue;
    found.push(finding(
      "sysctls",
      "error",
      `rp_filter is strict on ${name}, and the route to ${list(astray)} leads by ${
        routeTo(facts, astray[0]!)
      }`,
      `Advertisements that ${nameOf(instance)} should hear from there on ${name} are dropped by the kernel`,
      loosen(name),
    ));
  }

  // Of tunnels that the config makes their own judgement tells.
  const made = config.tunnels.map(({ name }) => name);
  const tunnels = unique(vrrp.map((entry) => entry.interface)).filter((name) =>
    !made.includes(name) && isTunnel(facts, name) && isStrict(facts, name)
  );
  for (const name of tunnels) {
    found.push(finding(
      "sysctls",
      "warning",
      `rp_filter is strict on tunnel ${name}`,
      "What comes through the tunnel is dropped unless its source is routed back through the tunnel: clients behind the " +
        "other end are not heard",
      loosen(name),
    ));
  }

  for (const [one, other] of sharedSubnets(config, facts)) {
    const strict = [one, other].filter((name) => isStrict(facts, name));
    if (strict.length === 0) continue;
    found.push(finding(
      "sysctls",
      "warning",
      `rp_filter is strict on ${list(strict)}, and ${one} and ${other} are in the same subnet`,
      "Only one of them has the route back: what comes in by the other is dropped, advertisements too",
      strict.flatMap(loosen),
    ));
  }

  return found;
}

/** Pairs of running interfaces, one of them used by VRRP, that have addresses in one IPv4 subnet. */
function sharedSubnets(config: DoctorConfig, facts: Facts): (readonly [string, string])[] {
  const used = unique(instancesOf(config).map((entry) => entry.interface));
  const virtual = new Set(config.vrrp.flatMap(({ addresses }) => addresses.map(({ address }) => address)));
  const own = (name: string) =>
    (linkOf(facts, name)?.addresses ?? []).filter(({ family, address, prefix }) =>
      family === "ipv4" && prefix < 32 && !virtual.has(address)
    );
  return used.flatMap((one) =>
    facts.links.filter((link) => link.running && link.name !== one && link.kind !== "macvlan").filter((
      link,
    ) => !used.includes(link.name) || one < link.name).filter((link) =>
      own(one).some((a) =>
        own(link.name).some((b) => inSubnet(a.address, b.address, Math.min(a.prefix, b.prefix)))
      )
    ).map((link) => [one, link.name] as const)
  );
}

function forwarding(config: DoctorConfig, facts: Facts): Finding[] {
  const found: Finding[] = [];
  for (const family of ["ipv4", "ipv6"] as const) {
    const users = [
      ...config.vrrp.filter((entry) => entry.family === family && !entry.accept).map(({ name }) =>
        `instance ${name} only forwards for its addresses (accept: false)`
      ),
      ...config.vrrp.filter(({ routes }) => routes.some((route) => route.family === family)).map(({ name }) =>
        `routes follow instance ${name}`
      ),
      ...(config.balance ?? []).some(({ forward }) => forward === "nat") ? ["balance forwards by NAT"] : [],
    ];
    if (users.length === 0) continue;
    const name = family === "ipv4" ? "net.ipv4.ip_forward" : "net.ipv6.conf.all.forwarding";
    if (sysctlNumber(facts, name) !== 0) continue;
    const why = `${list(users)}: packets for others that come in are dropped`;
    found.push(finding("sysctls", "warning", `${name} is off`, why, setSysctl(name, 1)));
  }
  return found;
}

function arpFlux(config: DoctorConfig, facts: Facts): Finding[] {
  return sharedSubnets(config, facts).filter(([one, other]) =>
    largerOf(facts, one, "arp_ignore") === 0 || largerOf(facts, other, "arp_ignore") === 0
  ).map(([one, other]) =>
    finding(
      "sysctls",
      "warning",
      `${one} and ${other} are in the same subnet, and arp_ignore is 0`,
      "Both answer ARP requests for every address of this machine, so clients learn now the one, now the other " +
        "hardware address of a virtual address",
      [...setSysctl("net.ipv4.conf.all.arp_ignore", 1), ...setSysctl("net.ipv4.conf.all.arp_announce", 2)],
    )
  );
}

/** The real server's side of direct routing: an address on the loopback that its subnet must not learn of. */
function loopbackAddresses(config: DoctorConfig, facts: Facts): Finding[] {
  const quiet = (dev: string) =>
    largerOf(facts, dev, "arp_ignore") > 0 && largerOf(facts, dev, "arp_announce") > 1;
  return config.static.addresses.filter(({ dev, address }) => dev === "lo" && !address.includes(":")).flatMap(
    ({ address }) => {
      const loud = facts.links.filter((link) =>
        link.mac !== null && !quiet(link.name) &&
        link.addresses.some((entry) => entry.prefix < 32 && inSubnet(address, entry.address, entry.prefix))
      ).map(({ name }) => name);
      if (loud.length === 0) return [];
      return [finding(
        "sysctls",
        "warning",
        `${address} is on the loopback, and ${list(loud)} answers ARP requests for it`,
        "As a real server of direct routing this machine would draw the traffic that is meant for the balancer",
        [...setSysctl("net.ipv4.conf.all.arp_ignore", 1), ...setSysctl("net.ipv4.conf.all.arp_announce", 2)],
      )];
    },
  );
}

/** The daemon sets what a virtual MAC address needs of its own two interfaces; what holds for all it leaves alone. */
function virtualMac(config: DoctorConfig, facts: Facts): Finding[] {
  const users = config.vrrp.filter(({ vmac, family }) => vmac !== null && family === "ipv4").map(nameOf);
  if (users.length === 0) return [];
  const obstacles = [["arp_filter", 1], ["arp_ignore", 3]] as const;
  return obstacles.flatMap(([key, from]) => {
    const name = `net.ipv4.conf.all.${key}`;
    const value = sysctlNumber(facts, name) ?? 0;
    if (value < from) return [];
    const why = `The virtual MAC address of ${list(users)} would not answer ARP requests`;
    return [finding("sysctls", "error", `${name} is ${value}`, why, setSysctl(name, 0))];
  });
}

/** The kernel removes the other addresses of a subnet with its first one. */
function secondaries(config: DoctorConfig, facts: Facts): Finding[] {
  const crowded = new Map<string, Set<string>>();
  for (const instance of config.vrrp) {
    for (const { address, prefix, dev } of instance.addresses) {
      const name = dev ?? instance.interface;
      if (instance.family !== "ipv4" || prefix === 32 || largerOf(facts, name, "promote_secondaries") !== 0) {
        continue;
      }
      const others = [
        ...(linkOf(facts, name)?.addresses ?? []).filter((entry) => entry.prefix === prefix).map((entry) =>
          entry.address
        ),
        ...config.vrrp.flatMap((entry) =>
          entry.addresses.filter((vip) => (vip.dev ?? entry.interface) === name && vip.prefix === prefix)
            .map((vip) => vip.address)
        ),
      ];
      if (others.some((other) => other !== address && inSubnet(other, address, prefix))) {
        crowded.set(name, (crowded.get(name) ?? new Set()).add(address));
      }
    }
  }
  return [...crowded].filter(([name]) => linkOf(facts, name) !== null).map(([name, addresses]) =>
    finding(
      "sysctls",
      "note",
      `promote_secondaries is off on ${name}`,
      "When the first address of a subnet is removed from the interface, the kernel removes all others of that subnet " +
        `with it, ${list([...addresses].slice(0, 3))} too (ours are put back, other people's are not)`,
      setSysctl(confName("ipv4", name, "promote_secondaries"), 1),
    )
  );
}

function memberships(config: DoctorConfig, facts: Facts): Finding[] {
  const most = sysctlNumber(facts, "net.ipv4.igmp_max_memberships");
  // Each interface has a socket of its own with one membership, so their number does not count.
  if (most === null || most > 0 || !config.vrrp.some(({ family }) => family === "ipv4")) return [];
  return [finding(
    "sysctls",
    "error",
    "net.ipv4.igmp_max_memberships is 0",
    "No socket may join 224.0.0.18, so no advertisement can be received",
    setSysctl("net.ipv4.igmp_max_memberships", 20),
  )];
}
