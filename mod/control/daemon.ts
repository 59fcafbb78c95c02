/**
 * The control process as a whole: config, probes, history, API and notifications around one engine.
 *
 * @module
 */
import { resolve } from "node:path";
import { COMMIT, reasonOf, RUNTIME, VERSION } from "../../lib/runtime/mod.ts";
import type { EventKind, Held, HistoryEvent, InstanceState, Told } from "../bus/messages.ts";
import type { Config, Loaded, NamedInterface } from "../config/model.ts";
import { nearest } from "../config/names.ts";
import { readHeartbeat } from "../heartbeat/shell.ts";
import { Notifier } from "../notify/shell.ts";
import type { ProbeReport } from "../probe/model.ts";
import { createProbeRunner, type ProbeRunner } from "../probe/shell.ts";
import { trackedValue, viewProbe } from "../probe/view.ts";
import { createApp } from "../status/app.ts";
import type { ActionResult } from "../status/model.ts";
import { StatusStore } from "../status/store.ts";
import { acceptProblem } from "./accept.ts";
import { removeOurs } from "./cleanup.ts";
import type { EngineLink } from "./engine_link.ts";
import { HeldKeeper, readHeld } from "./held.ts";
import { ApiListeners } from "./listeners.ts";
import { missingInterfaces, readConfig } from "./load.ts";
import { log, logEvent, setUpLog } from "./log.ts";
import { Notices } from "./notices.ts";
import { PlacedKeeper } from "./placed.ts";
import { findPredecessor } from "./predecessor.ts";
import { Tunnels } from "./tunnels.ts";
import { engineWanted } from "./wanted.ts";

/** Of the time after which peers take over, how much an engine that is started anew may use up. */
const RESUME_SHARE = 0.6;
/** How long the scripts of a stop may hold up the end. */
const STOP_NOTIFY_MS = 950;
/** How long the one before may take to close its API: one that was killed, and one that was asked to end. */
const FRESH_PATIENCE_MS = 300;
const SUCCESSOR_PATIENCE_MS = 3000;
const LISTEN_STEP_MS = 10;
/** How often it is looked whether the API's socket is still there. */
const SOCKET_CHECK_MS = 2000;
/** How often it is looked whether another engine has come. */
const HEARTBEAT_STEP_MS = 50;

type GoodConfig = Extract<Loaded, { ok: true }>;

/** What control watches and the engine is told of. */
function trackedSources({ probes, tunnels }: Config): string[] {
  return [...probes.map(({ name }) => `probe:${name}`), ...tunnels.map(({ name }) => `tunnel:${name}`)];
}

export class Daemon {
  readonly #path: string;
  readonly #link: EngineLink;
  readonly #store: StatusStore;
  readonly #listeners: ApiListeners;
  readonly #notifier = new Notifier((queue, text) => {
    // `INSTANCE web`: in the history it is told by its name, as everything is.
    const subject = queue.slice(queue.indexOf(" ") + 1);
    this.#store.add({ atMs: Date.now(), kind: "error", subject, text });
    // The operator's own command: for the daemon it is nothing worse.
    log("warning", ["notify", queue], text);
  });
  readonly #notices: Notices;
  readonly #tunnels: Tunnels;
  #config: Config;
  #interfaces: readonly NamedInterface[];
  readonly #held: HeldKeeper;
  readonly #placed = new PlacedKeeper({
    failed: (problem) => log("warning", ["control"], problem),
    removed: (text) => this.#event("repair", text),
  });
  #probes: ProbeRunner | null = null;
  #stopping = false;
  /** When it was asked to stop; null = it was not. */
  #stoppingAt: number | null = null;
  /** Another daemon goes on with all that is ours. */
  #handedOn = false;
  /** Why the API's socket could not be put back, as it was told last. */
  #socketProblem: string | null = null;
  #reloading: Promise<ActionResult> | null = null;
  #reloadNext: Promise<ActionResult> | null = null;

  /** @param engine Its process id. */
  constructor(path: string, link: EngineLink, loaded: GoodConfig, engine: number) {
    this.#path = path;
    this.#link = link;
    this.#tunnels = new Tunnels(engine, {
      tracked: (name, value, error) => link.tell({ type: "tracked", source: `tunnel:${name}`, value, error }),
      changed: (name, text) => this.#event("tunnel", text, name),
      repaired: (name, text) => this.#event("repair", `tunnel ${name} was put right: ${text}`, name),
      warning: (name, text) => log("warning", ["tunnel", name], text),
    });
    this.#config = loaded.config;
    this.#interfaces = loaded.interfaces;
    this.#notices = new Notices(
      loaded.config,
      (subject, state, commands) => this.#notifier.notify(subject, state, commands),
    );
    this.#held = new HeldKeeper(loaded.config.runtimeDir, (problem) => log("error", ["control"], problem));
    this.#store = new StatusStore({ node: loaded.config.node, version: VERSION, now: Date.now });
    this.#store.setWanted(loaded.config);
    this.#store.setSources({
      probes: () => (this.#probes?.snapshot() ?? []).map(viewProbe),
      tunnels: () => this.#tunnels.view(),
      problems: () => this.#held.problem === null ? [] : [`of what is held back, ${this.#held.problem}`],
    });
    const common = {
      store: this.#store,
      nearest,
      build: { version: VERSION, commit: COMMIT, runtime: RUNTIME },
      onError: (error: Error) =>
        log("error", ["api"], `Cannot answer a request, by a fault of this program: ${reasonOf(error)}`),
      actions: {
        reload: () => this.reload(),
        release: (instance: string) => this.#hold({ type: "release", instance }),
        resume: (instance: string) => this.#hold({ type: "resume", instance }),
        maintenance: (on: boolean) => this.#hold({ type: "maintenance", on }),
      },
    };
    const local = createApp({ ...common, access: { type: "full" } });
    const remote = createApp({ ...common, access: { type: "token", token: () => this.#config.api.token } });
    this.#listeners = new ApiListeners({
      local: (request) => local.fetch(request),
      remote: (request) => remote.fetch(request),
    });
  }

  /**
   * Opens the API, gives the engine its instances, starts the probes. Throws Error: why it cannot start.
   *
   * @param resume Let a daemon that still runs end first, and go on with what it had.
   */
  async start(text: string, restarted: boolean, resume: boolean): Promise<void> {
    const closed = restarted ? null : acceptProblem(this.#config.vrrp);
    if (closed !== null) throw new Error(closed);
    const { runtimeDir, api } = this.#config;
    const predecessor = resume && !restarted ? await findPredecessor(runtimeDir, api.socket) : null;
    // A daemon whose place this one takes has the API until it ends.
    if (predecessor === null) await this.#listen(restarted, FRESH_PATIENCE_MS);
    // The instances first: their waiting begins, while the probes' first results are a moment away.
    const wanted = engineWanted(this.#config, text, restarted ? null : this.#heldBefore());
    this.#placed.expect(this.#config);
    const configured = this.#link.ask({
      type: "configure",
      wanted,
      ...(predecessor === null ? {} : { predecessor }),
    });
    this.#probes = createProbeRunner(this.#config.probes, (report) => this.#onProbe(report));
    await this.#updateTunnels(this.#config);
    const { ok, text: problems } = await configured;
    this.#notices.changed(ok, restarted);
    if (ok) this.#placed.settle(this.#config, !restarted);
    this.#store.setConfig({ ok, problems: ok ? [] : [problems], file: resolve(this.#path) });
    setInterval(() => void this.#repairSocket(), SOCKET_CHECK_MS).unref();
    if (predecessor === null) return;
    if (!ok) throw new Error(problems);
    await this.#listen(true, SUCCESSOR_PATIENCE_MS);
  }

  /** Whoever clears /run away takes the socket along, and with it all ways to the daemon but signals. */
  async #repairSocket(): Promise<void> {
    if (this.#stopping || this.#reloading !== null) return;
    try {
      if (!await this.#listeners.repair()) return;
      this.#event("repair", `${this.#config.api.socket} was removed by someone else and put back`);
    } catch (error) {
      const problem = (error as Error).message;
      if (problem !== this.#socketProblem) log("error", ["api"], problem);
      this.#socketProblem = problem;
    }
  }

  /** Opens the API, which a daemon that has just ended may still be closing. Throws Error. */
  async #listen(optional: boolean, patienceMs: number): Promise<void> {
    const until = performance.now() + patienceMs;
    for (;;) {
      try {
        return await this.#listeners.open(this.#config.api);
      } catch (error) {
        if (performance.now() < until) {
          await new Promise((resolve) => setTimeout(resolve, LISTEN_STEP_MS));
          continue;
        }
        // An engine that runs goes on without an API rather than without probes.
        if (!optional) throw error;
        return log("error", ["api"], (error as Error).message);
      }
    }
  }

  /** What is to be held back from the start. */
  #heldBefore(): Held {
    const { held, problem } = readHeld(this.#config.runtimeDir);
    if (problem !== null) log("error", ["control"], problem);
    return held;
  }

  /** Lets the engine hold something back, or no more; by the time it answers, that is kept. */
  async #hold(asking: Parameters<EngineLink["ask"]>[0]): Promise<ActionResult> {
    return this.#held.answered(await this.#link.ask(asking));
  }

  /** Takes in what the engine says. */
  receive(report: Told): void {
    const told = this.#store.apply(report);
    const again = report.type === "event" && report.again === true;
    if (told !== null && !again) logEvent(told);
    switch (report.type) {
      case "event":
        return this.#onEvent(report.event, again);
      case "instance":
        return this.#notices.observe(report.instance);
      case "instance-gone":
        return this.#notices.gone(report.name);
      case "log":
        return log(report.level, report.category, report.text, report.atMs);
      case "held":
        return this.#held.keep(report.held);
      case "reload":
        this.#link.tell({ type: "reloading" });
        void this.reload();
        return;
      case "stopping":
        this.#stopping = true;
        this.#stoppingAt = performance.now();
        this.#handedOn = report.handedOn;
        this.#probes?.stop();
        // The other one's tunnels wait for that.
        if (report.handedOn) return void this.#tunnels.stop(true);
        return this.#notices.stop();
    }
  }

  /** The engine is gone: what is ours is removed unless it said goodbye. Returns the exit code. */
  async end(): Promise<number> {
    this.#probes?.stop();
    // A daemon that comes after this one needs the socket at once.
    await this.#listeners.close();
    if (!this.#stopping) await this.#cleanUp();
    if (!this.#handedOn) this.#placed.clear();
    if (this.#handedOn) await this.#tunnels.stop(true);
    // Asked to stop, all is to be over within a second: what the hand-over took is not there for scripts any more.
    const spentMs = this.#stoppingAt === null ? 0 : performance.now() - this.#stoppingAt;
    await this.#notifier.settle(Math.max(STOP_NOTIFY_MS - spentMs, 0));
    // Instances that ran over them have said goodbye by now, and scripts that lead traffic elsewhere have done so.
    await this.#tunnels.stop(false);
    return this.#stopping ? 0 : 1;
  }

  /** Removes what the dead engine had, unless another one goes on with it before the peers take over. */
  async #cleanUp(): Promise<void> {
    const { vrrp, runtimeDir } = this.#config;
    log("error", ["control"], "the engine has died");
    const dead = readHeartbeat(runtimeDir)?.pid ?? null;
    const quickest = Math.min(...vrrp.map(({ intervalCs, downAdverts }) => intervalCs * 10 * downAdverts));
    // The last advertisement may be almost one interval old.
    const graceMs = vrrp.length === 0 ? 0 : quickest * RESUME_SHARE;
    for (const until = performance.now() + graceMs;;) {
      if ((readHeartbeat(runtimeDir)?.pid ?? null) !== dead) {
        this.#handedOn = true;
        return log("info", ["control"], "another engine goes on");
      }
      if (performance.now() >= until) break;
      await new Promise((resolve) => setTimeout(resolve, HEARTBEAT_STEP_MS));
    }
    const removed = removeOurs(this.#config);
    if (removed.length > 0) log("error", ["control"], `removed ${removed.join(", ")}`);
  }

  /** Reads the file again and applies the difference; a file that cannot be run changes nothing. */
  reload(): Promise<ActionResult> {
    if (this.#reloading === null) {
      const failed = (error: unknown): ActionResult => {
        const text = `the reload failed: ${(error as Error).message}`;
        log("error", ["config"], text);
        return { ok: false, text };
      };
      return this.#reloading = this.#reload().catch(failed).finally(() => {
        this.#reloading = null;
        this.#listeners.dismiss();
      });
    }
    // The one that runs may have read the file before it was changed for this one.
    const next = () => {
      this.#reloadNext = null;
      return this.reload();
    };
    return this.#reloadNext ??= this.#reloading.then(next);
  }

  async #reload(): Promise<ActionResult> {
    const loaded = await readConfig(this.#path);
    const problems = loaded.ok
      ? [
        ...missingInterfaces(loaded, this.#interfaces),
        ...[acceptProblem(loaded.config.vrrp)].filter((problem) => problem !== null),
      ]
      : loaded.problems;
    if (!loaded.ok || problems.length > 0) {
      for (const problem of problems) log("error", ["config"], problem);
      this.#event(
        "reload",
        `refused: ${problems.length} problem${problems.length === 1 ? "" : "s"}, nothing changed`,
      );
      this.#store.setConfig({ ok: false, problems, file: resolve(this.#path) });
      return { ok: false, text: `${this.#path} was refused and nothing changed`, problems };
    }
    for (const warning of loaded.warnings) log("warning", ["config"], warning);
    const { config } = loaded;
    try {
      await this.#listeners.open(config.api);
    } catch (error) {
      const problem = (error as Error).message;
      // A reload by signal has no other answer than the log.
      log("error", ["config"], problem);
      this.#event("reload", `refused: ${problem}`);
      this.#store.setConfig({ ok: false, problems: [problem], file: resolve(this.#path) });
      return {
        ok: false,
        text: "the API cannot listen as the file says; nothing else changed",
        problems: [problem],
      };
    }
    await setUpLog(config.log);
    this.#store.setWanted(config);
    this.#notices.change(config);
    this.#placed.expect(config);
    const { ok, text } = await this.#link.ask({
      type: "configure",
      wanted: engineWanted(config, JSON.stringify(loaded)),
    });
    this.#notices.changed(ok);
    if (!ok) {
      this.#store.setWanted(this.#config);
      return { ok, text };
    }
    this.#forgetTracked(this.#config, config);
    this.#config = config;
    this.#placed.settle(config, false);
    this.#held.move(config.runtimeDir);
    this.#interfaces = loaded.interfaces;
    this.#store.setConfig({ ok: true, problems: [], file: resolve(this.#path) });
    this.#probes?.update(config.probes);
    await this.#updateTunnels(config);
    this.#event("reload", "applied");
    return { ok: true, text: `${this.#path} is in force` };
  }

  /** What is not watched any more is not known either: one of that name that comes later has yet to be looked at. */
  #forgetTracked(before: Config, after: Config): void {
    const watched = new Set(trackedSources(after));
    for (const source of trackedSources(before)) {
      if (!watched.has(source)) this.#link.tell({ type: "tracked", source, value: "unknown", error: null });
    }
  }

  /** A daemon whose tunnels cannot be kept goes on without them, and says so. */
  async #updateTunnels({ tunnels }: Config): Promise<void> {
    try {
      await this.#tunnels.update(tunnels);
    } catch (error) {
      this.#event("error", (error as Error).message);
    }
  }

  #event(kind: EventKind, text: string, subject: string | null = null): void {
    const event: HistoryEvent = { atMs: Date.now(), kind, subject, text };
    this.#store.add(event);
    logEvent(event);
  }

  /** @param again A control process before this one took it in, and ran what it leads to. */
  #onEvent({ kind, subject, detail }: HistoryEvent, again: boolean): void {
    if (kind !== "transition" || subject === null || this.#stopping) return;
    this.#notices.transition(subject, detail?.to as InstanceState, Number(detail?.priority ?? 0), again);
  }

  #onProbe(report: ProbeReport): void {
    if (!report.changed) return;
    const { name, from, state } = report;
    this.#link.tell({
      type: "tracked",
      source: `probe:${name}`,
      value: trackedValue(state),
      error: state.error,
    });
    if (from === state.status) return;
    const why = state.error === null ? "" : `: ${state.error}`;
    this.#event("probe", `${from} → ${state.status}${why}`, name);
  }
}
