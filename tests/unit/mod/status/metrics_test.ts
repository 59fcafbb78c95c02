import { expect, test } from "bun:test";
import { metricsText } from "../../../../mod/status/metrics.ts";
import { viewStatus } from "../../../../mod/status/view.ts";
import { parseExposition } from "./exposition_reader.ts";
import { BUILD, filledStore, ipv6Leg, noDrops, PAIR, router, wanted } from "./fixture.ts";

const text = metricsText(viewStatus(filledStore().snapshot()), BUILD);
const lines = text.split("\n");

test("metricsText() has the figures of the snapshot", () => {
  for (
    const line of [
      'appliance_build_info{version="9.9.9",commit="abc",runtime="test 1"} 1',
      "appliance_healthy 0",
      "appliance_uptime_seconds 600",
      'appliance_instance_state{instance="web",state="backup"} 1',
      'appliance_instance_state{instance="web",state="master"} 0',
      'appliance_instance_state{instance="lan",state="master"} 1',
      'appliance_instance_priority{instance="web"} 90',
      'appliance_instance_base_priority{instance="web"} 150',
      'appliance_instance_master_down_interval_seconds{instance="web"} 3.61',
      'appliance_instance_transitions_total{instance="web"} 3',
      'appliance_adverts_received_total{instance="web"} 4',
      'appliance_adverts_received_total{instance="lan"} 0',
      'appliance_adverts_dropped_total{instance="web",reason="ttl"} 2',
      'appliance_probe_up{probe="nginx",type="nginx"} 0',
      'appliance_probe_latency_seconds{probe="nginx",type="nginx"} 0.0008',
      "appliance_control_restarts_total 1",
      "appliance_engine_realtime 1",
      'appliance_engine_packets_dropped_total{reason="vrid"} 5',
    ]
  ) expect(lines).toContain(line);
});

test("metricsText() has the lateness as a cumulative histogram", () => {
  const name = "appliance_engine_deadline_lateness_seconds";
  expect(lines.filter((line) => line.includes(name))).toEqual([
    `# HELP ${name} How late the engine's deadlines were served`,
    `# TYPE ${name} histogram`,
    `${name}_bucket{le="0.0001"} 7`,
    `${name}_bucket{le="0.001"} 9`,
    `${name}_bucket{le="+Inf"} 10`,
    `${name}_sum 0.0125`,
    `${name}_count 10`,
  ]);
});

test("metricsText() is well formed: each sample has its HELP and TYPE, names have units", () => {
  const described = new Set(lines.flatMap((line) => /^# HELP (\S+) \S/.exec(line)?.[1] ?? []));
  for (const line of lines.filter((line) => line !== "" && !line.startsWith("#"))) {
    expect(line).toMatch(/^appliance_[a-z_]+(\{([a-z]+="[^"]*",?)*\})? -?[0-9.e+-]+$/);
    const name = /^\w+/.exec(line)![0];
    expect(described.has(name) || described.has(name.replace(/_(bucket|sum|count)$/, ""))).toBe(true);
    expect(name).not.toMatch(/_(ms|milliseconds)/);
  }
  const counters = lines.flatMap((line) => /^# TYPE (\S+) counter$/.exec(line)?.[1] ?? []);
  expect(counters.length).toBeGreaterThan(8);
  expect(counters.filter((name) => !name.endsWith("_total"))).toEqual([]);
});

test("metricsText() is what a strict reader takes", () => {
  const families = parseExposition(text);
  expect(families.length).toBeGreaterThan(25);
  // Nothing of what is not there: no tunnels, no services, no groups.
  const names = families.map(({ name }) => name);
  for (const part of ["tunnel", "service", "group"]) {
    expect(names.filter((name) => name.includes(part))).toEqual([]);
  }
});

test("metricsText() has one series of an instance with two families, counted together", () => {
  const store = filledStore();
  store.setWanted(wanted([...PAIR, router("lan")], [{ name: "site", members: ["web", "lan"] }]));
  store.apply({ type: "instance", instance: ipv6Leg() });
  store.apply({
    type: "counters",
    counters: { "web:ipv6": { received: 3, sent: 2, dropped: { ...noDrops(), ttl: 1 } } },
  });
  const document = viewStatus(store.snapshot());
  const both = metricsText(document, BUILD);
  expect(both).not.toContain("web:ipv6");
  const lines = both.split("\n");
  for (
    const line of [
      'appliance_instance_info{instance="web",interface="eth0",vrid="51",version="3",family="ipv4,ipv6"} 1',
      'appliance_instance_state{instance="web",state="backup"} 1',
      'appliance_adverts_received_total{instance="web"} 7',
      'appliance_adverts_sent_total{instance="web"} 2',
      'appliance_adverts_dropped_total{instance="web",reason="ttl"} 3',
      'appliance_instance_transitions_total{instance="web"} 3',
      'appliance_group_state{group="site",state="backup"} 1',
      'appliance_group_state{group="site",state="master"} 0',
    ]
  ) expect(lines).toContain(line);
  expect(parseExposition(both).length).toBeGreaterThan(25);
});

test("metricsText() of a tunnel: state, latency, questions and answers, repairs", () => {
  const since = "2026-11-20T03:05:00.000Z";
  const gre = { type: "gre", local: "192.0.2.1", remote: "192.0.2.2", state: "up", since } as const;
  const status = viewStatus(filledStore().snapshot());
  const tunnels = [
    { ...gre, name: "t1", latency_ms: 0.5, repairs: 2, keepalive: { sent: 7, received: 6 } },
    { ...gre, name: "t2", latency_ms: null, repairs: 0, keepalive: null },
  ];
  const all = metricsText({ ...status, tunnels }, BUILD);
  expect(all.split("\n").filter((line) => line.startsWith("appliance_tunnel_"))).toEqual([
    'appliance_tunnel_up{tunnel="t1",type="gre"} 1',
    'appliance_tunnel_up{tunnel="t2",type="gre"} 1',
    'appliance_tunnel_latency_seconds{tunnel="t1",type="gre"} 0.0005',
    `appliance_tunnel_state_since_timestamp_seconds{tunnel="t1",type="gre"} ${Date.parse(since) / 1000}`,
    `appliance_tunnel_state_since_timestamp_seconds{tunnel="t2",type="gre"} ${Date.parse(since) / 1000}`,
    'appliance_tunnel_keepalives_sent_total{tunnel="t1",type="gre"} 7',
    'appliance_tunnel_keepalives_received_total{tunnel="t1",type="gre"} 6',
    'appliance_tunnel_repairs_total{tunnel="t1",type="gre"} 2',
    'appliance_tunnel_repairs_total{tunnel="t2",type="gre"} 0',
  ]);
  expect(parseExposition(all).length).toBeGreaterThan(25);
});

test("metricsText() escapes what a name may carry", () => {
  const status = viewStatus(filledStore().snapshot());
  const odd = { ...status, instances: [{ ...status.instances[0]!, name: 'a"b\\c\nd' }] };
  expect(metricsText(odd, BUILD)).toContain(
    'appliance_instance_priority{instance="a\\"b\\\\c\\nd"} 90',
  );
});
