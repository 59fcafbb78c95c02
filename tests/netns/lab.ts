/**
 * A lab of network namespaces for end-to-end tests of the compiled binary: switches, machines, keepalived, FRR, nginx,
 * clients and captures. Needs root; cleans up after itself however the run ends.
 *
 * ```ts
 * const lab = createLab("failover");
 * const a = lab.node("a", { addresses: ["10.0.0.1/24"] });
 * const daemon = await a.startAppliance(yaml);
 * await daemon.waitState("web", "master", 2000);
 * await lab.close();
 * ```
 *
 * @module
 */
import { Lab, type LabNode } from "./lab/topology.ts";

export { Appliance, appliancePath } from "./lab/appliance.ts";
export { keepalivedConf, VIP, web, webYaml, yamlOf } from "./lab/config.ts";
export { type Capture, longestDistance, type Seen, type SeenAdvert } from "./lab/capture.ts";
export { type Answer, type Gap, type HttpClient, nowMs, type PingClient } from "./lab/client.ts";
export { childrenOf, type CommandResult, isAlive, killAll, must, run, type Running } from "./lab/command.ts";
export type { Frr, FrrOptions } from "./lab/frr.ts";
export type { Keepalived } from "./lab/keepalived.ts";
export { describeLab, findProgram, missing } from "./lab/need.ts";
export type { Nginx } from "./lab/nginx.ts";
export * from "./lab/status.ts";
export { type Lab, type LabNode, type LabSwitch, type PortOptions } from "./lab/topology.ts";
export { holds, pause, waitFor, within } from "./lab/wait.ts";

/** A new, empty lab; `theme` is part of its names. Close it in `afterAll`. */
export function createLab(theme: string): Lab {
  return new Lab(theme);
}

/** Two routers, 10.0.0.1 and 10.0.0.2, and a client, 10.0.0.9, on the `eth0` of each, in one switch. */
export interface PairLab {
  readonly lab: Lab;
  readonly a: LabNode;
  readonly b: LabNode;
  readonly client: LabNode;
}

/** As {@link createLab}, with the usual machines. */
export function pairLab(theme: string): PairLab {
  const lab = createLab(theme);
  const node = (name: string, host: number) => lab.node(name, { addresses: [`10.0.0.${host}/24`] });
  return { lab, a: node("a", 1), b: node("b", 2), client: node("client", 9) };
}
