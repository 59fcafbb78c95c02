/**
 * Random configs and how they change from one reload to the next: names, addresses, routes, rules, groups and probes
 * wander between virtual routers.
 *
 * @module
 */
import type { Random } from "../../sim/random.ts";

/** Owner of what is there whoever is master. */
export const STATIC = 0;

/** One instance. What the daemon takes for the same router has the same `id` here, whatever it is called. */
export interface Router {
  readonly id: number;
  readonly device: string;
  readonly vrid: number;
  name: string;
  /** On the side that it prefers; 50 less on the other. */
  priority: number;
  prefers: number;
  /** `off`, or whole seconds. */
  lease: string;
  accept: boolean;
  /** Name of its group; null = none. */
  group: string | null;
  probe: { name: string; weight: number } | null;
  /** The router whose fault is this one's, too; null = none. */
  follows: number | null;
  /** Name of the interface with its virtual MAC address; that of its IPv6 addresses beside others has a `b` behind. */
  vmac: string | null;
}

/** An address that may belong to any router; `owner` null = to none now. */
export interface Vip {
  readonly address: string;
  readonly device: string;
  prefix: number;
  label: string | null;
  owner: number | null;
  /** Whether it goes with the others, unadvertised. */
  extra: boolean;
}

/** A route or rule in the words of `ip`, and how the kernel shows it. */
export interface Way {
  readonly kind: "routes" | "rules";
  text: string;
  shown: string;
  owner: number | null;
}

/** What is to be configured. */
export interface Plan {
  routers: Router[];
  readonly vips: readonly Vip[];
  readonly ways: readonly Way[];
  /** Names of the probes; each looks for a file of that name. */
  probes: string[];
  nextId: number;
  /** Where routers ran before the last change: whoever has such a place is that router. */
  taken: readonly Place[];
}

type Place = Pick<Router, "device" | "vrid">;

const DEVICES = ["eth0", "eth1"];
const NAMES = ["web", "lan", "db", "mail", "dns", "ipv6", "x.1"];
const GROUPS = ["site", "web", "g"];
const PROBES = ["one", "two", "three"];
const VMACS = ["mac1", "mac2", "mac3"];
const LEASES = ["off", "3s", "2s"];
const MOST_ROUTERS = 5;

export const isIpv6 = ({ address }: Pick<Vip, "address">): boolean => address.includes(":");

function freeVips(): Vip[] {
  const vip = (address: string, device: string): Vip => ({
    address,
    device,
    prefix: address.includes(":") ? 64 : 24,
    label: null,
    owner: null,
    extra: false,
  });
  return DEVICES.flatMap((device, net) => [
    ...[100, 101, 102, 103, 104].map((host) => vip(`10.${net}.0.${host}`, device)),
    ...[1, 2, 3].map((host) => vip(`2001:db8:${net + 1}::10${host}`, device)),
  ]);
}

function route(net: number, shape: number): Pick<Way, "text" | "shown"> {
  const to = `10.50.${net}.0/24`;
  if (shape === 2) return { text: `blackhole ${to}`, shown: `${to} blackhole` };
  if (shape === 3) {
    const to6 = `2001:db8:50${net}::/64`;
    return { text: `${to6} via 2001:db8:1::9 dev eth0`, shown: `${to6} 2001:db8:1::9 eth0` };
  }
  const [via, device] = [`10.${shape}.0.9`, `eth${shape}`];
  return { text: `${to} via ${via} dev ${device}`, shown: `${to} ${via} ${device}` };
}

function rule(net: number, shape: number): Pick<Way, "text" | "shown"> {
  const text = `from 10.50.${net}.0/24 table ${100 + shape} priority ${50 + net}`;
  return { text, shown: `${50 + net}: from 10.50.${net}.0/24 lookup ${100 + shape}` };
}

/** A first config. */
export function firstPlan(random: Random): Plan {
  const nets = [1, 2, 3, 4];
  const plan: Plan = {
    routers: [],
    vips: freeVips(),
    ways: [
      ...nets.map((net): Way => ({ kind: "routes", owner: null, ...route(net, 0) })),
      ...nets.map((net): Way => ({ kind: "rules", owner: null, ...rule(net, 0) })),
    ],
    probes: ["one"],
    nextId: STATIC + 1,
    taken: [],
  };
  for (let count = random.int(2, 4); count > 0; count--) add(plan, random);
  for (const way of plan.ways) if (random.chance(0.6)) way.owner = anyRouter(plan, random).id;
  complete(plan, random);
  return plan;
}

function anyRouter(plan: Plan, random: Random): Router {
  return random.pick(plan.routers);
}

function freeName(plan: Plan, random: Random): string {
  return random.pick(NAMES.filter((name) => plan.routers.every((router) => router.name !== name)));
}

function freePlace(plan: Plan, random: Random): Place {
  const places = DEVICES.flatMap((device) => [51, 52, 53, 54, 55, 56].map((vrid) => ({ device, vrid })));
  const taken = [...plan.taken, ...plan.routers];
  return random.pick(
    places.filter(({ device, vrid }) => taken.every((one) => one.device !== device || one.vrid !== vrid)),
  );
}

function add(plan: Plan, random: Random, name: string = freeName(plan, random)): Router {
  const router: Router = {
    id: plan.nextId++,
    ...freePlace(plan, random),
    name,
    priority: random.int(120, 190),
    prefers: random.int(0, 1),
    lease: random.pick(LEASES),
    accept: random.chance(0.8),
    group: null,
    probe: null,
    follows: null,
    vmac: null,
  };
  plan.routers.push(router);
  for (let count = random.int(1, 3); count > 0; count--) {
    const free = plan.vips.filter(({ owner }) => owner === null);
    if (free.length === 0) break;
    const vip = random.pick(free);
    vip.owner = router.id;
    vip.extra = random.chance(0.3);
  }
  return router;
}

/** One change; what it returns says what it did. Null = it does not apply. */
type Change = (plan: Plan, random: Random, alone: boolean) => string | null;

const CHANGES: Readonly<Record<string, Change>> = {
  rename(plan, random) {
    const router = anyRouter(plan, random);
    const before = router.name;
    router.name = freeName(plan, random);
    return `rename ${before} to ${router.name}`;
  },
  renameRound(plan, random) {
    if (plan.routers.length < 2) return null;
    const some = shuffled(plan.routers, random).slice(0, random.int(2, 3));
    const names = some.map(({ name }) => name);
    some.forEach((router, index) => router.name = names[(index + 1) % names.length]!);
    return `rename ${names.join(" to ")} and round`;
  },
  inherit(plan, random) {
    if (plan.routers.length >= MOST_ROUTERS) return null;
    const router = anyRouter(plan, random);
    const before = router.name;
    router.name = freeName(plan, random);
    add(plan, random, before);
    return `rename ${before} to ${router.name}, and add another ${before}`;
  },
  add(plan, random) {
    return plan.routers.length >= MOST_ROUTERS ? null : `add ${add(plan, random).name}`;
  },
  remove(plan, random) {
    if (plan.routers.length < 2) return null;
    const gone = anyRouter(plan, random);
    plan.routers = plan.routers.filter((router) => router !== gone);
    const heir = random.chance(0.5) ? anyRouter(plan, random).id : null;
    for (const thing of [...plan.vips, ...plan.ways]) if (thing.owner === gone.id) thing.owner = heir;
    return `remove ${gone.name}${heir === null ? "" : ", with an heir"}`;
  },
  replace(plan, random) {
    // Another VRID or interface: another router of the same name, with what the one before had.
    const gone = anyRouter(plan, random);
    plan.routers = plan.routers.filter((router) => router !== gone);
    const place = freePlace(plan, random);
    const router = { ...gone, ...place, id: plan.nextId++ };
    plan.routers.push(router);
    for (const other of plan.routers) if (other.follows === gone.id) other.follows = router.id;
    for (const thing of [...plan.vips, ...plan.ways]) if (thing.owner === gone.id) thing.owner = router.id;
    return `make ${gone.name} vrid ${place.vrid} on ${place.device}`;
  },
  moveVips(plan, random, alone) {
    const moved: string[] = [];
    for (let count = random.int(1, 3); count > 0; count--) {
      const vip = random.pick(plan.vips);
      if (alone && random.chance(0.1)) vip.owner = STATIC;
      else vip.owner = random.chance(0.2) ? null : anyRouter(plan, random).id;
      vip.extra = random.chance(0.4);
      moved.push(`${vip.address} to ${vip.owner}${vip.extra ? " as extra" : ""}`);
    }
    return `move ${moved.join(", ")}`;
  },
  swapVips(plan, random) {
    const [one, two] = shuffled(plan.vips.filter(({ owner }) => owner !== null && owner !== STATIC), random);
    if (one === undefined || two === undefined) return null;
    [one.owner, two.owner] = [two.owner, one.owner];
    return `swap ${one.address} and ${two.address}`;
  },
  reshape(plan, random) {
    const vip = random.pick(plan.vips);
    vip.prefix = random.pick(isIpv6(vip) ? [64, 128] : [24, 32, 16]);
    vip.label = isIpv6(vip) ? null : random.pick([null, `${vip.device}:x`, `${vip.device}:y`]);
    return `make ${vip.address} /${vip.prefix} ${vip.label}`;
  },
  moveWays(plan, random, alone) {
    const moved: string[] = [];
    for (let count = random.int(1, 3); count > 0; count--) {
      const index = random.int(0, plan.ways.length - 1);
      const way = plan.ways[index]!;
      const owner = anyRouter(plan, random).id;
      way.owner = random.chance(0.2) ? null : alone && random.chance(0.1) ? STATIC : owner;
      if (random.chance(0.4)) {
        const net = index % 4 + 1;
        Object.assign(
          way,
          way.kind === "routes" ? route(net, random.int(0, 3)) : rule(net, random.int(0, 3)),
        );
      }
      moved.push(`${way.text} to ${way.owner}`);
    }
    return `move ${moved.join(", ")}`;
  },
  tune(plan, random) {
    const router = anyRouter(plan, random);
    router.lease = random.pick(LEASES);
    router.accept = random.chance(0.7);
    router.priority = random.int(120, 190);
    if (random.chance(0.2)) router.prefers = 1 - router.prefers;
    return `tune ${router.name}`;
  },
  group(plan, random) {
    const group = random.pick(GROUPS);
    const some = shuffled(plan.routers, random).slice(0, random.int(0, 3));
    for (const router of plan.routers) {
      if (some.includes(router)) router.group = group;
      else if (router.group === group) router.group = null;
    }
    return `group ${some.map(({ name }) => name).join(" and ")} as ${group}`;
  },
  vmac(plan, random) {
    const [one, two] = shuffled(plan.routers, random);
    const before = one!.vmac;
    one!.vmac = random.pick([null, ...VMACS]);
    if (two !== undefined && two.vmac === one!.vmac) two.vmac = before;
    return `make the vmac of ${one!.name} ${one!.vmac}`;
  },
  follow(plan, random) {
    const [router, leader] = shuffled(plan.routers, random);
    if (leader === undefined) return null;
    router!.follows = leader.id;
    return `let ${router!.name} follow ${leader.name}`;
  },
  probes(plan, random) {
    plan.probes = shuffled(PROBES, random).slice(0, random.int(1, 3));
    for (const router of plan.routers) {
      if (!random.chance(0.5)) continue;
      const weight = random.pick([0, -60, 20]);
      router.probe = random.chance(0.4) ? null : { name: random.pick(plan.probes), weight };
    }
    return `probes ${plan.probes.join()}`;
  },
};

function shuffled<T>(values: readonly T[], random: Random): T[] {
  return values.map((value) => ({ value, rank: random.next() })).sort((a, b) => a.rank - b.rank)
    .map(({ value }) => value);
}

/** Makes of what came out a config that is allowed. */
function complete(plan: Plan, random: Random): void {
  for (const router of [...plan.routers]) {
    const own = plan.vips.filter(({ owner, extra }) => owner === router.id && !extra);
    if (own.length > 0) continue;
    const free = plan.vips.filter(({ owner }) => owner === router.id || owner === null);
    if (free.length === 0) {
      plan.routers = plan.routers.filter((other) => other !== router);
      for (const way of plan.ways) if (way.owner === router.id) way.owner = null;
      continue;
    }
    const vip = free.find(({ owner }) => owner !== null) ?? random.pick(free);
    vip.owner = router.id;
    vip.extra = false;
  }
  for (const router of plan.routers) {
    // A group has two members at least.
    if (companions(plan, router).length < 2) router.group = null;
    if (router.probe !== null && !plan.probes.includes(router.probe.name)) router.probe = null;
    const members = plan.routers.filter(({ group }) => group !== null && group === router.group);
    // An address with a virtual MAC address is on the router's own interface.
    const strays = plan.vips.some(({ owner, device }) => owner === router.id && device !== router.device);
    const doubled = plan.routers.some((other) => other !== router && other.vmac === router.vmac);
    if (strays || doubled) router.vmac = null;
    const leader = plan.routers.find(({ id }) => id === router.follows);
    // No circles.
    if (leader === undefined || leader.follows !== null || leader.group !== null) router.follows = null;
    if (members.length === 0) continue;
    // Groups are elected as one only where their members agree; a weight would move them all.
    router.prefers = members[0]!.prefers;
    if (router.probe !== null) router.probe.weight = 0;
  }
}

/** Changes a config at random; tells what it did. `alone` = there is only one side. */
export function change(plan: Plan, random: Random, alone: boolean): string[] {
  const done: string[] = [];
  plan.taken = [...plan.routers];
  for (let count = random.int(1, 3); count > 0; count--) {
    const said = random.pick(Object.values(CHANGES))(plan, random, alone);
    if (said !== null) done.push(said);
  }
  complete(plan, random);
  return done;
}

/** The members of its group, itself included; alone without one. */
export function companions(plan: Plan, router: Router): readonly Router[] {
  return router.group === null ? [router] : plan.routers.filter(({ group }) => group === router.group);
}
