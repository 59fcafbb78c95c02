/**
 * The plain pair: two routers and a client on one switch. Pure.
 *
 * The addresses are those set aside for documentation (RFC 5737); they exist only inside the lab.
 *
 * @module
 */
import type { Act, ConfigContext, LabNode, Machine, Scenario, Stage, WebServer } from "./model.ts";

const LAN = "switch";
const VIP = "192.0.2.100";
const CLIENT = "client";
const FIRST: LabNode = { name: "edge-a", priority: 150 };
const SECOND: LabNode = { name: "edge-b", priority: 100 };
/** Takes the first node's priority below the second's. */
const WEIGHT = -60;
const ASK_EACH_MS = 10;
/** Longest outage that is forgiven when something has died: three adverts, the skew and a probe are far below. */
const OUTAGE_LIMIT_MS = 1000;

function machine(name: string, address: string): Machine {
  return { name, ports: [{ device: "eth0", switch: LAN, addresses: [`${address}/24`] }] };
}

/** Two routers that share one address, and a client. */
export const PAIR: Scenario = {
  topology: {
    switches: [LAN],
    machines: [
      machine(FIRST.name, "192.0.2.1"),
      machine(SECOND.name, "192.0.2.2"),
      machine(CLIENT, "192.0.2.9"),
    ],
  },
  nodes: [FIRST, SECOND],
  client: CLIENT,
  instance: "web",
  vip: VIP,
  page: null,
  tunnel: null,
  askEachMs: ASK_EACH_MS,
  // The demo takes ten seconds; what takes three times as long hangs.
  pace: { startMs: 8000, actMs: 4000, totalMs: 32_000 },
  summary: (web) => [
    `${FIRST.name} (192.0.2.1, priority ${FIRST.priority}) and ${SECOND.name} (192.0.2.2, priority ` +
    `${SECOND.priority}) share ${VIP}: VRRPv3, an advertisement each 100 ms.`,
    `Each runs ${webName(web)}, probed each 200 ms; its failure takes ${-WEIGHT} off the priority.`,
    `A client (192.0.2.9) sends a request to ${VIP} each ${ASK_EACH_MS} ms.`,
  ],
  configOf: pairConfig,
  acts: pairActs,
};

/** The web server's name, for people. */
export function webName(web: WebServer): string {
  return web.kind === "nginx" ? `nginx ${web.version}` : "a small web server (nginx is not installed)";
}

/** The probe of a node's web server, as a section of its config file. YAML contains JSON, so paths are quoted as JSON. */
export function webProbe({ webPid }: ConfigContext["files"], web: WebServer): string {
  const [kind, found] = web.kind === "nginx"
    ? ["nginx", `\n    process: { pid_file: ${JSON.stringify(webPid)} }`]
    : ["http", ""];
  return `probes:
  web:
    type: ${kind}
    url: http://127.0.0.1/${found}
    interval: 200ms
    timeout: 500ms
    fall: 1
    rise: 2
`;
}

/** One node's config file. YAML contains JSON, so paths are quoted as JSON. */
function pairConfig({ name, priority }: LabNode, { files, web }: ConfigContext): string {
  return `# Made by "appliance lab": one of two routers that share ${VIP}.

node: ${name}
runtime_dir: ${JSON.stringify(files.runtimeDir)}

${webProbe(files, web)}
vrrp:
  web:
    interface: eth0
    vrid: 51
    priority: ${priority}
    advert_interval: 100ms
    addresses:
      - ${VIP}/24
    track:
      - { probe: web, weight: ${WEIGHT} }
`;
}

function pairActs(stage: Stage): readonly Act[] {
  const [a, b] = [FIRST.name, SECOND.name];
  const { webTitle } = stage;
  const firstServes = { states: { [a]: "master", [b]: "backup" }, server: a };
  return [
    {
      name: "web-killed",
      title: `${webTitle} on ${a} is killed (kill -9)`,
      action: () => stage.killWeb(a),
      states: { [a]: "backup", [b]: "master" },
      server: b,
      limitMs: OUTAGE_LIMIT_MS,
    },
    {
      name: "web-started",
      title: `${webTitle} on ${a} is started again`,
      action: () => stage.startWeb(FIRST),
      ...firstServes,
      limitMs: null,
    },
    {
      name: "isolated",
      title: `${a} is cut off from the network, and cannot know it`,
      action: () => stage.isolate(a),
      // Neither hears the other: a split brain.
      states: { [a]: "master", [b]: "master" },
      server: b,
      limitMs: OUTAGE_LIMIT_MS,
    },
    {
      name: "healed",
      title: `${a} is back on the network: two masters meet`,
      action: () => stage.heal(a),
      ...firstServes,
      limitMs: null,
    },
    {
      name: "stopped",
      title: `The daemon on ${a} is stopped in good order`,
      action: () => stage.stopDaemon(a),
      states: { [b]: "master" },
      server: b,
      limitMs: null,
      final: true,
    },
  ];
}
