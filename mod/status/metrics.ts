/**
 * The status document in Prometheus' text format. Made anew at each scrape, so nothing is counted twice or forgotten.
 *
 * @module
 */
import { exposition, EXPOSITION_TYPE, type Labels, type Metric, type Sample } from "./exposition.ts";
import type { StatusDocument } from "./schema.ts";

/** What the build says of itself. */
export interface BuildInfo {
  readonly version: string;
  readonly commit: string | null;
  readonly runtime: string;
}

/** Content type of {@link metricsText}. */
export const METRICS_TYPE: string = EXPOSITION_TYPE;

const STATES = ["init", "backup", "master", "fault"] as const;

/** Milliseconds as seconds, without the dust of binary fractions. */
function seconds(ms: number): number {
  return Number((ms / 1000).toPrecision(12));
}

/** All metrics of the daemon, names `appliance_…`, base units. */
export function metricsText(status: StatusDocument, build: BuildInfo): string {
  const metrics: Metric[] = [];
  const add = (type: "gauge" | "counter"): Add => (name, help, samples) =>
    metrics.push({ name: `appliance_${name}`, help, type, samples });
  const gauge = add("gauge");
  const counter = add("counter");

  gauge("build_info", "The running program; always 1", [[{
    version: build.version,
    commit: build.commit ?? "",
    runtime: build.runtime,
  }, 1]]);
  gauge("healthy", "1 while nothing is in fault, down or split", [[{}, Number(status.healthy)]]);
  gauge("maintenance", "1 while an operator makes the whole node stand back", [[
    {},
    Number(status.maintenance),
  ]]);
  gauge("uptime_seconds", "Time since the engine was started", [[{}, status.uptime_s]]);
  addInstances(status, gauge, counter);
  addGroups(status, gauge);
  addAdverts(status, counter);
  addOthers(status, gauge, counter);
  addEngine(status, gauge, counter);
  metrics.push(...lateness(status));
  return exposition(metrics);
}

type Add = (name: string, help: string, samples: readonly Sample[]) => void;

/** 1 for the state that something is in, 0 for the others. */
function states(labels: Labels, state: typeof STATES[number]): Sample[] {
  return STATES.map((each) => [{ ...labels, state: each }, Number(each === state)]);
}

function addInstances({ instances }: StatusDocument, gauge: Add, counter: Add): void {
  const each = (value: (instance: StatusDocument["instances"][number]) => number): Sample[] =>
    instances.map((instance) => [{ instance: instance.name }, value(instance)]);
  gauge(
    "instance_info",
    "What a virtual router is; always 1",
    instances.map((instance) => [{
      instance: instance.name,
      interface: instance.interface,
      vrid: String(instance.vrid),
      version: String(instance.version),
      // One series for each instance, so that it can be joined to any other by the instance's name.
      family: instance.families.join(","),
    }, 1]),
  );
  gauge(
    "instance_state",
    "1 for the state that a virtual router is in, 0 for the others",
    instances.flatMap(({ name, state }) => states({ instance: name }, state)),
  );
  gauge(
    "instance_state_since_timestamp_seconds",
    "When the state was entered",
    each(({ since }) => seconds(Date.parse(since))),
  );
  gauge("instance_priority", "Effective priority", each(({ priority }) => priority.effective));
  gauge("instance_base_priority", "Configured priority", each(({ priority }) => priority.base));
  gauge(
    "instance_advert_interval_seconds",
    "Advertisement interval in force",
    each(({ advert_interval_ms }) => seconds(advert_interval_ms)),
  );
  gauge(
    "instance_master_down_interval_seconds",
    "Silence after which the master counts as dead",
    each(({ master_down_interval_ms }) => seconds(master_down_interval_ms)),
  );
  gauge("instance_released", "1 while released by an operator", each(({ released }) => Number(released)));
  gauge(
    "instance_split_brain",
    "1 while another router is master too",
    each(({ split_brain_with }) => Number(split_brain_with !== null)),
  );
  counter("instance_transitions_total", "Changes of state", each(({ transitions }) => transitions));
  counter(
    "announcements_sent_total",
    "Gratuitous ARP and neighbour packets sent",
    each(({ announced }) => announced),
  );
  counter(
    "addresses_repaired_total",
    "Virtual addresses put back after a deletion",
    each(({ repaired }) => repaired),
  );
}

function addGroups({ groups }: StatusDocument, gauge: Add): void {
  gauge(
    "group_state",
    "1 for the state that a sync group is in, 0 for the others",
    groups.flatMap(({ name, state }) => states({ group: name }, state)),
  );
  gauge(
    "group_state_since_timestamp_seconds",
    "When the state of a sync group was entered",
    groups.map(({ name, since }) => [{ group: name }, seconds(Date.parse(since))]),
  );
}

function addAdverts({ instances }: StatusDocument, counter: Add): void {
  const each = (key: Exclude<keyof StatusDocument["instances"][number]["adverts"], "dropped">): Sample[] =>
    instances.map(({ name, adverts }) => [{ instance: name }, adverts[key]]);
  counter("adverts_sent_total", "Advertisements sent", each("sent"));
  counter("adverts_received_total", "Advertisements received and accepted", each("received"));
  counter("adverts_priority_zero_sent_total", "Advertisements sent to step down", each("priority_zero_sent"));
  counter(
    "adverts_priority_zero_received_total",
    "Advertisements of a master that steps down",
    each("priority_zero_received"),
  );
  counter("adverts_send_errors_total", "Advertisements that the kernel did not take", each("send_errors"));
  counter("adverts_address_mismatch_total", "Advertisements with other addresses", each("address_mismatch"));
  counter(
    "adverts_interval_mismatch_total",
    "Advertisements with another interval",
    each("interval_mismatch"),
  );
  counter(
    "adverts_dropped_total",
    "Advertisements ignored, by reason",
    instances.flatMap(({ name, adverts }) =>
      Object.entries(adverts.dropped).map(([reason, count]): Sample => [{ instance: name, reason }, count])
    ),
  );
}

function addOthers({ probes, tunnels, services }: StatusDocument, gauge: Add, counter: Add): void {
  const labels = (probe: StatusDocument["probes"][number]) => ({ probe: probe.name, type: probe.type });
  gauge(
    "probe_up",
    "1 while a probe is up",
    probes.map((probe) => [labels(probe), Number(probe.state === "up")]),
  );
  gauge(
    "probe_latency_seconds",
    "Duration of a probe's last run",
    probes.flatMap((probe): Sample[] =>
      probe.latency_ms === null ? [] : [[labels(probe), seconds(probe.latency_ms)]]
    ),
  );
  gauge(
    "probe_state_since_timestamp_seconds",
    "When a probe's state was entered",
    probes.map((probe) => [labels(probe), seconds(Date.parse(probe.since))]),
  );
  counter("probe_runs_total", "Runs of a probe", probes.map((probe) => [labels(probe), probe.runs ?? 0]));
  counter("probe_failures_total", "Failed runs of a probe", probes.map((p) => [labels(p), p.failures ?? 0]));
  gauge(
    "tunnel_up",
    "1 while a tunnel is up",
    tunnels.map(({ name, type, state }) => [{ tunnel: name, type }, Number(state === "up")]),
  );
  addTunnels(tunnels, gauge, counter);
  gauge(
    "service_running",
    "1 while a service runs",
    services.map(({ name, state }) => [{ service: name }, Number(state === "running")]),
  );
  counter(
    "service_restarts_total",
    "Restarts of a service",
    services.map(({ name, restarts }) => [{ service: name }, restarts]),
  );
}

function addTunnels(tunnels: StatusDocument["tunnels"], gauge: Add, counter: Add): void {
  type Tunnel = StatusDocument["tunnels"][number];
  /** A sample of each tunnel that has such a value. */
  const each = (value: (tunnel: Tunnel) => number | null | undefined): Sample[] =>
    tunnels.flatMap((tunnel): Sample[] => {
      const number = value(tunnel);
      return number === null || number === undefined
        ? []
        : [[{ tunnel: tunnel.name, type: tunnel.type }, number]];
    });
  gauge(
    "tunnel_latency_seconds",
    "Round trip of the last keepalive of a tunnel",
    each(({ latency_ms: ms }) => ms === null || ms === undefined ? null : seconds(ms)),
  );
  gauge(
    "tunnel_state_since_timestamp_seconds",
    "When a tunnel's state was entered",
    each(({ since }) => since === undefined ? null : seconds(Date.parse(since))),
  );
  counter(
    "tunnel_keepalives_sent_total",
    "Questions to the far end of a tunnel",
    each((one) => one.keepalive?.sent),
  );
  counter(
    "tunnel_keepalives_received_total",
    "Answers from the far end of a tunnel",
    each((one) => one.keepalive?.received),
  );
  counter(
    "tunnel_repairs_total",
    "Times that something of a tunnel was put back",
    each(({ repairs }) => repairs),
  );
}

function addEngine({ engine, config }: StatusDocument, gauge: Add, counter: Add): void {
  counter("control_restarts_total", "Restarts of the control process", [[{}, engine.control_restarts]]);
  gauge("engine_realtime", "1 while the engine is scheduled in real time", [[{}, Number(engine.realtime)]]);
  counter(
    "engine_packets_dropped_total",
    "Packets that belong to no instance, by reason",
    Object.entries(engine.dropped).map(([reason, count]) => [{ reason }, count]),
  );
  if (config !== null) gauge("config_ok", "0 after a config was refused", [[{}, Number(config.ok)]]);
}

function lateness({ engine: { lateness } }: StatusDocument): Metric[] {
  if (lateness === null) return [];
  const { bounds_ms, counts, sum_ms } = lateness;
  return [{
    type: "histogram",
    name: "appliance_engine_deadline_lateness_seconds",
    help: "How late the engine's deadlines were served",
    histogram: {
      bounds: bounds_ms.map(seconds),
      counts: counts.slice(0, bounds_ms.length),
      count: counts.at(-1) ?? 0,
      sum: seconds(sum_ms),
    },
  }];
}
