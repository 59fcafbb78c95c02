/**
 * The engine: one blocked loop that hears packets, kernel events, commands and signals, lets pure steps decide, and
 * performs what they want. Nothing in it waits for anything but the next event.
 *
 * @module
 */
import {
  closeFd,
  DeadlineTimer,
  Epoll,
  monotonicNs,
  realtimeMs,
  setMemoryLock,
  setScheduling,
  SIGCHLD,
  SIGHUP,
  SIGINT,
  SignalReader,
  SIGTERM,
  SIGUSR1,
  SIGUSR2,
} from "../../lib/libc/mod.ts";
import type { NetlinkListener } from "../../lib/netlink/mod.ts";
import { collectGarbage } from "../../lib/runtime/mod.ts";
import type { Command, EngineFigures } from "../bus/messages.ts";
import { EXIT_HANDED_ON } from "../bus/supervised.ts";
import { drainLinks, listenLinks } from "../link/shell.ts";
import type { ControlProcess } from "./child.ts";
import { configureRouters, signsBefore } from "./configure.ts";
import { ControlKeeper } from "./control.ts";
import { Lateness } from "./counters.ts";
import type { MonotonicNs } from "./deadlines.ts";
import { OWN_SIGNALS } from "./hand_over.ts";
import { type Answer, HeldBack } from "./held.ts";
import { Outbox } from "./outbox.ts";
import type { LinePipe } from "./pipe.ts";
import { endPredecessor } from "./predecessor.ts";
import { VirtualRouters } from "./routers.ts";
import { Deadlines, Timer } from "./timer.ts";

/** Sources of events in the order in which a wake-up serves them; deadlines come after all of them. */
const ORDER = { packets: 0, links: 1, commands: 2, signals: 3, alarm: 4 } as const;

interface Source {
  readonly order: number;
  readonly read: (events: number) => void;
}

const COUNTERS_PERIOD = 1e9;
/** How often garbage is collected, and how long nothing may be due for it: it takes about 4 ms. */
const TIDY_PERIOD = 10e9;
const TIDY_GAP = 8e6;
/** Instances that advertise more often than this are not held up for it. */
const TIDY_INTERVAL = 100e6;
/** On SIGTERM all is to be over within a second: addresses are kept for a successor no longer than this. */
const STOP_LINGER = 750e6;
/** How long a stopping engine waits for control to end. */
const STOP_CONTROL = 2e9;

/** The loop with all that it serves. */
export class Engine {
  readonly #epoll = new Epoll();
  readonly #alarm = new DeadlineTimer();
  readonly #sources = new Map<number, Source>();
  readonly #deadlines = new Deadlines();
  readonly #lateness = new Lateness();
  readonly #listener: NetlinkListener = listenLinks();
  readonly #signals = new SignalReader(OWN_SIGNALS);
  readonly #outbox = new Outbox();
  readonly #control: ControlKeeper;
  readonly #routers: VirtualRouters;
  readonly #held: HeldBack;
  readonly #startedMs = realtimeMs();

  /** The loaded config in force, as control keeps it; null before the first. */
  #source: string | null = null;
  /** Priority with which it runs in real time; null = it does not. */
  #realtime: number | null = null;
  #stopping = false;
  #tidyDue: MonotonicNs = monotonicNs() + TIDY_PERIOD;
  #exitCode: number | null = null;

  readonly #countersTimer = new Timer((now) => this.#tellFigures(now));
  readonly #stopTimer = new Timer((now) => this.#stopOver(now));

  readonly #supervised: boolean;

  /** @param supervised Whether `run --supervise` has started it, and wants to know how it ends. */
  constructor(control: ControlProcess, supervised: boolean) {
    this.#supervised = supervised;
    this.#control = new ControlKeeper(control, {
      outbox: this.#outbox,
      schedule: (timer, due) => this.#deadlines.set(timer, due),
      opened: (fd, read) => this.#watch(fd, ORDER.commands, read),
      closed: (fd) => this.#unwatch(fd),
      connected: (pipe) => this.#greet(pipe),
      heard: (command) => this.#attempt(command),
      ended: (exitCode) => this.#controlEnded(exitCode),
    });
    this.#routers = new VirtualRouters({
      outbox: this.#outbox,
      schedule: (timer, due) => this.#deadlines.set(timer, due),
      sockets: {
        opened: (fd, read) => this.#watch(fd, ORDER.packets, read),
        closed: (fd) => this.#unwatch(fd),
      },
      watch: (fd, read) => this.#watch(fd, ORDER.links, read),
      left: () => this.#left(),
    });
    this.#held = new HeldBack(this.#routers, this.#outbox);
    this.#watch(this.#listener.fd, ORDER.links, () => this.#readLinkEvents());
    this.#watch(this.#signals.fd, ORDER.signals, () => this.#readSignals());
    this.#watch(this.#alarm.fd, ORDER.alarm, () => this.#alarm.fired());
  }

  /** Runs until it is stopped; returns the exit code. */
  run(): number {
    this.#control.connect();
    this.#deadlines.set(this.#countersTimer, monotonicNs() + COUNTERS_PERIOD);
    while (this.#exitCode === null) {
      this.#flush();
      this.#tidy();
      this.#alarm.arm(this.#deadlines.nextDue());
      const count = this.#epoll.wait();
      for (let order = 0; order <= ORDER.alarm; order++) {
        for (let index = 0; index < count; index++) {
          const source = this.#sources.get(this.#epoll.fdAt(index));
          if (source?.order === order) source.read(this.#epoll.eventsAt(index));
        }
      }
      this.#runDeadlines();
    }
    this.#routers.close();
    closeFd(this.#listener.fd);
    return this.#exitCode;
  }

  /** Sends what the wake-up before had to tell. */
  #flush(): void {
    if (this.#control.listens) {
      this.#routers.tell();
      this.#tellHeld();
    }
    this.#outbox.flush();
    this.#control.watchOutput(this.#epoll);
  }

  /** Collects garbage while there is nothing to do, rather than whenever the runtime finds time in the midst of it. */
  #tidy(): void {
    const now = monotonicNs();
    if (now < this.#tidyDue || this.#deadlines.nextDue() - now < TIDY_GAP) return;
    // On a busy machine it may take ten times as long: too long where peers wait for 30 ms.
    if (this.#routers.instances.some(({ state }) => state.interval < TIDY_INTERVAL)) return;
    this.#tidyDue = now + TIDY_PERIOD;
    collectGarbage();
  }

  #watch(fd: number, order: number, read: (events: number) => void): void {
    this.#sources.set(fd, { order, read });
    this.#epoll.add(fd);
  }

  #unwatch(fd: number): void {
    this.#sources.delete(fd);
    this.#epoll.remove(fd);
  }

  #runDeadlines(): void {
    let now = monotonicNs();
    this.#routers.gatherAdverts(true);
    for (let next = this.#deadlines.next(now); next !== null; next = this.#deadlines.next(now)) {
      const { due } = next;
      // What comes after the routers' own deadlines may take its time.
      if (!next.first) this.#routers.gatherAdverts(false);
      this.#lateness.observe(now - due);
      this.#deadlines.set(next, Infinity);
      // What is served a little early reckons as if it were due: periods stay what they are.
      next.run(Math.max(now, due));
      now = monotonicNs();
    }
    this.#routers.gatherAdverts(false);
  }

  #readLinkEvents(): void {
    const { events, lost } = drainLinks(this.#listener);
    this.#routers.observeLinks(events, lost, monotonicNs());
  }

  #readSignals(): void {
    for (let signal = this.#signals.next(); signal !== null; signal = this.#signals.next()) {
      if (signal === SIGTERM || signal === SIGINT) this.#stop(monotonicNs());
      else if (signal === SIGUSR2) this.#handOn(this.#signals.queued);
      else if (signal === SIGUSR1) this.#outbox.noDump();
      else if (signal === SIGHUP) this.#outbox.reload();
      else if (signal === SIGCHLD) this.#reap();
    }
  }

  /**
   * Who takes notice of a dead process makes the kernel forget what /proc showed of it, and waits, spinning, for others
   * that are about the same: its own threads on their way out. In real time these would not get the processor, until the
   * kernel takes it away from us after 950 ms. Seen where somebody had looked at the threads of control before it died.
   */
  #reap(): void {
    if (this.#realtime !== null) setScheduling(null);
    this.#control.reap();
    if (this.#realtime !== null) setScheduling(this.#realtime);
  }

  // --- Commands -----------------------------------------------------------------------------------------------------

  /** What goes wrong in a command is answered, and ends nothing. */
  #attempt(command: Command): void {
    try {
      this.#obey(command, monotonicNs());
    } catch (error) {
      const text = `cannot obey ${command.type}: ${(error as Error).message}`;
      this.#outbox.log("error", ["engine"], text);
      if (!("id" in command)) return;
      const { id } = command;
      if (command.type === "configure") {
        this.#outbox.send({ type: "configured", id, ok: false, problems: [text] });
      } else this.#outbox.send({ type: "done", id, ok: false, text });
    }
  }

  #obey(command: Command, now: MonotonicNs): void {
    switch (command.type) {
      case "configure": {
        const { wanted, id } = command;
        // A reload that was asked for before the stop: nothing may begin anew while everything ends.
        if (this.#stopping) {
          return this.#outbox.send({
            type: "configured",
            id,
            ok: false,
            problems: ["the daemon is stopping"],
          });
        }
        // First: as long as a master is started anew, nobody speaks for it.
        this.#realtime = setScheduling(wanted.realtime) ? wanted.realtime : null;
        const { predecessor } = command;
        if (predecessor !== undefined && !endPredecessor(predecessor)) {
          const problem = `Cannot resume: the daemon before (process ${predecessor}) does not end`;
          return this.#outbox.send({ type: "configured", id, ok: false, problems: [problem] });
        }
        const at = monotonicNs();
        const before = this.#source === null ? signsBefore(wanted.runtimeDir, at) : new Map();
        configureRouters(this.#routers, this.#held, wanted, this.#outbox, before, at);
        if (!setMemoryLock(wanted.lockMemory) && wanted.lockMemory) {
          this.#outbox.log(
            "warning",
            ["engine"],
            "cannot lock memory: CAP_IPC_LOCK or a higher memlock limit is needed",
          );
        }
        this.#outbox.send({ type: "configured", id, ok: true, problems: [] });
        const first = this.#source === null;
        this.#source = wanted.source;
        if (!first) return;
        // An instance with addresses of both families is two virtual routers.
        const count = new Set(wanted.instances.map(({ unit }) => unit)).size;
        return this.#outbox.event({
          kind: "started",
          subject: null,
          text: `started with ${count} instance${count === 1 ? "" : "s"}`,
        });
      }
      case "tracked": {
        const { source, value, error } = command;
        return this.#routers.surroundings.observeTracked(source, { value, error }, now);
      }
      case "alive":
        return;
      case "reloading":
        return this.#outbox.reloading();
      case "heard":
        return this.#outbox.heard(command.events);
      case "release":
        return this.#answer(command.id, this.#held.release(command.instance, now));
      case "resume":
        return this.#answer(command.id, this.#held.resume(command.instance, now));
      case "maintenance":
        return this.#answer(command.id, this.#held.setMaintenance(command.on, now));
    }
  }

  /** Answers what an operator asked for; control is told first what is to outlast a restart. */
  #answer(id: number, answer: Answer): void {
    this.#tellHeld();
    this.#outbox.send({ type: "done", id, ...answer });
  }

  /** Before the first config nothing is known of what is held back, and at the end there are no instances any more. */
  #tellHeld(): void {
    if (this.#source !== null && !this.#stopping) this.#held.tell();
  }

  // --- Control's life -----------------------------------------------------------------------------------------------

  /** Tells a control process that knows nothing what there is. */
  #greet(pipe: LinePipe): void {
    this.#outbox.connect(pipe, this.#startedMs, this.#source);
    this.#routers.retell();
    this.#held.retell();
  }

  /** The control process has ended; returns whether another one is to take its place. */
  #controlEnded(exitCode: number | null): boolean {
    if (this.#stopping) {
      if (this.#routers.instances.length === 0) this.#exitCode = 0;
      return false;
    }
    // Before it ever sent a configuration, its exit code tells why the daemon cannot start: it has printed the reason.
    if (this.#source === null && exitCode !== null && exitCode !== 0) {
      this.#exitCode = exitCode;
      return false;
    }
    this.#routers.surroundings.doubtTracked(monotonicNs());
    return true;
  }

  // --- The end ------------------------------------------------------------------------------------------------------

  /** Hands everything over, then ends. */
  #stop(now: MonotonicNs): void {
    if (this.#stopping) return;
    this.#stopping = true;
    this.#outbox.event({ kind: "stopping", subject: null, text: "stopped on request" });
    this.#outbox.send({ type: "stopping", handedOn: false });
    this.#control.retire();
    this.#deadlines.set(this.#stopTimer, now + STOP_LINGER);
    for (const instance of this.#routers.instances) {
      this.#routers.leave(instance, "stopping", now, STOP_LINGER);
    }
    this.#left();
  }

  /**
   * Ends at once and says nothing, leaving all as it is for the engine that goes on as master: one that asked for it, or
   * else one that whoever started this one starts now.
   */
  #handOn(toAsker: boolean): void {
    if (this.#stopping) return;
    this.#stopping = true;
    this.#control.retire();
    this.#outbox.send({ type: "stopping", handedOn: true });
    this.#outbox.flush();
    this.#exitCode = this.#supervised && !toAsker ? EXIT_HANDED_ON : 0;
  }

  #left(): void {
    if (this.#stopping && this.#routers.instances.length === 0) this.#stopOver(monotonicNs());
  }

  /** Nothing is ours any more: waits for control to end, but not for long. */
  #stopOver(now: MonotonicNs): void {
    this.#routers.abandonAll();
    this.#deadlines.set(this.#stopTimer, Infinity);
    if (this.#control.ended) {
      this.#exitCode = 0;
      return;
    }
    this.#outbox.flush();
    this.#control.hangUp();
    this.#deadlines.set(this.#endTimer, now + STOP_CONTROL);
  }

  readonly #endTimer = new Timer(() => {
    this.#control.kill();
    this.#exitCode = 0;
  });

  // --- Figures ------------------------------------------------------------------------------------------------------

  #tellFigures(now: MonotonicNs): void {
    this.#deadlines.set(this.#countersTimer, now + COUNTERS_PERIOD);
    this.#control.watch();
    if (!this.#control.listens) return;
    this.#routers.tellCounters();
    const engine: EngineFigures = {
      controlRestarts: this.#control.restarts,
      realtime: this.#realtime !== null,
      dropped: this.#routers.strays,
      lateness: {
        boundsMs: Lateness.BOUNDS_MS,
        counts: this.#lateness.cumulative(),
        sumMs: this.#lateness.sumMs,
      },
    };
    this.#outbox.send({ type: "engine", engine });
  }
}
