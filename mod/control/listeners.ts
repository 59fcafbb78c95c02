/**
 * The doors of the API: the unix socket and, if wanted, TCP.
 *
 * @module
 */
import { type FetchHandler, type Listener, serveTcp, serveUnix } from "../../lib/runtime/mod.ts";
import type { ApiConfig } from "../config/model.ts";

/** What answers: everything on the unix socket, by token on TCP. */
export interface ApiHandlers {
  readonly local: FetchHandler;
  readonly remote: FetchHandler;
}

interface Tcp {
  readonly at: NonNullable<ApiConfig["listen"]>;
  readonly listener: Listener;
}

/** How long a door that is no longer wanted stays open for whoever is inside: he may wait for the answer to a reload. */
const LAST_ANSWERS_MS = 500;

export class ApiListeners {
  readonly #handlers: ApiHandlers;
  #socket: { readonly path: string; readonly listener: Listener } | null = null;
  #tcp: Tcp | null = null;
  /** Nobody comes in by these any more. */
  #retired: Listener[] = [];
  #closed = false;

  constructor(handlers: ApiHandlers) {
    this.#handlers = handlers;
  }

  /**
   * Listens where the config says; what listens there already goes on, and what is no longer wanted lets nobody in any
   * more. Throws Error: what could not be opened; then all listens where it did before.
   */
  async open(api: ApiConfig): Promise<void> {
    const before = this.#socket;
    const socket = before?.path === api.socket && !before.listener.isLost()
      ? before
      : { path: api.socket, listener: await serveUnix(this.#handlers.local, { path: api.socket }) };
    // The first one stays whatever becomes of the rest: one door is better than none.
    if (before === null) this.#socket = socket;
    try {
      this.#move(api.listen);
    } catch (error) {
      if (socket !== this.#socket) await socket.listener.stop();
      throw error;
    }
    this.#socket = socket;
    if (socket !== before && before !== null) this.#retire(before.listener);
  }

  /** Puts the unix socket back where somebody has removed it; true when it did. Throws Error: why it cannot. */
  async repair(): Promise<boolean> {
    const before = this.#socket;
    if (before === null || this.#closed || !before.listener.isLost()) return false;
    const listener = await serveUnix(this.#handlers.local, { path: before.path });
    if (this.#closed || this.#socket !== before) {
      await listener.stop();
      return false;
    }
    this.#socket = { path: before.path, listener };
    this.#retire(before.listener);
    this.dismiss();
    return true;
  }

  /** What was asked by the doors that are no longer wanted is answered: soon they are closed altogether. */
  dismiss(): void {
    const retired = this.#retired;
    this.#retired = [];
    if (retired.length === 0) return;
    setTimeout(() => void Promise.all(retired.map((listener) => listener.stop())), LAST_ANSWERS_MS).unref();
  }

  async close(): Promise<void> {
    this.#closed = true;
    const open = [this.#socket?.listener, this.#tcp?.listener, ...this.#retired];
    await Promise.all(open.map((listener) => listener?.stop()));
  }

  #move(to: ApiConfig["listen"]): void {
    const before = this.#tcp;
    if (before?.at.host === to?.host && before?.at.port === to?.port) return;
    // Two addresses of one port may be in each other's way: there the old one has to go first.
    const first = before !== null && before.at.port === to?.port;
    if (first) {
      this.#tcp = null;
      this.#retire(before.listener);
    }
    try {
      this.#tcp = to === null ? null : this.#serve(to);
    } catch (error) {
      if (first) this.#tcp = this.#serve(before.at);
      throw error;
    }
    if (!first && before !== null) this.#retire(before.listener);
  }

  #retire(listener: Listener): void {
    listener.retire();
    this.#retired.push(listener);
  }

  #serve(at: Tcp["at"]): Tcp {
    return { at, listener: serveTcp(this.#handlers.remote, { hostname: at.host, port: at.port }) };
  }
}
