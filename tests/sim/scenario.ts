/**
 * Random clusters, and how long they may take to find rest.
 *
 * @module
 */
import type { AuthConfig, Family, TrackConfig, VrrpConfig } from "../../mod/vrrp/config.ts";
import { compareAddresses } from "../../lib/packet/mod.ts";
import { masterDownInterval, type Ns, NS_PER_MS } from "../../mod/vrrp/timers.ts";
import { config as routerConfig } from "../router_config.ts";
import { ANNOUNCING, HEALTHY_DELAY, SETTLING } from "./duality.ts";
import type { Weather } from "./network.ts";
import type { Segment, Setup } from "./parts.ts";
import type { Random } from "./random.ts";
import { World } from "./world.ts";

/** Nothing is lost, and all comes soon and in order. */
export const HEALTHY: Weather = {
  loss: 0,
  repeat: 0,
  minDelay: 20_000,
  maxDelay: HEALTHY_DELAY,
  orderly: true,
};

/** A router as an operator might have set it up; what is not named is at its default. */
export function config(part: Partial<VrrpConfig> = {}): VrrpConfig {
  const announce = { repeat: 2, delayMs: 0, refreshMs: 0, refreshRepeat: 1, intervalMs: 0 };
  return routerConfig({ announce, ...part });
}

/** How often the groups of two machines may give way to each other; those of more take turns. */
const DISPUTES = 2;

/** A cluster and how it is to be troubled. */
export interface Scenario {
  readonly world: World;
  /** The base interval that all else is measured by. */
  readonly interval: Ns;
  /** Something refuses addresses at times, so that a retry is to be waited for. */
  readonly refusals: boolean;
  /** Its routers are members of one group on each machine. */
  readonly grouped: boolean;
  /** Which machine is the better one is the same on all segments. */
  readonly consistent: boolean;
}

/** What a cluster is to be like, apart from chance. */
export interface Wish {
  /** Its advertisements are in authentication headers. */
  readonly authenticated?: boolean;
  /** All routers count the same number of missed advertisements. */
  readonly alike?: boolean;
}

/** What all routers of one segment have in common. */
interface SegmentPlan {
  readonly family: Family;
  readonly version: 2 | 3;
  readonly baseCs: number;
  /** Each router has an interval of its own. */
  readonly mixed: boolean;
  readonly auth: AuthConfig;
  readonly unicast: boolean;
  readonly sources: readonly string[];
}

/** What all routers of one machine have in common. */
interface MachinePlan {
  readonly priority: number;
  readonly preempt: boolean;
  readonly track: readonly TrackConfig[];
}

/** How a cluster is set up as a whole. */
interface Habits {
  readonly group: string | null;
  /** Some routers wait before they preempt or take over. */
  readonly delays: boolean;
  readonly handovers: readonly VrrpConfig["handover"][];
  /** The same for all; null = each has its own. */
  readonly downAdverts: number | null;
}

const FAST: Habits["handovers"] = ["fast"];
const SLOW: Habits["handovers"] = ["rfc"];
const MIXED: Habits["handovers"] = ["fast", "fast", "rfc"];

function tracks(random: Random): TrackConfig[] {
  const list: TrackConfig[] = [];
  for (let index = random.int(0, 2); index > 0; index--) {
    const weight = random.chance(0.15) ? null : random.pick([-60, -20, 10, 40, 200, -253]);
    list.push({ kind: "probe", name: `p${index}`, weight, reverse: random.chance(0.15) });
  }
  return list;
}

/** @param hosts Last parts of the machines' addresses. */
function segmentPlan(
  random: Random,
  scaleCs: number,
  hosts: readonly number[],
  id: number,
  { authenticated = false }: Wish,
): SegmentPlan {
  const version = scaleCs === 100 && (authenticated || random.chance(0.6)) ? 2 : 3;
  const family: Family = version === 3 && random.chance(0.25) ? "ipv6" : "ipv4";
  const auth: AuthConfig = version === 3 || (!authenticated && random.chance(0.3))
    ? { type: "none" }
    : { type: authenticated ? "ah" : random.pick(["pass", "ah", "ah"]), key: "secret" };
  return {
    family,
    version,
    baseCs: version === 2 ? scaleCs * random.int(1, 2) : random.pick([scaleCs, scaleCs, scaleCs / 2]),
    mixed: version === 3 && random.chance(0.3),
    auth,
    unicast: random.chance(0.2),
    sources: hosts.map((host) => family === "ipv4" ? `10.9.${id}.${host}` : `fe80::${id + 1}:${host}`),
  };
}

/** Two to four machines that serve one to three segments of network. */
export function randomScenario(random: Random, wish: Wish = {}): Scenario {
  const size = random.pick([2, 2, 2, 3, 3, 3, 4]);
  const count = random.pick(size === 4 ? [1, 1, 1, 2] : [1, 1, 1, 1, 1, 2, 2, 3]);
  const grouped = count > 1 && random.chance(0.85);
  const twoFamilies = grouped && count === 2 && wish.authenticated !== true && random.chance(0.25);
  const consistent = twoFamilies || random.chance(0.85);
  const priorities = random.pick([[100], [100, 150], [90, 100, 101, 150, 200, 254], [1, 2, 254]]);
  const owner = (!grouped || twoFamilies) && random.chance(0.06) ? random.int(0, size - 1) : -1;
  const preempting = random.chance(0.75);
  const machines: MachinePlan[] = Array.from({ length: size }, (_, id) => ({
    priority: id === owner ? 255 : random.pick(priorities),
    preempt: random.chance(0.2) ? random.chance(0.5) : preempting,
    track: tracks(random),
  }));
  const hosts = () => machines.map((_, id) => random.int(0, 2) * 10 + id + 1);
  const common = hosts();
  const scaleCs = wish.authenticated === true ? 100 : random.pick([2, 10, 10, 50, 100, 100, 100]);
  const habits: Habits = {
    group: grouped ? "site" : null,
    delays: random.chance(0.3),
    handovers: random.pick([FAST, FAST, SLOW, MIXED]),
    downAdverts: wish.alike === true ? random.pick([2, 3, 3, 3, 4]) : null,
  };
  const plans = Array.from(
    { length: count },
    (_, id) => segmentPlan(random, scaleCs, consistent ? common : hosts(), id, wish),
  );
  const setups = plans.map((plan, id) =>
    machines.map((machine, at): Setup => {
      const differing = consistent || machine.priority === 255
        ? machine
        : { ...machine, priority: random.pick(priorities), preempt: random.chance(0.75) };
      return { source: plan.sources[at]!, config: randomConfig(random, plan, differing, id, at, habits) };
    })
  );
  if (twoFamilies) setups.splice(0, 2, ...familiesOf(setups[0]!, common));
  const interval = Math.max(...plans.map(({ baseCs }) => baseCs)) * 1e7;
  const world = new World(setups, randomWeather(random, interval), random);
  return { world, interval, refusals: random.chance(0.05), grouped, consistent };
}

/** Routers that have addresses of both families, as two virtual routers each. */
function familiesOf(setups: readonly Setup[], hosts: readonly number[]): [Setup[], Setup[]] {
  const versioned = (config: VrrpConfig): VrrpConfig => ({
    ...config,
    version: 3,
    auth: { type: "none" },
    unit: "web",
    peers: [],
  });
  const vips = setups[0]!.config.addresses;
  return [
    setups.map(({ config }, at) => ({
      source: `10.9.0.${hosts[at]}`,
      config: { ...versioned(config), family: "ipv4", addresses: [{ ...vips[0]!, address: "10.9.0.100" }] },
    })),
    setups.map(({ config }, at) => ({
      source: `fe80::${hosts[at]}`,
      config: {
        ...versioned(config),
        name: "r0:ipv6",
        family: "ipv6",
        addresses: [{ ...vips[0]!, address: "fd00::100" }],
      },
    })),
  ];
}

function randomConfig(
  random: Random,
  { family, version, baseCs, mixed, auth, unicast, sources }: SegmentPlan,
  { priority, preempt, track }: MachinePlan,
  segment: number,
  machine: number,
  { group, delays, handovers, downAdverts }: Habits,
): VrrpConfig {
  const intervalCs = mixed ? baseCs * random.int(1, 3) : baseCs;
  return config({
    name: `r${segment}`,
    unit: `r${segment}`,
    group,
    family,
    version,
    priority,
    intervalCs,
    preempt,
    preemptDelayMs: delays && random.chance(0.3) ? random.int(1, 4) * intervalCs * 10 : 0,
    takeoverDelayMs: delays && random.chance(0.3) ? random.int(1, 2) * intervalCs * 10 : 0,
    downAdverts: downAdverts ?? (random.chance(0.8) ? 3 : random.pick([2, 4])),
    handover: random.pick(handovers),
    peers: unicast ? sources.filter((_, at) => at !== machine) : [],
    auth,
    addresses: [{
      address: family === "ipv4" ? `10.9.${segment}.100` : `fd00:${segment}::100`,
      prefix: 24,
      dev: null,
      label: null,
      scope: null,
      broadcast: null,
    }],
    leaseMs: random.chance(0.8) ? 3000 : null,
    announce: {
      repeat: random.int(1, 3),
      delayMs: random.pick([0, 0, 15, 2 * intervalCs * 10]),
      refreshMs: 0,
      refreshRepeat: 1,
      intervalMs: random.pick([0, 0, 2]),
    },
    track,
    checksum: random.pick(["auto", "auto", "rfc", "pseudo"]),
  });
}

export function randomWeather(random: Random, interval: Ns): Weather {
  if (random.chance(0.5)) return HEALTHY;
  return {
    loss: random.pick([0, 0, 0.05, 0.3, 0.7]),
    repeat: random.pick([0, 0.2]),
    minDelay: 20_000,
    maxDelay: random.pick([HEALTHY_DELAY, 5 * NS_PER_MS, interval, 3 * interval]),
    orderly: random.chance(0.3),
  };
}

/** The longest Master_Down_Interval that any router of the cluster can have. */
function longestDown(configs: readonly VrrpConfig[], interval: Ns): Ns {
  return Math.max(...configs.map((one) => masterDownInterval(one, 1, interval)));
}

/** Whether of any two machines the same one is the better on all segments. */
export function agrees({ machines, segments }: World): boolean {
  const order = (segment: Segment, a: number, b: number) => {
    const [one, other] = [segment.routers[a]!, segment.routers[b]!];
    return Math.sign(one.state.priority - other.state.priority || compareAddresses(one.source, other.source));
  };
  return machines.every((_, a) =>
    machines.every((_, b) => segments.every((segment) => order(segment, a, b) === order(segments[0]!, a, b)))
  );
}

/**
 * After how long of health one master is sure, whatever state the routers are in: one Master_Down_Interval and the
 * skew of a fast hand-over, more where delays are configured or packets of the past still arrive.
 */
export function settlingTime({ world, grouped, interval: base }: Scenario, swept: boolean): Ns {
  const configs = world.routers.map(({ config }) => config);
  const interval = Math.max(...configs.map(({ intervalCs }) => intervalCs)) * 1e7;
  const down = longestDown(configs, interval);
  // The longest that a router still waits before it tries again to have its addresses.
  const retry = Math.max(
    0,
    ...world.routers.map(({ state, machine }) => (state.blocked?.until ?? 0) - world.clock(machine)),
  );
  const plain = swept && retry === 0 &&
    configs.every(({ handover, preemptDelayMs, takeoverDelayMs }) =>
      handover === "fast" && preemptDelayMs === 0 && takeoverDelayMs === 0
    );
  // Each machine may win on a segment: then their groups give way to each other, and try again.
  const disputed = grouped && !agrees(world);
  const regrouped = world.machines.some((machine) => machine.regrouped);
  if (plain && !disputed && !regrouped) {
    return down + Math.min(interval, 100 * NS_PER_MS) + 2 * SETTLING + ANNOUNCING;
  }
  const wait = Math.max(...configs.map(({ takeoverDelayMs }) => takeoverDelayMs)) * NS_PER_MS;
  const preempt = Math.max(...configs.map(({ preemptDelayMs }) => preemptDelayMs)) * NS_PER_MS;
  const past = swept ? 0 : 3 * base;
  const rounds = 2 + (disputed ? DISPUTES * (world.machines.length - 1) : 0) + (regrouped ? 1 : 0);
  return rounds * (down + wait + interval) + preempt + past + ANNOUNCING + retry;
}
