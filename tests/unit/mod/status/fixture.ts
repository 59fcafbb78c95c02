/** A node with two instances, made up for the tests of the status API. */
import type { InstanceReport } from "../../../../mod/bus/messages.ts";
import { noDrops } from "../../../../mod/bus/messages.ts";
import type { ProbeEntry } from "../../../../mod/status/schema.ts";
import { StatusStore, type WantedStatus } from "../../../../mod/status/store.ts";

export const NOW = Date.parse("2026-11-20T03:05:00.000Z");

export const BUILD = { version: "9.9.9", commit: "abc", runtime: "test 1" };

export { noDrops };

export function instance(overrides: Partial<InstanceReport> = {}): InstanceReport {
  return {
    name: "web",
    unit: overrides.name ?? "web",
    state: "backup",
    sinceMs: NOW - 180_000,
    reason: "started",
    vrid: 51,
    version: 3,
    family: "ipv4",
    interface: "eth0",
    priority: { base: 150, effective: 90, adjustments: [{ source: "probe:nginx", weight: -60 }] },
    master: { address: "10.1.1.3", priority: 100 },
    addresses: ["10.9.0.100/24"],
    carried: { addresses: [], routes: [], rules: [], problems: [] },
    transitions: 3,
    faults: [],
    waiting: [],
    advertIntervalMs: 1000,
    masterDownIntervalMs: 3610,
    preempt: true,
    preemptAtMs: null,
    ready: false,
    released: false,
    sendError: null,
    splitBrainWith: null,
    ...overrides,
  };
}

export function probe(overrides: Partial<ProbeEntry> = {}): ProbeEntry {
  return {
    name: "nginx",
    type: "nginx",
    state: "down",
    since: new Date(NOW - 12_000).toISOString(),
    latency_ms: 0.8,
    error: "connection refused",
    ...overrides,
  };
}

export const TRACK = { kind: "probe", name: "nginx", weight: -60, reverse: false } as const;

type WantedRouter = WantedStatus["vrrp"][number];

/** What a store is told of a router's config. */
export function router(name: string, overrides: Partial<WantedRouter> = {}): WantedRouter {
  return { name, unit: name, family: "ipv4", track: [], ...overrides };
}

/** What a store is told of a config. */
export function wanted(
  vrrp: readonly WantedRouter[],
  groups: WantedStatus["groups"] = [],
): WantedStatus {
  return { node: "edge-a", vrrp, groups };
}

/** The routers of the instance `web` with addresses of both families. */
export const PAIR = [
  router("web", { track: [TRACK] }),
  router("web:ipv6", { unit: "web", family: "ipv6", track: [TRACK] }),
] as const;

/** The leg `web:ipv6` of the instance `web`. */
export function ipv6Leg(overrides: Partial<InstanceReport> = {}): InstanceReport {
  return instance({
    name: "web:ipv6",
    unit: "web",
    family: "ipv6",
    master: { address: "fe80::3", priority: 100 },
    addresses: ["2001:db8::100/64"],
    ...overrides,
  });
}

/** A store with the instance `web` (backup, held down by its probe) and `lan` (master). */
export function filledStore(now: () => number = () => NOW): StatusStore {
  const store = new StatusStore({ node: "edge-a", version: "9.9.9", now, firstEventId: 1 });
  store.setWanted(wanted([router("web", { track: [TRACK] }), router("lan")]));
  store.setSources({ probes: () => [probe()] });
  store.apply({ type: "hello", pid: 77, startedMs: NOW - 600_000 } as Parameters<StatusStore["apply"]>[0]);
  store.apply({
    type: "instance",
    instance: instance({
      name: "lan",
      state: "master",
      reason: "no advertisement heard for 3.61 s",
      priority: { base: 100, effective: 100, adjustments: [] },
      master: { address: "10.1.2.2", priority: 100 },
    }),
  });
  store.apply({ type: "instance", instance: instance() });
  store.apply({ type: "counters", counters: { web: { received: 4, dropped: { ...noDrops(), ttl: 2 } } } });
  store.apply({
    type: "engine",
    engine: {
      controlRestarts: 1,
      realtime: true,
      dropped: { ...noDrops(), vrid: 5 },
      lateness: { boundsMs: [0.1, 1], counts: [7, 9, 10], sumMs: 12.5 },
    },
  });
  return store;
}
