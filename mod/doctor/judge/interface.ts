/**
 * Are the interfaces and addresses that the config names as it needs them? Pure.
 *
 * @module
 */
import { advertPacketLength } from "../../vrrp/config.ts";
import {
  carrierOf,
  confName,
  daemonAddresses,
  finding,
  holdersOf,
  holdersOfVip,
  instancesOf,
  isTunnel,
  linkOf,
  list,
  madeByUs,
  nameOf,
  routeTo,
  setSysctl,
  sysctlNumber,
  unique,
} from "../facts.ts";
import type { DoctorConfig, Facts, Finding, LinkFact } from "../model.ts";

/** A lease that a daemon left behind a moment ago is gone before anybody has read about it. */
const LEASE_LEFT_S = 60;

/** Findings about interfaces and their addresses. */
export function judgeInterfaces(config: DoctorConfig | null, facts: Facts): Finding[] {
  if (config === null) return [];
  const made = madeByUs(config);
  return [
    ...vrrpInterfaces(config, facts, made),
    ...otherInterfaces(config, facts, made),
    ...config.vrrp.flatMap((instance) => sourceOf(instance, facts, made)),
    ...config.vrrp.flatMap((instance) => roomOf(instance, facts, config)),
    ...virtualAddresses(config, facts),
    ...managers(config, facts),
  ];
}

/** Names and what they are for, each name once. */
function grouped(entries: readonly (readonly [name: string, use: string])[]): Map<string, string[]> {
  const groups = new Map<string, string[]>();
  for (const [name, use] of entries) groups.set(name, unique([...groups.get(name) ?? [], use]));
  return groups;
}

interface Trouble {
  readonly what: string;
  readonly fix: string[];
}

/** What keeps an interface from carrying packets; null = nothing. */
function trouble(config: DoctorConfig, facts: Facts, name: string): Trouble | null {
  const link = linkOf(facts, name);
  if (link === null) {
    return { what: `Interface ${name} does not exist`, fix: ["ip -br link   # which ones there are"] };
  }
  if (!link.up) return { what: `Interface ${name} is down`, fix: [`ip link set ${name} up`] };
  if (link.running) return null;
  if (isTunnel(facts, name) || config.tunnels.some((tunnel) => tunnel.name === name)) {
    return quietTunnel(config, facts, name);
  }
  return { what: `Interface ${name} has no carrier`, fix: [`ethtool ${name}   # cable, switch port`] };
}

/** A tunnel has no cable: what keeps it quiet lies below it, or at its far end. */
function quietTunnel({ tunnels }: DoctorConfig, facts: Facts, name: string): Trouble {
  const what = `Tunnel ${name} has no carrier`;
  const tunnel = tunnels.find((each) => each.name === name);
  if (tunnel === undefined) {
    return { what, fix: [`ip -d link show dev ${name}   # its far end, and its device`] };
  }
  const { local, remote, dev } = tunnel;
  const below = [dev, routeTo(facts, remote), holdersOf(facts, local)[0]?.name ?? null]
    .flatMap((each) => each === null || each === name ? [] : linkOf(facts, each) ?? []);
  const quiet = below.find(({ running }) => !running);
  if (quiet === undefined) {
    return { what: `${what}: its far end ${remote} does not answer`, fix: [`ping -I ${local} ${remote}`] };
  }
  const under = `${quiet.name}, by which its packets leave,`;
  return quiet.up
    ? { what: `${what}: ${under} has none either`, fix: [`ethtool ${quiet.name}   # cable, switch port`] }
    : { what: `${what}: ${under} is down`, fix: [`ip link set ${quiet.name} up`] };
}

function vrrpInterfaces(config: DoctorConfig, facts: Facts, made: ReadonlySet<string>): Finding[] {
  const found: Finding[] = [];
  for (const [name, users] of grouped(config.vrrp.map((entry) => [entry.interface, nameOf(entry)]))) {
    const link = linkOf(facts, name);
    if (link === null && made.has(name)) continue;
    const wrong = trouble(config, facts, name);
    found.push(...portOf(link, users));
    if (wrong !== null) {
      found.push(
        finding(
          "interfaces",
          "error",
          wrong.what,
          `${list(users)} will be in FAULT until that changes`,
          wrong.fix,
        ),
      );
    } else if (
      !link!.multicast && config.vrrp.some((entry) => entry.interface === name && entry.peers.length === 0)
    ) {
      found.push(finding(
        "interfaces",
        "error",
        `Interface ${name} does not take multicast`,
        `${list(users)} cannot hear other routers on it`,
        [`ip link set ${name} multicast on`, "peers: [ADDRESS] in the instance   # unicast instead"],
      ));
    }
  }
  return found;
}

/** What comes in at a port goes to what it is a port of. Not so below a VRF, which only chooses other routes. */
function portOf(link: LinkFact | null, users: readonly string[]): Finding[] {
  if (link === null || link.master === null || link.master.kind === "vrf") return [];
  const { name, kind } = link.master;
  return [finding(
    "interfaces",
    "error",
    `Interface ${link.name} is a port of the ${kind ?? "interface"} ${name}`,
    `What comes in goes to ${name}: on ${link.name} nobody is heard by ${
      list(users)
    }, so there will be a second master`,
    [`interface: ${name}   # give the instance this one; the address to advertise from belongs there, too`],
  )];
}

function otherInterfaces(config: DoctorConfig, facts: Facts, made: ReadonlySet<string>): Finding[] {
  const found: Finding[] = [];
  const main = new Set(config.vrrp.map((entry) => entry.interface));
  const carriers = grouped([
    ...config.vrrp.flatMap((entry) =>
      [...entry.addresses, ...entry.extra].filter(({ dev }) => dev !== null)
        .map(({ dev }) => [dev!, `instance ${entry.name}`] as const)
    ),
    ...config.static.addresses.map(({ dev }) => [dev, "static"] as const),
  ]);
  for (const [name, users] of carriers) {
    if (main.has(name) || made.has(name)) continue;
    const link = linkOf(facts, name);
    const wrong = trouble(config, facts, name);
    if (wrong === null) continue;
    const why = `Addresses of ${list(users)} are put on it`;
    found.push(finding("interfaces", link === null ? "error" : "warning", wrong.what, why, wrong.fix));
  }
  for (const entry of config.vrrp) {
    for (const { kind, name, weight } of entry.track) {
      if (kind !== "interface" || main.has(name) || made.has(name)) continue;
      const wrong = trouble(config, facts, name);
      if (wrong === null) continue;
      const why = weight === null
        ? `${nameOf(entry)} tracks it without a weight and is in FAULT`
        : `${nameOf(entry)} tracks it: its priority moves by ${weight}`;
      found.push(finding("interfaces", weight === null ? "error" : "warning", wrong.what, why, wrong.fix));
    }
  }
  return found;
}

/** Does the interface take packets as long as the advertisements of an instance? */
function roomOf(instance: DoctorConfig["vrrp"][number], facts: Facts, { tunnels }: DoctorConfig): Finding[] {
  const { interface: name, addresses } = instance;
  const link = linkOf(facts, name);
  const length = advertPacketLength(instance);
  if (link === null || link.mtu >= length) return [];
  const raise = tunnels.some((tunnel) => tunnel.name === name)
    ? `mtu: ${length}   # or more, in tunnel ${name}`
    : `ip link set ${name} mtu ${length}   # or more, if the whole segment can`;
  return [finding(
    "interfaces",
    "error",
    `Interface ${name} takes packets of ${link.mtu} bytes, but an advertisement with ${addresses.length} addresses has ${length}`,
    `${nameOf(instance)} cannot advertise: no other router hears it, and each of them becomes master too`,
    [raise, "split the addresses over several instances"],
  )];
}

/** Has the interface an address to advertise from? */
function sourceOf(
  instance: DoctorConfig["vrrp"][number],
  facts: Facts,
  made: ReadonlySet<string>,
): Finding[] {
  const { family, interface: name, source } = instance;
  const link = linkOf(facts, name);
  if (link === null || made.has(name)) return [];
  const six = family === "ipv6";
  const virtual = new Set(instance.addresses.map(({ address }) => address));
  const usable = link.addresses.filter((entry) =>
    entry.family === family && entry.usable && (!six || entry.linkLocal || source !== null) &&
    (instance.priority === 255 || !virtual.has(entry.address))
  );
  if (source !== null && !link.addresses.some(({ address }) => address === source)) {
    const elsewhere = holdersOf(facts, source).map((holder) => holder.name);
    const where = elsewhere.length === 0 ? "no interface has it" : `${list(elsewhere)} has it`;
    return [
      finding(
        "interfaces",
        "error",
        `Interface ${name} does not have the source address ${source}`,
        `${nameOf(instance)} cannot advertise; ${where}`,
        [`ip addr add ${source}/${six ? 64 : 24} dev ${name}`],
      ),
    ];
  }
  if (usable.length > 0 || source !== null) return [];
  const unready = link.addresses.find((entry) =>
    entry.family === family && !entry.usable && (!six || entry.linkLocal) && !virtual.has(entry.address)
  );
  if (unready !== undefined) {
    return [finding(
      "interfaces",
      "warning",
      `${unready.address} on ${name} is being checked for duplicates, or was found to be one`,
      `${nameOf(instance)} cannot advertise from it before that is over`,
      [`ip -6 addr show dev ${name}   # tentative, or dadfailed?`],
    )];
  }
  const disabled = six && sysctlNumber(facts, confName("ipv6", name, "disable_ipv6")) === 1;
  return [finding(
    "interfaces",
    "error",
    `Interface ${name} has no ${six ? "IPv6 link-local" : "IPv4"} address${
      disabled ? ": IPv6 is switched off" : ""
    }`,
    `${nameOf(instance)} has no address to advertise from and will be in FAULT`,
    disabled
      ? setSysctl(confName("ipv6", name, "disable_ipv6"), 0)
      : [`ip addr add ${six ? "fe80::1/64" : "ADDRESS/PREFIX"} dev ${name}`],
  )];
}

/** Virtual addresses that are on this machine already without a daemon of ours having put them there. */
function virtualAddresses(config: DoctorConfig, facts: Facts): Finding[] {
  const found: Finding[] = [];
  const ours = daemonAddresses(facts);
  for (const instance of instancesOf(config)) {
    if (instance.priority === 255) continue;
    for (const vip of instance.addresses) {
      const { address } = vip;
      if (ours.has(address)) continue;
      for (const link of holdersOfVip(facts, instance, vip)) {
        const entry = link.addresses.find((held) => held.address === address)!;
        // The address of a real server of direct routing stands on the loopback.
        if (link.name === "lo" || (entry.validS !== null && entry.validS <= LEASE_LEFT_S)) continue;
        found.push(finding(
          "interfaces",
          "warning",
          `Virtual address ${address} of instance ${instance.name} is on ${link.name} of this machine already`,
          "Somebody else put it there: another daemon, a network manager, or a run of keepalived that was killed. " +
            `If it is the machine's own address, this router owns it: priority: 255`,
          [`ip addr del ${address}/${entry.prefix} dev ${link.name}`],
        ));
      }
    }
  }
  return found;
}

/** Managers of networks that remove what they did not put there. */
function managers(config: DoctorConfig, facts: Facts): Finding[] {
  const used = unique(config.vrrp.flatMap((entry) => [
    entry.interface,
    ...entry.addresses.map((vip) => carrierOf(entry, vip)),
  ]));
  return Object.entries(facts.managed).flatMap(([manager, names]) => {
    const mine = used.filter((name) => names.includes(name));
    if (mine.length === 0) return [];
    const what = `${manager} manages ${list(mine)}`;
    if (manager === "NetworkManager") {
      return [
        finding(
          "interfaces",
          "note",
          what,
          "When it activates a connection anew it removes addresses and routes " +
            "that it did not set; ours are put back at once, but each time is a gap",
          [
            ...mine.map((name) =>
              `nmcli device set ${name} managed no   # if this machine's own address is static`
            ),
          ],
        ),
      ];
    }
    return [
      finding(
        "interfaces",
        "note",
        what,
        "When it configures a link anew it removes addresses, routes and rules " +
          "that it did not set; ours are put back at once, but each time is a gap",
        [
          `KeepConfiguration=yes in [Network] of the .network file of ${list(mine)}`,
          "ManageForeignRoutes=no and ManageForeignRoutingPolicyRules=no in [Network] of /etc/systemd/networkd.conf",
        ],
      ),
    ];
  });
}
