/**
 * A lab that stands: its network, and what runs on its machines.
 *
 * @module
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Network } from "./build.ts";
import { type Child, type ChildPlan, ourselves, startChild } from "./child.ts";
import { dismantle } from "./dismantle.ts";
import type { LabNode, NodeFiles, Scenario, Stage, WebServer } from "./model.ts";
import { decodeOutcome, type Outcome } from "./outage.ts";
import { rerouteCommand } from "./reroute.ts";
import { type LabState, ourOwnership, registerLab, saveState } from "./state.ts";
import { planTopology, type Plug } from "./topology.ts";
import { webCommand, writeWebFiles } from "./web.ts";

const LOG_TAIL_LINES = 15;

/** The files of a node below the lab's directory. */
export function nodeFiles(directory: string, name: string): NodeFiles {
  const own = join(directory, name);
  const web = join(own, "web");
  return {
    directory: own,
    config: join(own, "appliance.yaml"),
    runtimeDir: join(own, "run"),
    log: join(own, "appliance.log"),
    webDirectory: web,
    webConfig: join(web, "nginx.conf"),
    webPid: join(web, "web.pid"),
    webLog: join(web, "error.log"),
  };
}

/** One lab of this process. Whoever makes it calls {@link Lab.close} or {@link Lab.leave}. */
export class Lab implements Stage {
  readonly scenario: Scenario;
  readonly web: WebServer;
  readonly directory: string;
  readonly #daemons = new Map<string, Child>();
  readonly #webs = new Map<string, Child>();
  #client: Child | null = null;
  #network: Network | null = null;
  #state: LabState;

  /** Takes a name and a directory; nothing is built yet. Throws Error. */
  constructor(scenario: Scenario, web: WebServer) {
    this.scenario = scenario;
    this.web = web;
    const directory = mkdtempSync(join(tmpdir(), "appliance-lab-"));
    this.directory = directory;
    try {
      // Before anything is made: what is written here gets removed however we end.
      this.#state = registerLab((prefix) => ({
        prefix,
        owner: ourOwnership(),
        directory,
        namespaces: [...planTopology(scenario.topology, prefix).namespaces.values()],
        processes: [],
        pidFiles: scenario.nodes.map(({ name }) => this.files(name).webPid),
      }));
    } catch (thrown) {
      rmSync(directory, { recursive: true });
      throw thrown;
    }
  }

  get prefix(): string {
    return this.#state.prefix;
  }

  /** The namespace of a machine or switch. */
  namespace(name: string): string {
    return `${this.prefix}-${name}`;
  }

  files(name: string): NodeFiles {
    return nodeFiles(this.directory, name);
  }

  /** Path of the API's socket of a node's daemon. */
  socket(name: string): string {
    return join(this.files(name).runtimeDir, "api.sock");
  }

  /** Builds the network and writes the files of the nodes. Throws Error. */
  build(): void {
    const { topology, nodes, configOf, page } = this.scenario;
    const context = {
      web: this.web,
      reroute: (machine: string, address: string, gateway: string) =>
        rerouteCommand(this.namespace(machine), address, gateway),
    };
    this.#network = new Network(planTopology(topology, this.prefix));
    for (const node of nodes) {
      const files = this.files(node.name);
      mkdirSync(files.directory);
      writeFileSync(files.config, configOf(node, { files, ...context }));
      writeWebFiles(node.name, files, page ?? node.name);
    }
  }

  get #built(): Network {
    if (this.#network === null) throw new Error(`Cannot use lab ${this.prefix}: it has not been built`);
    return this.#network;
  }

  /** Where a machine is plugged in. */
  plugsOf(machine: string): readonly Plug[] {
    return this.#built.plugsOf(machine);
  }

  isolate(machine: string): void {
    this.#built.isolate(machine);
  }

  heal(machine: string): void {
    this.#built.heal(machine);
  }

  startDaemon({ name }: LabNode): void {
    const { config, log } = this.files(name);
    const plan = { title: `the daemon on ${name}`, log, ...ourselves("run", "-c", config) };
    this.#daemons.set(name, this.#start(name, plan));
  }

  stopDaemon(name: string): void {
    const daemon = this.#daemons.get(name);
    this.#daemons.delete(name);
    daemon?.signal("SIGTERM");
  }

  startWeb({ name }: LabNode): void {
    const files = this.files(name);
    const plan = {
      title: `${this.webTitle} on ${name}`,
      log: files.webLog,
      ...webCommand(name, files, this.web, this.scenario.page ?? name),
    };
    this.#webs.set(name, this.#start(name, plan));
  }

  killWeb(name: string): void {
    // The whole group: workers go on serving without their master.
    const web = this.#webs.get(name);
    this.#webs.delete(name);
    web?.killGroup();
  }

  get webTitle(): string {
    return this.web.kind === "nginx" ? "nginx" : "the web server";
  }

  /** Starts the client, which asks for the virtual address from now on. */
  startClient(onOutcome: (outcome: Outcome) => void): void {
    const { client, vip, askEachMs } = this.scenario;
    this.#client = this.#start(client, {
      title: "the client",
      log: join(this.directory, "client.log"),
      ...ourselves("lab-child", "client", vip, String(askEachMs)),
      onLine: (line) => {
        const outcome = decodeOutcome(line);
        if (outcome !== null) onOutcome(outcome);
      },
    });
  }

  /** Says which of the processes that should run has ended, and how; null = all run. */
  broken(): string | null {
    const wanted = [
      ...this.#daemons.values(),
      ...this.#webs.values(),
      ...(this.#client ? [this.#client] : []),
    ];
    for (const child of wanted) {
      const ending = child.ending();
      if (ending !== null) return `${child.title} ended by itself (${ending})`;
    }
    return null;
  }

  /** The last lines that each process wrote, for when something went wrong. */
  logTails(): string[] {
    const logs = this.scenario.nodes.flatMap(({ name }) => [this.files(name).log, this.files(name).webLog]);
    return [...logs, join(this.directory, "client.log")].flatMap((path) => {
      const lines = readText(path).trimEnd().split("\n").slice(-LOG_TAIL_LINES).filter((line) => line !== "");
      return lines.length === 0 ? [] : [`--- ${path} ---`, ...lines];
    });
  }

  /** Lets everything stand after this process, until `lab down`. The client ends. */
  leave(): void {
    this.#client?.signal("SIGTERM");
    this.#client = null;
    for (const child of [...this.#daemons.values(), ...this.#webs.values()]) child.release();
    this.#network?.close();
    this.#state = { ...this.#state, owner: null };
    saveState(this.#state);
  }

  /** Removes everything. Rejects with what could not be removed. */
  async close(): Promise<void> {
    this.#network?.close();
    await dismantle(this.#state);
  }

  #start(machine: string, plan: Omit<ChildPlan, "namespace">): Child {
    const child = startChild({ ...plan, namespace: this.namespace(machine) });
    const { title, pid } = child;
    this.#state = { ...this.#state, processes: [...this.#state.processes, { title, pid }] };
    saveState(this.#state);
    return child;
  }
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
