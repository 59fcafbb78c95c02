/**
 * The process that moves a tunnel's packets where the kernel cannot: one blocked loop over the device, the sockets, a
 * timer and the pipe to the process that started it. It ends when it is told to, and the device ends with it.
 *
 * When it is told nothing any more it goes on: its successor, started by whoever keeps the tunnel from then on, takes
 * device, sockets and numbers from it (see inheritance.ts). When nobody is left who could start one, it ends.
 *
 * @module
 */
import {
  closeFd,
  DeadlineTimer,
  Epoll,
  EPOLLIN,
  EPOLLOUT,
  ignoreSignals,
  monotonicNs,
  pidfdOpen,
  setInterfaceMtu,
  setNonBlocking,
  setTunCarrier,
  SIGHUP,
  SIGINT,
  SIGPIPE,
  SIGTERM,
} from "../../../lib/libc/mod.ts";
import { Counters } from "./counters.ts";
import { stableMac, type TunnelDevice } from "./device.ts";
import { Door } from "./door.ts";
import { Inbound } from "./inbound.ts";
import { encodeInheritance } from "./inheritance.ts";
import { Inlet, Outlet, STDIN, STDOUT } from "./lines.ts";
import { Outbound } from "./outbound.ts";
import { isOverIpv6, isTap, type UserTunnelSettings, type UserTunnelWord } from "./settings.ts";
import { begin } from "./start.ts";
import {
  checkUnderlay,
  closeUnderlay,
  countStrays,
  openUnderlay,
  overflows,
  pathMtu,
  socketsOf,
  takeError,
  type Underlay,
} from "./underlay.ts";
import { type GreEnd, greEnd } from "./wire.ts";

const TICK = 1e9;
/** How long until a missing address or route is looked for again. */
const RETRY = 200e6;
/** How often a far end is led to our sequence numbers, a second apart: one packet may be lost. */
const LEADS = 3;
const LEAST_MTU = 68;
/** How long a daemon may stay away that died, or ended for another one to go on. */
const SUCCESSION = 5e9;

/** A descriptor that becomes readable when a process ends; -1 = it has, or is not to be watched. */
function watchProcess(pid: number | null): number {
  if (pid === null) return -1;
  try {
    return pidfdOpen(pid);
  } catch {
    return -1;
  }
}

/** One tunnel's end. */
class UserTunnel {
  readonly #settings: UserTunnelSettings;
  readonly #inlet: Inlet;
  readonly #outlet: Outlet;
  readonly #epoll = new Epoll();
  readonly #timer = new DeadlineTimer();
  readonly #counters = new Counters();
  readonly #gre: GreEnd;
  readonly #device: TunnelDevice;
  readonly #inbound: Inbound;
  readonly #outbound: Outbound;
  readonly #overhead: number;
  readonly #door: Door | null;
  /** See {@link watchProcess}. */
  #engine: number;
  /** Nobody minds us any more, or a successor is on its way. */
  #released = false;
  /** When to end if nobody has come. */
  #endAt = Infinity;
  #underlay: Underlay | null = null;
  #waiting = false;
  #leads = 0;
  #overflows = 0;
  #told = "";

  constructor(settings: UserTunnelSettings, inlet: Inlet, outlet: Outlet) {
    this.#settings = settings;
    this.#inlet = inlet;
    this.#outlet = outlet;
    this.#gre = greEnd(settings);
    this.#overhead = (isOverIpv6(settings) ? 40 : 20) + this.#gre.headerLength + (isTap(settings) ? 14 : 0);
    this.#inbound = new Inbound(settings, this.#gre, this.#counters);
    this.#outbound = new Outbound(settings, this.#gre, this.#counters);
    // Last: from here on nobody moves packets until the loop runs.
    const { device, underlay, continued } = begin(settings, this.#gre);
    this.#device = device;
    if (underlay !== null) this.#use(underlay, !continued);
    this.#engine = watchProcess(settings.engine);
    this.#door = this.#openDoor();
  }

  /** Runs until it is told to end or a successor has taken over (0), or the device is taken away (1). */
  run(): number {
    this.#epoll.add(STDIN);
    this.#epoll.add(this.#timer.fd);
    this.#epoll.add(this.#device.fd);
    if (this.#engine >= 0) this.#epoll.add(this.#engine);
    this.#tick();
    // What came with the settings.
    if (this.#ended()) return 0;
    for (;;) {
      const count = this.#epoll.wait();
      for (let index = 0; index < count; index++) {
        const fd = this.#epoll.fdAt(index);
        if (fd === this.#device.fd) {
          if (!this.#pumpOut()) return this.#gone();
        } else if (fd === STDIN) {
          if (this.#ended()) return 0;
        } else if (fd === this.#timer.fd) {
          this.#timer.fired();
          this.#tick();
          if (monotonicNs() >= this.#endAt) return 0;
        } else if (this.#door?.owns(fd)) {
          this.#door.attend(fd);
          if (this.#succeeded()) return 0;
        } else if (fd === this.#engine) {
          this.#epoll.remove(fd);
          closeFd(fd);
          this.#engine = -1;
          this.#countDown();
        } else if (this.#underlay !== null) {
          if (this.#waiting && !this.#pumpOut()) return this.#gone();
          if (fd === this.#underlay.fd) {
            if (this.#inbound.pump(this.#device, this.#underlay) === "gone") return this.#gone();
          } else if (fd === this.#underlay.unfragmentedFd) takeError(fd);
        }
      }
    }
  }

  #gone(): number {
    this.#outlet.tell({ type: "failed", reason: `${this.#settings.name} was removed` });
    return 1;
  }

  // --- The end --------------------------------------------------------------------------------------------------------

  /** Takes in what was said: whether all is over. */
  #ended(): boolean {
    for (let line = this.#inlet.next(); line !== null; line = this.#inlet.next()) {
      const word = line as UserTunnelWord;
      if (word === "end") return true;
      if (word === "release") this.#released = true;
    }
    if (this.#inlet.over) {
      if (this.#door === null || this.#settings.engine === null) return true;
      this.#epoll.remove(STDIN);
      this.#released = true;
      this.#countDown();
    }
    return this.#succeeded();
  }

  /** Once neither control nor engine is there, only another daemon can come. */
  #countDown(): void {
    if (this.#inlet.over && this.#engine < 0) this.#endAt = monotonicNs() + SUCCESSION;
  }

  /** Whether a successor has all there is: gives it to one that waits, as soon as it may. */
  #succeeded(): boolean {
    const door = this.#door;
    if (!this.#released || door === null || door.wanted === null) return false;
    if (door.wanted === "end") return true;
    if (this.#outbound.blocked) this.#outbound.flush();
    const sockets = this.#underlay === null ? [] : socketsOf(this.#underlay);
    return door.handOver(encodeInheritance(this.#settings, this.#gre), [this.#device.fd, ...sockets]);
  }

  /** Without it everything works but the succession. */
  #openDoor(): Door | null {
    try {
      return new Door(this.#settings.name, this.#epoll);
    } catch (error) {
      process.stderr.write(`appliance: ${(error as Error).message}\n`);
      return null;
    }
  }

  // --- Packets --------------------------------------------------------------------------------------------------------

  /** False when the device is gone. */
  #pumpOut(): boolean {
    const progress = this.#outbound.pump(this.#device.fd, this.#underlay);
    if ((progress === "blocked") !== this.#waiting) this.#await(progress === "blocked");
    return progress !== "gone";
  }

  /** While the socket is full the device is left alone, so that its own queue tells the senders to slow down. */
  #await(room: boolean): void {
    this.#waiting = room;
    this.#epoll.modify(this.#device.fd, room ? 0 : EPOLLIN);
    const underlay = this.#underlay;
    if (underlay === null) return;
    this.#epoll.modify(underlay.fd, room && this.#outbound.fd === underlay.fd ? EPOLLIN | EPOLLOUT : EPOLLIN);
    if (underlay.unfragmentedFd !== underlay.fd) {
      const wanted = room && this.#outbound.fd === underlay.unfragmentedFd;
      this.#epoll.modify(underlay.unfragmentedFd, wanted ? EPOLLOUT : 0);
    }
  }

  // --- Once a second ------------------------------------------------------------------------------------------------

  #tick(): void {
    const reason = this.#connect();
    if (reason === null) this.#measure(this.#underlay!);
    this.#tell(reason);
    const counters = this.#counters.changes();
    this.#outlet.tell(counters === null ? { type: "alive" } : { type: "counters", counters });
    // Somebody else's remark on the device would hide us from those that come.
    if (this.#released) this.#mark();
    this.#timer.arm(Math.min(monotonicNs() + (reason === null ? TICK : RETRY), this.#endAt));
  }

  #mark(): void {
    try {
      this.#door?.mark();
    } catch {
      // The interface is being removed, which is noticed elsewhere.
    }
  }

  /** Sees to it that there is an underlay: why there is none, or null. */
  #connect(): string | null {
    if (this.#underlay !== null) {
      const reason = checkUnderlay(this.#underlay, this.#settings);
      if (reason === null) return null;
      this.#disconnect(this.#underlay);
    }
    try {
      this.#use(openUnderlay(this.#settings), true);
      return null;
    } catch (error) {
      return (error as Error).message;
    }
  }

  /** @param leads Whether the far end is to be led to our numbers. */
  #use(underlay: Underlay, leads: boolean): void {
    this.#underlay = underlay;
    this.#epoll.add(underlay.fd);
    if (underlay.unfragmentedFd !== underlay.fd) this.#epoll.add(underlay.unfragmentedFd, 0);
    this.#leads = leads ? LEADS : 0;
    this.#overflows = overflows(underlay);
  }

  #disconnect(underlay: Underlay): void {
    this.#epoll.remove(underlay.fd);
    if (underlay.unfragmentedFd !== underlay.fd) this.#epoll.remove(underlay.unfragmentedFd);
    this.#underlay = null;
    this.#outbound.reset();
    if (this.#waiting) this.#await(false);
    closeUnderlay(underlay);
  }

  #measure(underlay: Underlay): void {
    this.#counters.drop("remote", countStrays(underlay));
    const lost = overflows(underlay);
    this.#counters.drop("overflow", lost - this.#overflows);
    this.#overflows = lost;
    this.#fit(underlay);
    if (this.#leads > 0) {
      this.#leads--;
      this.#outbound.lead(underlay, stableMac(this.#settings));
    }
  }

  /** Makes the device's packets fit the path, unless their size is configured. */
  #fit(underlay: Underlay): void {
    if (this.#settings.mtu !== null) return;
    try {
      const wanted = Math.max(LEAST_MTU, pathMtu(underlay, this.#settings) - this.#overhead);
      if (wanted === this.#device.mtu) return;
      setInterfaceMtu(this.#settings.name, wanted);
      this.#device.mtu = wanted;
    } catch {
      // The interface is down or being removed, which is noticed elsewhere; the next second tries again.
    }
  }

  #tell(reason: string | null): void {
    const { mtu } = this.#device;
    const told = `${reason} ${mtu}`;
    if (told === this.#told) return;
    // Told first: the carrier is an event that others hear, who then ask what was told.
    if (this.#outlet.tell({ type: "state", up: reason === null, reason, mtu })) this.#told = told;
    setTunCarrier(this.#device.fd, reason === null);
  }

  close(): void {
    if (this.#underlay !== null) closeUnderlay(this.#underlay);
    closeFd(this.#device.fd);
    // Last: who waits there for our end finds the device gone.
    this.#door?.close();
  }
}

/**
 * `appliance tunnel`: reads {@link UserTunnelSettings} as one JSON line from standard input, then moves packets until
 * it hears a {@link UserTunnelWord} or its successor takes over; tells {@link UserTunnelReport}s, one JSON line each, on
 * standard output. Returns the exit code: 0 when it was to end, 1 when it could not work (told before).
 */
export function runUserTunnel(): number {
  // A signal to the whole group (^C, a service manager) must not cut the tunnel before the daemon has handed over what
  // runs through it.
  ignoreSignals([SIGINT, SIGTERM, SIGHUP, SIGPIPE]);
  const inlet = new Inlet();
  const line = inlet.next();
  if (line === null) return 0;
  setNonBlocking(STDIN);
  setNonBlocking(STDOUT);
  const outlet = new Outlet();
  try {
    const tunnel = new UserTunnel(JSON.parse(line) as UserTunnelSettings, inlet, outlet);
    try {
      return tunnel.run();
    } finally {
      tunnel.close();
    }
  } catch (error) {
    outlet.tell({ type: "failed", reason: (error as Error).message });
    return 1;
  }
}
