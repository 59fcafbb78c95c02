/**
 * Which notify commands are run when: follows the routers as the engine tells of them, over reloads too.
 *
 * @module
 */
import type { InstanceReport, InstanceState } from "../bus/messages.ts";
import type { Config } from "../config/model.ts";
import { groupState } from "../group/view.ts";
import type { NotifyCommand, NotifyState, NotifySubject } from "../notify/model.ts";
import { notifyCommands, notifyState } from "../notify/step.ts";
import { identity, type VrrpConfig } from "../vrrp/config.ts";

/** What of a config matters here. */
export type NoticeConfig = Pick<Config, "vrrp" | "notify" | "groupNotify">;

/** What is known of a router or a group. */
interface Standing {
  readonly state: InstanceState;
  /** Effective; 0 for groups. */
  readonly priority: number;
  /** What its commands were told last; null = nothing yet. */
  readonly told: NotifyState | null;
}

/** Runs the commands of one subject (`INSTANCE web`, `GROUP site`) behind those that it was given before. */
export type RunCommands = (subject: string, state: NotifyState, commands: readonly NotifyCommand[]) => void;

export class Notices {
  readonly #run: RunCommands;
  #config: NoticeConfig;
  /** What was in force before, while the engine is asked for another. */
  #before: NoticeConfig | null = null;
  /** By name the routers that the engine has. */
  #routers: Map<string, VrrpConfig>;
  /** By identity those that are wanted. */
  #wanted: ReadonlyMap<string, VrrpConfig>;
  /** By identity. */
  readonly #standings = new Map<string, Standing>();
  readonly #groups = new Map<string, Standing>();

  constructor(config: NoticeConfig, run: RunCommands) {
    this.#run = run;
    this.#config = config;
    this.#routers = byName(config);
    this.#wanted = byIdentity(config);
  }

  /** The engine is about to be asked for this config: what it does from now on is told by it. */
  change(next: NoticeConfig): void {
    const before = this.#before = this.#config;
    this.#config = next;
    this.#wanted = byIdentity(next);
    // A name may go to another router: it is the old one's until the engine says that that one is gone.
    this.#routers = new Map([...byName(next), ...byName(before)]);
    for (const router of next.vrrp) {
      const known = this.#routers.get(router.name)!;
      if (identity(known) === identity(router)) this.#routers.set(router.name, router);
    }
  }

  /**
   * The engine has answered. Groups are what their members are now, and one that is no longer there is in FAULT.
   *
   * @param quiet All this was told before.
   */
  changed(ok: boolean, quiet: boolean = false): void {
    const before = this.#before ?? this.#config;
    if (!ok) this.#config = before;
    this.#before = null;
    this.#routers = byName(this.#config);
    this.#wanted = byIdentity(this.#config);
    for (const key of this.#standings.keys()) if (!this.#wanted.has(key)) this.#standings.delete(key);
    const groups = new Set(this.#config.vrrp.flatMap(({ group }) => group ?? []));
    for (const [group, { told }] of this.#groups) {
      if (groups.has(group)) continue;
      this.#groups.delete(group);
      if (takesPart(told)) this.#tell(before, "GROUP", group, "fault", 0);
    }
    for (const group of groups) this.#reviewGroup(group, quiet);
  }

  /**
   * A router has another state.
   *
   * @param quiet This was told before.
   */
  transition(name: string, state: InstanceState, priority: number, quiet: boolean = false): void {
    const router = this.#routers.get(name);
    if (router === undefined) return;
    this.#note(router, state, priority);
    const told = notifyState(state);
    // The two routers of a service with addresses of both families move together: one of them speaks.
    if (told !== null && !quiet && name === router.unit) {
      this.#tell(this.#configOf(router), "INSTANCE", name, told, priority);
    }
    if (router.group !== null) this.#reviewGroup(router.group, quiet);
  }

  /** What the engine shows of a router; whatever it did it has told before. */
  observe({ name, state, priority }: InstanceReport): void {
    const router = this.#routers.get(name);
    if (router !== undefined) this.#note(router, state, priority.effective);
  }

  /** No router has this name any more. One that is not just called otherwise is in FAULT, as with keepalived. */
  gone(name: string): void {
    const router = this.#routers.get(name);
    if (router === undefined) return;
    const heir = this.#config.vrrp.find((other) => other.name === name);
    if (heir === undefined) this.#routers.delete(name);
    else this.#routers.set(name, heir);

    const key = identity(router);
    if (this.#wanted.has(key)) return;
    const standing = this.#standings.get(key);
    this.#standings.delete(key);
    if (name !== router.unit || standing === undefined || !takesPart(standing.told)) return;
    const before = this.#before ?? this.#config;
    // An instance that goes on with the addresses of one family has not failed.
    const goesOn = before.vrrp.some((other) =>
      other.unit === name && this.#wanted.get(identity(other))?.unit === name
    );
    if (!goesOn) this.#tell(before, "INSTANCE", name, "fault", standing.priority);
  }

  /** The daemon ends. */
  stop(): void {
    for (const name of Object.keys(this.#config.notify)) {
      const router = this.#config.vrrp.find((other) => other.name === name)!;
      const { priority } = this.#standings.get(identity(router)) ?? router;
      this.#tell(this.#config, "INSTANCE", name, "stop", priority);
    }
    for (const name of Object.keys(this.#config.groupNotify)) {
      this.#tell(this.#config, "GROUP", name, "stop", 0);
    }
  }

  /** The config that a router is from. */
  #configOf(router: VrrpConfig): NoticeConfig {
    return this.#wanted.get(identity(router)) === router ? this.#config : this.#before ?? this.#config;
  }

  #note(router: VrrpConfig, state: InstanceState, priority: number): void {
    const key = identity(router);
    const told = notifyState(state) ?? this.#standings.get(key)?.told ?? null;
    this.#standings.set(key, { state, priority, told });
  }

  #reviewGroup(group: string, quiet: boolean): void {
    const members = this.#config.vrrp.filter((router) => router.group === group);
    if (members.length === 0) return;
    const state = groupState(
      members.map((member) => this.#standings.get(identity(member))?.state ?? "init"),
    );
    const before = this.#groups.get(group);
    if (before?.state === state) return;
    const told = notifyState(state);
    this.#groups.set(group, { state, priority: 0, told: told ?? before?.told ?? null });
    if (told !== null && !quiet) this.#tell(this.#config, "GROUP", group, told, 0);
  }

  #tell(
    { notify, groupNotify }: NoticeConfig,
    kind: NotifySubject["kind"],
    name: string,
    state: NotifyState,
    priority: number,
  ): void {
    const plans = kind === "GROUP" ? groupNotify : notify;
    if (!Object.hasOwn(plans, name)) return;
    // Scripts of a group and of an instance may have the same name, and need not wait for each other.
    this.#run(`${kind} ${name}`, state, notifyCommands(plans[name]!, { kind, name, priority }, state));
  }
}

function byName({ vrrp }: NoticeConfig): Map<string, VrrpConfig> {
  return new Map(vrrp.map((router) => [router.name, router]));
}

function byIdentity({ vrrp }: NoticeConfig): Map<string, VrrpConfig> {
  return new Map(vrrp.map((router) => [identity(router), router]));
}

/** Whether commands that were told this last have to hear of the end. */
function takesPart(told: NotifyState | null): boolean {
  return told === "master" || told === "backup";
}
