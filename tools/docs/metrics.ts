/**
 * The metrics, as a daemon that has one of everything would list them.
 *
 * @module
 */
import { metricsText } from "../../mod/status/metrics.ts";
import type { InstanceEntry, StatusDocument } from "../../mod/status/schema.ts";
import { StatusStore } from "../../mod/status/store.ts";
import { viewStatus } from "../../mod/status/view.ts";
import { code, markdownTable } from "./markdown.ts";

const SINCE = new Date(0).toISOString();

function instance(dropped: InstanceEntry["adverts"]["dropped"]): InstanceEntry {
  return {
    name: "web",
    state: "backup",
    since: SINCE,
    reason: "",
    vrid: 51,
    version: 3,
    family: "ipv4",
    families: ["ipv4"],
    group: "all",
    interface: "eth0",
    priority: { base: 100, effective: 100, adjustments: [] },
    master: null,
    masters: [],
    addresses: [],
    extra: [],
    routes: [],
    rules: [],
    problems: [],
    transitions: 0,
    adverts: {
      sent: 0,
      received: 0,
      dropped,
      priority_zero_sent: 0,
      priority_zero_received: 0,
      send_errors: 0,
      address_mismatch: 0,
      interval_mismatch: 0,
    },
    announced: 0,
    repaired: 0,
    faults: [],
    waiting: [],
    advert_interval_ms: 1000,
    master_down_interval_ms: 3609,
    preempt: true,
    preempt_at: null,
    unheard: [],
    released: false,
    split_brain_with: null,
    send_error: null,
    track: [],
  };
}

/** A family without a sample is not listed, so there is one of everything that a family may be about. */
function fullStatus(): StatusDocument {
  const store = new StatusStore({ node: "node", version: "0", now: () => 0 });
  store.setConfig({ ok: true, problems: [] });
  const status = viewStatus(store.snapshot());
  const probe = { name: "app", type: "tcp", state: "up", since: SINCE, latency_ms: 1, error: null } as const;
  return {
    ...status,
    instances: [instance(status.engine.dropped)],
    groups: [{ name: "all", state: "backup", since: SINCE, members: ["web"] }],
    probes: [probe],
    tunnels: [{
      ...{ name: "gre1", type: "gre", local: null, remote: null, state: "up", since: SINCE },
      ...{ latency_ms: 1, repairs: 0, keepalive: { sent: 1, received: 1 } },
    }],
    services: [{ name: "app", state: "running", pid: null, restarts: 0 }],
    engine: { ...status.engine, lateness: { bounds_ms: [], counts: [], sum_ms: 0 } },
  };
}

/** A table of names, types and meanings. */
export async function metricsTable(): Promise<string> {
  const text = await metricsText(fullStatus(), { version: "0", commit: null, runtime: "bun" });
  const types = new Map([...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name, type]) => [name!, type!]));
  const rows = [...text.matchAll(/^# HELP (\S+) (.*)$/gm)].map(([, name, help]) => [
    code(name!),
    types.get(name!) ?? "",
    help!,
  ]);
  return markdownTable(["metric", "type", "meaning"], rows);
}
