/**
 * The compiled binary under test, running in a node.
 *
 * @module
 */
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { fetchUnix } from "../../../lib/runtime/fetch.ts";
import {
  childrenOf,
  type CommandResult,
  isAlive,
  killTogether,
  type ProcessEnd,
  run,
  type Running,
} from "./command.ts";
import type { EventRecord, InstanceStatus, State, StatusDocument } from "./status.ts";
import type { LabNode } from "./topology.ts";
import { waitFor } from "./wait.ts";

/** The binary: `$APPLIANCE`, or what `make build` leaves. Throws when it is not there. */
export function appliancePath(): string {
  const path = resolve(process.env["APPLIANCE"] ?? join(import.meta.dir, "../../../dist/appliance"));
  if (!existsSync(path)) throw new Error(`Cannot test ${path}: no such file (run make build)`);
  return path;
}

export interface ApplianceOptions {
  /** Name of the config and runtime directory; the node's name by default. */
  readonly name?: string;
  /** False = do not wait until it answers. */
  readonly ready?: boolean;
  /** Flags for `run`: `--resume`, `--supervise`. */
  readonly flags?: readonly string[];
  /** Path of the binary to start. */
  readonly binary?: string;
}

/** One daemon of ours: its config file, its processes, its API. */
export class Appliance {
  readonly node: LabNode;
  readonly directory: string;
  readonly configPath: string;
  readonly runtimeDir: string;
  readonly socketPath: string;
  readonly process: Running;

  constructor(node: LabNode, yaml: string, options: ApplianceOptions = {}) {
    const name = options.name ?? node.name;
    this.node = node;
    this.directory = join(node.lab.directory, name);
    this.configPath = join(this.directory, "appliance.yaml");
    this.runtimeDir = join(this.directory, "run");
    this.socketPath = join(this.runtimeDir, "api.sock");
    mkdirSync(this.runtimeDir, { recursive: true });
    this.writeConfig(yaml);
    const { flags = [], binary = appliancePath() } = options;
    this.process = node.spawn([binary, "run", "-c", this.configPath, ...flags]);
  }

  /** Replaces the config file. The node's name and the runtime directory are added below, so lines keep their numbers. */
  writeConfig(yaml: string): void {
    const tail = [`node: ${this.node.name}`, `runtime_dir: ${this.runtimeDir}`]
      .filter((line) => !new RegExp(`^${line.split(":")[0]}:`, "m").test(yaml));
    writeFileSync(this.configPath, `${yaml.trimEnd()}\n${tail.join("\n")}\n`);
  }

  /** Waits until the API answers. Rejects when the daemon ended instead, with what it said. */
  async ready(timeoutMs = 5000): Promise<this> {
    await waitFor(async () => this.process.end !== null || this.#isOurs(await this.status()), {
      timeoutMs,
      what: `${this.node.name}'s API`,
      explain: () => this.log,
    });
    if (this.process.end !== null) {
      throw new Error(
        `appliance run on ${this.node.name} ended (${JSON.stringify(this.process.end)}):\n${this.log}`,
      );
    }
    return this;
  }

  /** Whether a status document is this daemon's, and not of the one before it in the same directory. */
  #isOurs({ engine }: StatusDocument): boolean {
    const { pid } = this.process;
    return engine === undefined || [pid, ...childrenOf(pid)].includes(engine.pid);
  }

  /** Everything it wrote. */
  get log(): string {
    return `--- ${this.node.name}: appliance run ---\n${this.process.stderr}${this.process.stdout}`;
  }

  /** Process id of the engine: the root of the process tree. */
  get enginePid(): number {
    return this.process.pid;
  }

  /** Process id of control; null while there is none. */
  get controlPid(): number | null {
    return childrenOf(this.enginePid).find(isAlive) ?? null;
  }

  /** Both processes, the engine first. */
  get pids(): number[] {
    return [this.enginePid, ...childrenOf(this.enginePid)];
  }

  /** A GET over the API's unix socket. */
  get(path: string): Promise<Response> {
    return fetchUnix(this.socketPath, path, { keepalive: false, signal: AbortSignal.timeout(2000) });
  }

  /** The status document by the API (quick: for polling). Rejects while nobody answers. */
  async status(): Promise<StatusDocument> {
    return await (await this.get("/status")).json() as StatusDocument;
  }

  /** Runs a command of the binary on this daemon's config: `command("status", "--json")`. */
  command(...args: readonly string[]): CommandResult {
    return run([appliancePath(), args[0]!, "-c", this.configPath, ...args.slice(1)]);
  }

  /** The status document by `appliance status --json`. */
  statusByCommand(): StatusDocument {
    return JSON.parse(this.command("status", "--json").stdout) as StatusDocument;
  }

  /** The history, oldest first, by `appliance events --json`: an array, an object with one, or an object a line. */
  events(): EventRecord[] {
    const { stdout, stderr, code } = this.command("events", "--json");
    if (code !== 0) throw new Error(`appliance events: exit ${code}: ${stderr}`);
    const text = stdout.trim();
    if (text === "") return [];
    try {
      const whole: unknown = JSON.parse(text);
      if (Array.isArray(whole)) return whole as EventRecord[];
      const { events } = whole as { events?: EventRecord[] };
      return events ?? [whole as EventRecord];
    } catch {
      return text.split("\n").map((line) => JSON.parse(line) as EventRecord);
    }
  }

  /** One instance of the status document. Rejects when it is not there. */
  async instance(name: string): Promise<InstanceStatus> {
    const { instances } = await this.status();
    const found = instances.find((instance) => instance.name === name);
    if (found === undefined) throw new Error(`${this.node.name} has no instance ${name}`);
    return found;
  }

  /** Waits until an instance is in a state, and returns it. */
  waitState(name: string, state: State, timeoutMs: number): Promise<InstanceStatus> {
    let seen: InstanceStatus | null = null;
    return waitFor(async () => {
      seen = await this.instance(name);
      return seen.state === state ? seen : null;
    }, {
      timeoutMs,
      what: `${this.node.name}: ${name} to be ${state}`,
      explain: () => `it is ${seen?.state}: ${seen?.reason}\n${this.log}`,
    });
  }

  /** Stops the daemon by a signal; tells how it ended and how long it took, in milliseconds. */
  async stop(
    signal: NodeJS.Signals = "SIGTERM",
    timeoutMs = 5000,
  ): Promise<ProcessEnd & { readonly tookMs: number }> {
    const before = Date.now();
    const end = await this.process.stop(signal, timeoutMs);
    return { ...end, tookMs: end.atMs - before };
  }

  /** `kill -9` of both processes at one moment. */
  async killHard(): Promise<void> {
    killTogether(this.pids);
    await this.process.ended;
  }

  /** Ends it at once, whatever state it is in. */
  async close(): Promise<void> {
    if (this.process.end === null) await this.killHard();
  }
}
