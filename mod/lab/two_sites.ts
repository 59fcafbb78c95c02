/**
 * Two sites: servers in different subnets, a router between them, and a client behind it. Pure.
 *
 * There is no layer 2 that both servers are on, so no announcement can lead the client to the one that is master.
 * VRRP runs over a GRE tunnel; the router has a host route to the virtual address, which the servers' notify hooks
 * point at the master; and what arrives at a server that is not master is passed on through the tunnel. Thus a server
 * that is stopped in order costs nothing, and one that dies costs what VRRP takes to notice it.
 *
 * The outer addresses are those set aside for documentation (RFC 5737); they exist only inside the lab.
 *
 * @module
 */
import type { Act, ConfigContext, LabNode, Machine, Scenario, Stage } from "./model.ts";
import { webName, webProbe } from "./pair.ts";

const VIP = "10.9.0.100";
const CLIENT = "client";
const ROUTER = "router";
const TUNNEL = "gretap1";
const FIRST: LabNode = { name: "server-a", priority: 150 };
const SECOND: LabNode = { name: "server-b", priority: 100 };
/** Takes the first node's priority below the second's. */
const WEIGHT = -60;

/** Where time counts in seconds, nothing is gained by asking more often; and machines of this lab may be slow ones. */
const ASK_EACH_MS = 20;

/** Longest outages that are forgiven, in milliseconds. */
const LIMIT = {
  /** Of a web server that died: a probe and one advertisement. */
  web: 1000,
  /** Of what is done in order: on a machine with time to spare nothing but a connection that was just open. */
  order: 1000,
  /** Of a server that died: three advertisements of a second each, the skew of priority 100 (0.61 s), the hook. */
  death: 4300,
} as const;

/** A server's place. */
interface Site {
  /** The subnet that the tunnel runs over: the server's address, and the router's. */
  readonly outer: string;
  readonly outerSubnet: string;
  readonly outerGateway: string;
  /** The subnet of the service. */
  readonly service: string;
  readonly serviceGateway: string;
  /** Address inside the tunnel. */
  readonly inner: string;
}

const SITES: Readonly<Record<string, Site>> = {
  [FIRST.name]: {
    outer: "192.0.2.10",
    outerSubnet: "192.0.2.0/24",
    outerGateway: "192.0.2.1",
    service: "10.9.1.10",
    serviceGateway: "10.9.1.1",
    inner: "10.1.1.1",
  },
  [SECOND.name]: {
    outer: "198.51.100.20",
    outerSubnet: "198.51.100.0/24",
    outerGateway: "198.51.100.1",
    service: "10.9.2.20",
    serviceGateway: "10.9.2.1",
    inner: "10.1.1.2",
  },
};

function siteOf({ name }: LabNode): Site {
  return SITES[name]!;
}

function peerOf(node: LabNode): LabNode {
  return node === FIRST ? SECOND : FIRST;
}

/** Names of the two switches of a site. */
function switchesOf({ name }: LabNode): readonly [outer: string, service: string] {
  return [`net-${name.at(-1)}`, `service-${name.at(-1)}`];
}

function server(node: LabNode): Machine {
  const [outer, service] = switchesOf(node);
  const site = siteOf(node);
  return {
    name: node.name,
    // What arrives for the virtual address while the other one has it goes through the tunnel.
    forwards: true,
    ports: [
      { device: "eth0", switch: outer, addresses: [`${site.outer}/24`] },
      { device: "eth1", switch: service, addresses: [`${site.service}/24`] },
    ],
    routes: [
      { to: siteOf(peerOf(node)).outerSubnet, via: site.outerGateway },
      { to: null, via: site.serviceGateway },
    ],
  };
}

function router(): Machine {
  const ports = [FIRST, SECOND].flatMap((node, index) => {
    const [outer, service] = switchesOf(node);
    const { outerGateway, serviceGateway } = siteOf(node);
    return [
      { device: `eth${index * 2}`, switch: outer, addresses: [`${outerGateway}/24`] },
      { device: `eth${index * 2 + 1}`, switch: service, addresses: [`${serviceGateway}/24`] },
    ];
  });
  const clients = { device: "eth4", switch: "clients", addresses: ["203.0.113.1/24"] };
  return { name: ROUTER, forwards: true, ports: [...ports, clients] };
}

function client(): Machine {
  return {
    name: CLIENT,
    ports: [{ device: "eth0", switch: "clients", addresses: ["203.0.113.9/24"] }],
    routes: [{ to: null, via: "203.0.113.1" }],
  };
}

function placeText(node: LabNode): string {
  return `${node.name} (${siteOf(node).outer}, priority ${node.priority})`;
}

/** Two servers that share an address, though they share no layer 2, and a client. */
export const TWO_SITES: Scenario = {
  topology: {
    switches: [...switchesOf(FIRST), ...switchesOf(SECOND), "clients"],
    machines: [server(FIRST), server(SECOND), router(), client()],
  },
  nodes: [FIRST, SECOND],
  client: CLIENT,
  instance: "web",
  vip: VIP,
  page: "The same page on both servers",
  tunnel: TUNNEL,
  askEachMs: ASK_EACH_MS,
  // The demo takes half a minute: VRRPv2 knows whole seconds only.
  pace: { startMs: 12_000, actMs: 8000, totalMs: 58_000 },
  summary: (web) => [
    `${placeText(FIRST)} and ${placeText(SECOND)} are in different subnets,`,
    `a router between them. A gretap tunnel joins them, and VRRPv2 runs over it: an advertisement each second.`,
    `They share ${VIP} on another interface, and the master's hook points the router's route at it. Each runs`,
    `${webName(web)} with the same page, probed each 200 ms; its failure takes ${-WEIGHT} off the priority.`,
    `A client (203.0.113.9) behind the router sends a request to ${VIP} each ${ASK_EACH_MS} ms.`,
  ],
  configOf,
  acts,
};

/** One node's config file. */
function configOf(node: LabNode, { files, web, reroute }: ConfigContext): string {
  const own = siteOf(node);
  const peer = siteOf(peerOf(node));
  const via = (gateway: string) => JSON.stringify([reroute(ROUTER, VIP, gateway)]);
  return `# Made by "appliance lab": one of two servers that share ${VIP} and no layer 2.

node: ${node.name}
runtime_dir: ${JSON.stringify(files.runtimeDir)}

tunnels:
  ${TUNNEL}:
    type: gretap
    local: ${own.outer}
    remote: ${peer.outer}
    key: 42
    addresses: [${own.inner}/30]
    # What arrives here for the virtual address while the other one has it.
    routes:
      - { to: ${VIP}/32, via: ${peer.inner} }
    keepalive: { interval: 1s, retries: 3 }

${webProbe(files, web)}
vrrp:
  web:
    interface: ${TUNNEL}
    vrid: 51
    version: 2
    priority: ${node.priority}
    advert_interval: 1s
    auth: { type: pass, key: "1111" }
    addresses:
      - { address: ${VIP}/32, dev: eth1 }
    track:
      - { probe: web, weight: ${WEIGHT} }
    # Points the router's route to ${VIP} at the master.
    notify:
      master: ${via(own.service)}
      backup: ${via(peer.service)}
      stop: ${via(peer.service)}
`;
}

function acts(stage: Stage): readonly Act[] {
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
      limitMs: LIMIT.web,
    },
    {
      name: "web-started",
      title: `${webTitle} on ${a} is started again`,
      action: () => stage.startWeb(FIRST),
      ...firstServes,
      limitMs: LIMIT.order,
    },
    {
      name: "stopped",
      title: `The daemon on ${a} is stopped in good order`,
      action: () => stage.stopDaemon(a),
      states: { [b]: "master" },
      server: b,
      limitMs: LIMIT.order,
    },
    {
      name: "started",
      title: `The daemon on ${a} is started again`,
      action: () => stage.startDaemon(FIRST),
      ...firstServes,
      limitMs: LIMIT.order,
    },
    {
      name: "isolated",
      title: `${a} is cut off from all its networks, as if it had died`,
      action: () => stage.isolate(a),
      // Neither hears the other: a split brain.
      states: { [a]: "master", [b]: "master" },
      server: b,
      limitMs: LIMIT.death,
    },
    {
      name: "healed",
      title: `${a} is back on its networks: two masters meet`,
      action: () => stage.heal(a),
      ...firstServes,
      limitMs: LIMIT.order,
    },
  ];
}
