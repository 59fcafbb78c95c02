/**
 * Keeps packets off the addresses of instances that accept nothing. What the kernel does not take is tried again.
 *
 * @module
 */
import { monotonicNs } from "../../lib/libc/mod.ts";
import { parseAddress } from "../../lib/packet/mod.ts";
import { DropTable } from "../accept/shell.ts";
import type { VrrpConfig } from "../vrrp/config.ts";
import type { MonotonicNs } from "./deadlines.ts";
import { Timer } from "./timer.ts";

/** Until a filter that the kernel did not take is tried again. */
const RETRY = 2e9;

/** Who is told how it stands with an instance's addresses. */
export interface GuardListener {
  readonly schedule: (timer: Timer, due: MonotonicNs) => void;
  /** They stand open: why. */
  readonly failed: (instance: string, problem: string) => void;
  /** They stood open, and do not any more. */
  readonly holds: (instance: string) => void;
  /** They stood open, and are to. */
  readonly forgotten: (instance: string) => void;
}

export class AddressGuard {
  readonly #listener: GuardListener;
  readonly #table = new DropTable();
  readonly #timer = new Timer(() => this.#guard());
  /** Those whose addresses accept nothing. */
  #closed: readonly VrrpConfig[] = [];
  /** By instance: why its addresses stand open though they should not. */
  #open = new Map<string, string>();

  constructor(listener: GuardListener) {
    this.#listener = listener;
  }

  /** Drops what is for the addresses of these instances, as far as they do not accept it. */
  guard(configs: readonly VrrpConfig[]): void {
    this.#closed = configs.filter(({ accept, priority }) => !accept && priority !== 255);
    this.#guard();
  }

  /** Why the addresses of an instance stand open though they should not; null = they do not, or they may. */
  problemOf(instance: string): string | null {
    return this.#open.get(instance) ?? null;
  }

  /** The instance `from` is called `to` from now on. */
  rename(from: string, to: string): void {
    const problem = this.#open.get(from);
    if (this.#open.delete(from)) this.#open.set(to, problem!);
  }

  /** Lets everything in again. */
  close(): void {
    this.#listener.schedule(this.#timer, Infinity);
    this.#table.close();
  }

  #guard(): void {
    const closed = this.#closed;
    const before = this.#open;
    const error = this.#fill();
    this.#open = new Map(error === null ? [] : closed.map(({ name }) => [name, error]));
    this.#listener.schedule(this.#timer, this.#open.size === 0 ? Infinity : monotonicNs() + RETRY);
    for (const [name, text] of this.#open) if (before.get(name) !== text) this.#listener.failed(name, text);
    for (const name of before.keys()) {
      if (this.#open.has(name)) continue;
      if (closed.some((config) => config.name === name)) this.#listener.holds(name);
      else this.#listener.forgotten(name);
    }
  }

  /** Has the kernel drop what is for those addresses; returns why it does not. */
  #fill(): string | null {
    const guarded = this.#closed.flatMap((config) =>
      [...config.addresses, ...config.extra].map(({ address, dev }) => ({
        address: parseAddress(address)!,
        interface: dev ?? config.interface,
      }))
    );
    try {
      this.#table.set(guarded);
      return null;
    } catch (error) {
      return `Cannot set accept: false: ${(error as Error).message}`;
    }
  }
}
