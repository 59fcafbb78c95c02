/**
 * One machine of a fuzzed cluster: what it should be by its config, and how that differs from what the kernel holds and
 * the daemon says.
 *
 * @module
 */
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fetchUnix } from "../../../lib/runtime/fetch.ts";
import type { Appliance, InstanceStatus, LabNode, StatusDocument } from "../lab.ts";
import { carrierOf, families, labelOf, priorityOn, render, vmacsOf } from "./config.ts";
import { companions, type Plan, type Router, STATIC, type Vip } from "./plan.ts";

/** What our routes and rules are marked with. */
const PROTOCOL = "112";
const FOREVER = 4294967295;

/** An address as the kernel shows it. */
export interface Held {
  readonly device: string;
  /** `10.0.0.100/24`. */
  readonly address: string;
  readonly label: string | null;
  readonly leased: boolean;
}

interface Shown extends InstanceStatus {
  readonly extra: readonly string[];
  readonly routes: readonly string[];
  readonly rules: readonly string[];
  readonly problems: readonly string[];
  readonly group: string | null;
  readonly families: readonly string[];
}

/** The status document with what the tests of reloads look at besides. */
export interface Document extends Omit<StatusDocument, "instances"> {
  readonly instances: readonly Shown[];
  readonly groups: readonly { readonly name: string; readonly members: readonly string[] }[];
  readonly maintenance: boolean;
}

function shareFamily(before: Plan, was: Router, after: Plan, is: Router): boolean {
  return families(before, was).split(",").some((one) => families(after, is).split(",").includes(one));
}

export class Side {
  daemon!: Appliance;
  /** Probes whose file is there. */
  readonly up = new Set<string>();
  /** Those that are released. */
  held = new Set<number>();
  maintenance = false;
  /** An interface was made anew, or addresses of the machine's own: they may stand behind virtual ones. */
  shuffled = false;
  /** Addresses that the kernel told to be deleted, as `eth0 10.0.0.100/24`, until they are forgotten. */
  readonly deleted: string[] = [];
  #round = 0;
  /** How much of what the daemon told is known. */
  #read = 0;

  constructor(readonly node: LabNode, readonly index: number, readonly own: readonly string[]) {}

  /** Starts a daemon that knows nothing of those before. */
  async start(plan: Plan): Promise<void> {
    this.up.clear();
    this.held.clear();
    this.maintenance = false;
    this.shuffled = false;
    this.#round++;
    await this.#launch(plan, []);
    for (const name of plan.probes) this.setProbe(name, true);
  }

  /** Starts the daemon anew in its directory. */
  async again(plan: Plan, flags: readonly string[]): Promise<void> {
    const before = this.daemon;
    await this.#launch(plan, flags);
    await before.process.ended;
  }

  async #launch(plan: Plan, flags: readonly string[]): Promise<void> {
    const name = `${this.node.name}-${this.#round}`;
    const yaml = render(plan, this.index, join(this.node.lab.directory, name));
    this.daemon = await this.node.startAppliance(yaml, { name, flags });
  }

  setProbe(name: string, up: boolean): void {
    const path = join(this.daemon.directory, name);
    if (up) writeFileSync(path, "");
    else rmSync(path, { force: true });
    if (up) this.up.add(name);
    else this.up.delete(name);
  }

  /** Asks for something by the API; throws unless it was done. */
  async ask(path: string, body: unknown = {}): Promise<void> {
    const response = await fetchUnix(this.daemon.socketPath, path, {
      method: "POST",
      body: JSON.stringify(body),
      keepalive: false,
      signal: AbortSignal.timeout(10_000),
    });
    if (!response.ok) throw new Error(`POST ${path}: ${response.status} ${await response.text()}`);
  }

  /** Writes the config, for the next reload. */
  write(plan: Plan): void {
    this.daemon.writeConfig(render(plan, this.index, this.daemon.directory));
  }

  /** What is released once this plan has taken the place of that one. */
  inherit(before: Plan, after: Plan): void {
    const held = new Set<number>();
    const names = new Set<string>();
    for (const router of before.routers.filter(({ id }) => this.held.has(id))) {
      const heir = after.routers.find(({ id }) => id === router.id);
      const goesOn = heir !== undefined && shareFamily(before, router, after, heir);
      if (goesOn) held.add(router.id);
      else names.add(router.name);
    }
    for (const router of after.routers) {
      const old = before.routers.find(({ id }) => id === router.id);
      const ran = old !== undefined && shareFamily(before, old, after, router);
      if (!ran && names.has(router.name)) held.add(router.id);
    }
    this.hold(after, held);
  }

  /** Releases these, and what moves together with them. */
  hold(plan: Plan, ids: ReadonlySet<number>): void {
    this.held = new Set(
      plan.routers.filter((router) => companions(plan, router).some(({ id }) => ids.has(id)))
        .map(({ id }) => id),
    );
  }

  /** Whether a router may take part. */
  mayLead(plan: Plan, router: Router): boolean {
    const isWell = (id: number) => {
      const leader = plan.routers.find((other) => other.id === id);
      return leader === undefined || this.mayLead(plan, leader);
    };
    return !this.maintenance &&
      companions(plan, router).every(({ id, probe, follows }) =>
        !this.held.has(id) && (probe === null || probe.weight !== 0 || this.up.has(probe.name)) &&
        (follows === null || isWell(follows))
      );
  }

  priority(router: Router): number {
    const { probe } = router;
    const base = priorityOn(router, this.index);
    if (probe === null) return base;
    const up = this.up.has(probe.name);
    return base + (up === probe.weight > 0 ? probe.weight : 0);
  }

  async document(): Promise<Document> {
    return await this.daemon.status() as unknown as Document;
  }

  /** Gives the machine back of its own what the kernel took away with a virtual address. */
  mend(): void {
    const there = this.addresses().map(({ device, address }) => `${device} ${address}`);
    for (const lost of this.own.filter((one) => !there.includes(one))) {
      const [device, address] = lost.split(" ");
      this.node.ip(`addr replace ${address} dev ${device}`);
      this.shuffled = true;
    }
  }

  // --- What the kernel holds ----------------------------------------------------------------------------------------

  addresses(): Held[] {
    const { stdout } = this.node.exec(["ip", "-j", "addr", "show"]);
    const links = JSON.parse(stdout || "[]") as {
      ifname: string;
      addr_info: {
        local: string;
        prefixlen: number;
        scope: string;
        label?: string;
        valid_life_time: number;
      }[];
    }[];
    return links.filter(({ ifname }) => ifname !== "lo").flatMap(({ ifname: device, addr_info }) =>
      addr_info.filter(({ scope }) => scope !== "link").map((entry): Held => ({
        device,
        address: `${entry.local}/${entry.prefixlen}`,
        label: entry.label === undefined || entry.label === device ? null : entry.label,
        leased: entry.valid_life_time !== FOREVER,
      }))
    );
  }

  /** Interfaces that were made. */
  #links(): string[] {
    const { stdout } = this.node.exec(["ip", "-j", "link", "show", "type", "macvlan"]);
    return (JSON.parse(stdout || "[]") as { ifname?: string }[]).flatMap(({ ifname }) => ifname ?? []);
  }

  #routes(): string[] {
    return ["-4", "-6"].flatMap((family) => {
      const { stdout } = this.node.exec([
        "ip",
        "-j",
        "-d",
        family,
        "route",
        "show",
        "table",
        "all",
        "proto",
        PROTOCOL,
      ]);
      const routes = JSON.parse(stdout || "[]") as {
        dst: string;
        type: string;
        gateway?: string;
        dev?: string;
      }[];
      return routes.map(({ dst, type, gateway, dev }) =>
        type === "blackhole" ? `${dst} blackhole` : `${dst} ${gateway} ${dev}`
      );
    });
  }

  #rules(): string[] {
    const { stdout } = this.node.exec(["ip", "rule", "show"]);
    return stdout.split("\n").map((line) => line.replaceAll(/\s+/g, " ").trim()).filter((line) =>
      line !== "" && !/^(0|32766|32767): from all lookup (local|main|default)$/.test(line)
    ).map((line) => line.replace(` proto ${PROTOCOL}`, ""));
  }

  /** Addresses for which packets are dropped. */
  #guarded(): string[] {
    const { stdout } = this.node.exec(["nft", "list", "ruleset"]);
    const elements = [...stdout.matchAll(/elements = \{([^}]*)\}/g)].map(([, list]) => list!).join(",");
    return [...new Set(elements.match(/(?<![\w.:])([0-9]+(\.[0-9]+){3}|[0-9a-f]+:[0-9a-f:]+)(?![\w.:])/g))];
  }

  /** How the kernel differs from nothing but what the machine has itself. */
  leftovers(): string[] {
    return [
      ...differ("address", this.addresses().map(({ device, address }) => `${device} ${address}`), this.own),
      ...differ("route", this.#routes(), []),
      ...differ("rule", this.#rules(), []),
      ...differ("guarded", this.#guarded(), []),
      ...differ("interface", this.#links(), []),
    ];
  }

  /** Leaves nothing of a daemon that was killed. */
  clean(): void {
    for (const name of this.#links()) this.node.exec(["ip", "link", "del", name]);
    for (const family of ["-4", "-6"]) {
      const stdin = `route flush table all proto ${PROTOCOL}\nrule flush protocol ${PROTOCOL}\n`;
      this.node.exec(["ip", family, "-force", "-batch", "-"], { stdin });
    }
    this.node.restore();
  }

  /** Forgets what was deleted and told so far. */
  forget(): void {
    this.deleted.length = 0;
    this.#read = this.daemon.process.stderr.length;
  }

  /** What the daemon has told since. */
  told(): string[] {
    return this.daemon.process.stderr.slice(this.#read).split("\n");
  }

  /** Notes which addresses are deleted from now on. */
  watchDeletions(): void {
    const stamp = /^Deleted \d+: (\S+)\s+inet6? (\S+)/;
    this.node.spawn(["ip", "-o", "monitor", "address"], (line) => {
      const found = stamp.exec(line);
      if (found !== null) this.deleted.push(`${found[1]} ${found[2]}`);
    });
  }

  /** How the kernel and the status document differ from what this plan wants, where these routers are master. */
  async differences(plan: Plan, masters: ReadonlySet<number>): Promise<string[]> {
    const holds = ({ owner }: { readonly owner: number | null }) =>
      owner === STATIC || (owner !== null && masters.has(owner));
    const leaseOf = ({ owner }: Vip) => plan.routers.find(({ id }) => id === owner)?.lease ?? "off";
    const wantedAddresses = plan.vips.filter(holds).map((vip) =>
      text({
        device: carrierOf(plan, vip),
        address: `${vip.address}/${vip.prefix}`,
        label: labelOf(plan, vip),
        leased: leaseOf(vip) !== "off",
      })
    );
    const mine = this.own.map((one) => {
      const [device, address] = one.split(" ");
      return text({ device: device!, address: address!, label: null, leased: false });
    });
    const ways = (kind: "routes" | "rules") =>
      plan.ways.filter((way) => way.kind === kind && holds(way)).map(({ shown }) => shown);
    const closed = plan.routers.filter(({ accept }) => !accept).map(({ id }) => id);
    const guarded = plan.vips.filter(({ owner }) => owner !== null && closed.includes(owner)).map((
      { address },
    ) => address);
    const found = [
      ...differ("address", this.addresses().map(text), [...mine, ...wantedAddresses]),
      ...differ("route", this.#routes(), ways("routes")),
      ...differ("rule", this.#rules(), ways("rules")),
      ...differ("guarded", this.#guarded(), guarded),
      ...differ("interface", this.#links(), plan.routers.flatMap((router) => vmacsOf(plan, router))),
      ...this.#judge(await this.document(), plan, masters),
    ];
    const health = await this.daemon.get("/healthz");
    const { healthy, problems } = await health.json() as { healthy: boolean; problems: string[] };
    if (healthy !== (problems.length === 0) || health.status !== (healthy ? 200 : 503)) {
      found.push(`healthz is ${health.status} ${healthy}: ${problems.join("; ")}`);
    }
    return found.map((line) => `${this.node.name}: ${line}`);
  }

  #judge(document: Document, plan: Plan, masters: ReadonlySet<number>): string[] {
    const { instances, probes, groups, problems, maintenance } = document;
    const found = differ("instance", instances.map(({ name }) => name), plan.routers.map(({ name }) => name));
    if (found.length > 0) return found;
    if (maintenance !== this.maintenance) found.push(`maintenance is ${maintenance}`);
    const expected: string[] = [];
    for (const router of plan.routers) {
      const shown = instances.find(({ name }) => name === router.name)!;
      const state = masters.has(router.id) ? "master" : this.mayLead(plan, router) ? "backup" : "fault";
      if (state === "fault") expected.push(`instance ${router.name} is in fault`);
      const of = (extra: boolean) =>
        plan.vips.filter((vip) => vip.owner === router.id && vip.extra === extra)
          .map(({ address, prefix }) => `${address}/${prefix}`);
      const ways = (kind: string) => plan.ways.filter((way) => way.owner === router.id && way.kind === kind);
      const want = {
        state,
        vrid: router.vrid,
        interface: router.device,
        group: router.group,
        base: priorityOn(router, this.index),
        effective: this.priority(router),
        families: families(plan, router),
        addresses: of(false).sort().join(),
        extra: of(true).sort().join(),
        routes: ways("routes").length,
        rules: ways("rules").length,
        problems: "",
      };
      const is: typeof want = {
        state: shown.state as typeof state,
        vrid: shown.vrid,
        interface: shown.interface,
        group: shown.group,
        base: shown.priority.base,
        effective: shown.priority.effective,
        families: shown.families.map((family) => family.at(-1)).sort().join(),
        addresses: [...shown.addresses].sort().join(),
        extra: [...shown.extra].sort().join(),
        routes: shown.routes.length,
        rules: shown.rules.length,
        problems: shown.problems.join("; "),
      };
      for (const key of Object.keys(want) as (keyof typeof want)[]) {
        if (is[key] !== want[key]) {
          found.push(`${router.name} has ${key} ${is[key]}, not ${want[key]} (${shown.reason})`);
        }
      }
    }
    const wanted = plan.probes.map((name) => `${name} ${this.up.has(name) ? "up" : "down"}`);
    found.push(...differ("probe", probes.map(({ name, state }) => `${name} ${state}`), wanted));
    const members = Map.groupBy(plan.routers.filter(({ group }) => group !== null), ({ group }) => group!);
    found.push(...differ(
      "group",
      groups.map((group) => `${group.name} ${[...group.members].sort().join()}`),
      [...members].map(([name, those]) => `${name} ${those.map((router) => router.name).sort().join()}`),
    ));
    const tracked = new Set(plan.routers.flatMap(({ probe }) => probe === null ? [] : [probe.name]));
    for (const name of tracked) if (!this.up.has(name)) expected.push(`probe ${name} is down`);
    found.push(...differ("problem", problems.map((one) => one.split(":")[0]!), expected));
    return found;
  }
}

function text({ device, address, label, leased }: Held): string {
  return `${device} ${address}${label === null ? "" : ` ${label}`}${leased ? " leased" : ""}`;
}

/** What is too much and what is missing, in words. */
function differ(what: string, is: readonly string[], wanted: readonly string[]): string[] {
  const [have, want] = [new Map<string, number>(), new Map<string, number>()];
  for (const one of is) have.set(one, (have.get(one) ?? 0) + 1);
  for (const one of wanted) want.set(one, (want.get(one) ?? 0) + 1);
  return [...new Set([...is, ...wanted])].flatMap((one) => {
    const over = (have.get(one) ?? 0) - (want.get(one) ?? 0);
    return over === 0 ? [] : [`${what} ${one} is ${over > 0 ? "too much" : "missing"}`];
  });
}
