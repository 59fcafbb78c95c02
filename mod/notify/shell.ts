/**
 * Runs notification commands: for each instance one after the other and in order, so that no script ever overtakes
 * the one of the state before.
 *
 * @module
 */
import { spawn } from "node:child_process";
import { childEnvironment } from "../../lib/runtime/environment.ts";
import { reasonOf } from "../../lib/runtime/reason.ts";
import type { NotifyCommand, NotifyState } from "./model.ts";
import { STATE_NAMES } from "./step.ts";

/** A command that runs longer is killed with all its children. */
const TIMEOUT_MS = 60_000;
/** Commands that wait for one instance; beyond it the oldest states are no longer news. */
const MAX_WAITING = 64;

/** Told when a command could not be run, failed or was killed. */
export type NotifyFailure = (instance: string, text: string) => void;

interface Notification {
  readonly state: NotifyState;
  readonly command: NotifyCommand;
}

/** `/etc/appliance/up.sh on MASTER`: without the arguments, in which there may be a secret. */
function nameOf({ state, command }: Notification): string {
  return `${command[0]} on ${STATE_NAMES[state]}`;
}

export class Notifier {
  readonly #onFailure: NotifyFailure;
  readonly #queues = new Map<string, Notification[]>();
  readonly #running = new Map<string, Promise<void>>();
  /** By instance what runs now. */
  readonly #current = new Map<string, Notification>();
  /** Leaders of the process groups that run. */
  readonly #pids = new Set<number>();
  #ended = false;

  constructor(onFailure: NotifyFailure) {
    this.#onFailure = onFailure;
  }

  /** Queues the commands of a state behind those of the same instance that are not done. */
  notify(instance: string, state: NotifyState, commands: readonly NotifyCommand[]): void {
    if (commands.length === 0 || this.#ended) return;
    const queue = this.#queues.get(instance) ?? [];
    queue.push(...commands.map((command) => ({ state, command })));
    if (queue.length > MAX_WAITING) {
      const dropped = queue.splice(0, queue.length - MAX_WAITING).length;
      this.#onFailure(instance, `${dropped} notifications were dropped: earlier ones take too long`);
    }
    this.#queues.set(instance, queue);
    if (!this.#running.has(instance)) {
      this.#running.set(instance, this.#drain(instance, queue).finally(() => this.#running.delete(instance)));
    }
  }

  /** Resolves when all is done, or when `limitMs` are over: what still runs then is killed, what waits is dropped. */
  async settle(limitMs: number): Promise<void> {
    const limit = new Promise<void>((resolve) => setTimeout(resolve, limitMs).unref?.());
    await Promise.race([Promise.all(this.#running.values()), limit]);
    this.#ended = true;
    for (const [instance, notification] of this.#current) {
      this.#onFailure(instance, `${nameOf(notification)}: killed, as the daemon ends`);
    }
    for (const pid of this.#pids) killGroup(pid);
    for (const [instance, queue] of this.#queues) {
      const dropped = queue.splice(0);
      if (dropped.length === 0) continue;
      this.#onFailure(instance, `never run, as the daemon ends: ${dropped.map(nameOf).join(", ")}`);
    }
  }

  async #drain(instance: string, queue: Notification[]): Promise<void> {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      this.#current.set(instance, next);
      const failure = await runCommand(next.command, this.#pids);
      this.#current.delete(instance);
      if (failure !== null && !this.#ended) this.#onFailure(instance, `${nameOf(next)}: ${failure}`);
    }
  }
}

/** Runs one command in a process group of its own, noted in `pids`; resolves to null or to why it failed. */
function runCommand(command: NotifyCommand, pids: Set<number>): Promise<string | null> {
  return new Promise((resolve) => {
    try {
      const child = spawn(command[0]!, command.slice(1), {
        detached: true,
        env: childEnvironment(),
        stdio: ["ignore", "ignore", "inherit"],
      });
      const { pid } = child;
      if (pid !== undefined) pids.add(pid);
      const timer = setTimeout(() => {
        if (pid !== undefined) killGroup(pid);
        resolve(`killed after ${TIMEOUT_MS / 1000} s`);
      }, TIMEOUT_MS);
      child.on("error", (error) => {
        clearTimeout(timer);
        resolve(reasonOf(error));
      });
      child.on("exit", (code, signal) => {
        clearTimeout(timer);
        if (pid !== undefined) pids.delete(pid);
        resolve(code === 0 ? null : code === null ? `ended by ${signal}` : `exit code ${code}`);
      });
    } catch (error) {
      resolve(reasonOf(error));
    }
  });
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // The group has ended by itself meanwhile.
  }
}
