/**
 * The real keepalived in a node.
 *
 * @module
 */
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { descendantsOf, isAlive, killTogether, type ProcessEnd, type Running } from "./command.ts";
import type { LabNode } from "./topology.ts";
import { waitFor } from "./wait.ts";

/** One keepalived: its two processes and its log. */
export class Keepalived {
  readonly process: Running;
  readonly #directory: string;

  constructor(readonly node: LabNode, conf: string) {
    const directory = this.#directory = node.directory("keepalived");
    const path = join(directory, "keepalived.conf");
    writeFileSync(path, conf);
    // A killed one that nobody has reaped yet would count as running.
    for (const name of ["main", "vrrp", "checkers"]) rmSync(join(directory, `${name}.pid`), { force: true });
    this.process = node.spawn([
      "env",
      // Where it writes its statistics.
      `TMPDIR=${directory}`,
      "keepalived",
      "--dont-fork",
      "--log-console",
      "--no-syslog",
      "--log-detail",
      ...["-f", path],
      ...["-p", join(directory, "main.pid")],
      ...["-r", join(directory, "vrrp.pid")],
      ...["-c", join(directory, "checkers.pid")],
    ]);
  }

  /** What it wrote. */
  get log(): string {
    return this.process.stdout + this.process.stderr;
  }

  /** Packets that it refused, of all kinds, by its own statistics. */
  async refused(): Promise<number> {
    const path = join(this.#directory, "keepalived.stats");
    rmSync(path, { force: true });
    this.process.kill("SIGUSR2");
    await waitFor(() => existsSync(path) && readFileSync(path, "utf8").includes("Priority Zero"), {
      timeoutMs: 3000,
      what: "keepalived's statistics",
      explain: () => this.log,
    });
    const errors = readFileSync(path, "utf8").matchAll(/(?:Packet|Authentication) Errors:\n((?: {4}.*\n)*)/g);
    const counts = [...errors].flatMap(([, lines]) => [...lines!.matchAll(/: (\d+)$/gm)]);
    return counts.reduce((sum, [, count]) => sum + Number(count), 0);
  }

  /** Stops it in order. */
  stop(): Promise<ProcessEnd> {
    return this.process.stop("SIGTERM", 10_000);
  }

  /** `kill -9` of all its processes; its virtual addresses stay, as keepalived's do. */
  async killHard(): Promise<void> {
    const pids = [this.process.pid, ...descendantsOf(this.process.pid)];
    killTogether(pids);
    await waitFor(() => !pids.some(isAlive), { timeoutMs: 2000, what: "keepalived to be dead" });
  }

  async close(): Promise<void> {
    if (this.process.end === null) await this.killHard();
  }
}
