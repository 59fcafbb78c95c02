/**
 * The real keepalived as the other router, in both roles: authentication headers, IPv6, sync groups of two. The scenarios
 * run at the same time, each in switches of its own, because version 2 counts in seconds.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { type Form, keepalivedFile, ourFile, type Side } from "./interop/config.ts";
import { longestOverlap } from "./interop/masters.ts";
import {
  type Appliance,
  type Capture,
  createLab,
  describeLab,
  droppedOf,
  holds,
  type InstanceStatus,
  type Keepalived,
  type Lab,
  type LabNode,
  must,
  nowMs,
  type SeenAdvert,
  waitFor,
} from "./lab.ts";

const FORMS: readonly Form[] = [
  { name: "v2-ah", version: 2, family: "ipv4", ah: "s3cret" },
  { name: "v2-ah-unicast", version: 2, family: "ipv4", ah: "s3cret", unicast: true },
  { name: "v3-ipv6", version: 3, family: "ipv6" },
  { name: "v3-ipv6-unicast", version: 3, family: "ipv6", unicast: true },
  { name: "v3-group", version: 3, family: "ipv4", group: true },
];

/** What a scenario found; judged by the test of its name. */
interface Outcome {
  readonly instances: readonly InstanceStatus[];
  readonly dropped: number;
  /** Packets that keepalived refused. */
  readonly refused: number;
  /** One list a segment. */
  readonly adverts: readonly (readonly SeenAdvert[])[];
  readonly captures: readonly string[];
  /** Our hardware addresses. */
  readonly macs: readonly string[];
  readonly times: Readonly<Record<string, number>>;
  /** When the follower was started beside the living leader. */
  readonly followerBackMs: number;
}

class Scenario {
  readonly #ours: LabNode;
  readonly #theirs: LabNode;
  readonly #times: Record<string, number> = {};
  readonly #priority: number;
  readonly #intervalMs: number;
  readonly #vips: readonly string[];
  #appliance: Appliance | null = null;
  #keepalived: Keepalived | null = null;
  #dropped = 0;
  #refused = 0;

  constructor(lab: Lab, readonly form: Form, readonly weLead: boolean) {
    const name = `${form.name}-${weLead ? "lead" : "follow"}`;
    const [first, second] = [lab.switch(`${name}-l0`), form.group ? lab.switch(`${name}-l1`) : null];
    const machine = (side: Side, last: number) => {
      const addresses = (net: number) =>
        form.family === "ipv4" ? [`10.${net}.0.${last}/24`] : [`2001:db8:${net}::${last}/64`];
      const node = lab.node(`${name}-${side}`, { switch: first, addresses: addresses(0) });
      if (second !== null) node.plug({ device: "eth1", switch: second, addresses: addresses(1) });
      return node;
    };
    this.#ours = machine("ours", 1);
    this.#theirs = machine("theirs", 2);
    this.#priority = weLead ? 150 : 100;
    this.#intervalMs = form.version === 2 ? 1000 : 100;
    this.#vips = form.family === "ipv6"
      ? ["fe80::100", "2001:db8::100"]
      : form.group
      ? ["10.0.0.100", "10.1.0.100"]
      : ["10.0.0.100"];
  }

  get #leader(): LabNode {
    return this.weLead ? this.#ours : this.#theirs;
  }

  get #follower(): LabNode {
    return this.weLead ? this.#theirs : this.#ours;
  }

  get #log(): string {
    return `${this.#appliance?.log}\n--- keepalived ---\n${this.#keepalived?.log}`;
  }

  async #startOurs(): Promise<void> {
    this.#appliance = await this.#ours.startAppliance(ourFile(this.form, this.#priority));
  }

  #startTheirs(): void {
    this.#keepalived = this.#theirs.startKeepalived(keepalivedFile(this.form, 250 - this.#priority));
  }

  async #start(node: LabNode): Promise<void> {
    if (node === this.#ours) await this.#startOurs();
    else this.#startTheirs();
  }

  /** Adds up what either side has refused; to be called before it goes. */
  async #count(node: LabNode): Promise<void> {
    if (node === this.#theirs) this.#refused += await this.#keepalived!.refused();
    else {for (const instance of (await this.#appliance!.status()).instances) {
        this.#dropped += droppedOf(instance);
      }}
  }

  async #stop(node: LabNode): Promise<void> {
    await this.#count(node);
    await (node === this.#ours ? this.#appliance!.stop() : this.#keepalived!.stop());
  }

  /** Whether a node has all of the virtual addresses, none (false), or some (null). */
  #holds(node: LabNode): boolean | null {
    const text = must(["ip", "-n", node.namespace, "-o", "addr", "show"]);
    const held = this.#vips.filter((vip) => text.includes(` ${vip}/`)).length;
    return held === this.#vips.length ? true : held === 0 ? false : null;
  }

  /** Waits until `node` alone has the addresses, and notes how long that took. */
  async #served(node: LabNode, step: string, boundMs: number): Promise<void> {
    const other = node === this.#ours ? this.#theirs : this.#ours;
    const since = nowMs();
    await waitFor(() => this.#holds(node) === true && this.#holds(other) === false, {
      timeoutMs: boundMs,
      what: `${node.name} to have the addresses, and it alone (${step})`,
      everyMs: this.#intervalMs / 4,
      explain: () => this.#log,
    });
    this.#times[step] = Math.round(nowMs() - since);
  }

  async run(): Promise<Outcome> {
    const interval = this.#intervalMs;
    const skew = (priority: number) => (256 - priority) / 256 * interval;
    const down = (priority: number) => 3 * interval + skew(priority);
    // Starting a daemon and noticing what happened, on a machine that does a dozen of these at once.
    const slack = 1000;
    const leader = this.#leader;
    const follower = this.#follower;
    const wires: Capture[] = [];
    for (const device of this.form.group ? ["eth0", "eth1"] : ["eth0"]) {
      wires.push(await this.#ours.capture(device, "ip proto 112 or ip proto 51 or ip6 proto 112"));
    }
    await this.#start(follower);
    await this.#served(follower, "alone", down(100) + slack + 500);
    await this.#start(leader);
    await this.#served(leader, "preempted", down(150) + slack);

    const goodbye = this.#stop(leader);
    await this.#served(follower, "stopped", skew(100) + slack);
    await goodbye;
    await this.#start(leader);
    await this.#served(leader, "returned", down(150) + slack);

    if (this.form.group) await this.#losesOneLink(down, slack);

    if (this.weLead) await this.#appliance!.killHard();
    else {
      await this.#count(leader);
      // A killed keepalived leaves its addresses behind; without its link it cannot mislead anyone.
      for (const device of leader.ports.keys()) leader.isolate(device);
      await this.#keepalived!.killHard();
      for (const [index, vip] of this.#vips.entries()) {
        const length = this.form.family === "ipv6" ? 64 : 24;
        leader.ip(`addr del ${vip}/${length} dev eth${this.form.group ? index : 0}`);
      }
    }
    // Ours lets go of the addresses when their lease is over.
    await waitFor(() => this.#holds(follower) === true, {
      timeoutMs: down(100) + slack,
      what: "the follower to take over from the dead",
      explain: () => this.#log,
    });
    await this.#served(follower, "killed", 4000);
    for (const device of leader.ports.keys()) leader.heal(device);
    await this.#start(leader);
    await this.#served(leader, "returned from the dead", down(150) + slack);

    // The follower goes and comes back: nobody notices, and it never thinks that it is alone.
    await this.#stop(follower);
    await this.#served(leader, "still", 500);
    const followerBackMs = nowMs();
    await this.#start(follower);
    await holds(() => this.#holds(leader) === true && this.#holds(follower) === false, {
      forMs: down(100) + slack,
      what: `${leader.name} stays the one master`,
      everyMs: 100,
    });
    await Promise.all([this.#count(this.#ours), this.#count(this.#theirs)]);
    for (const wire of wires) await wire.stop();
    const { instances } = await this.#appliance!.status();
    return {
      instances,
      dropped: this.#dropped,
      refused: this.#refused,
      adverts: wires.map((wire) => wire.adverts()),
      captures: wires.map(({ path }) => path),
      macs: [...this.#ours.ports.keys()].map((device) => this.#ours.mac(device)),
      times: this.#times,
      followerBackMs,
    };
  }

  /** One of the group's links fails: the whole group moves, and comes back with it. */
  async #losesOneLink(down: (priority: number) => number, slack: number): Promise<void> {
    const leader = this.#leader;
    leader.unplug("eth1");
    await this.#served(this.#follower, "one link lost", down(100) + slack);
    leader.replug("eth1");
    await this.#served(leader, "the link is back", down(150) + slack);
  }
}

/** Packets whose checksums tshark does not find good. */
function badChecksums(path: string): string {
  const bad = "vrrp.checksum.status != 1 || ip.checksum.status == 0";
  return must(["tshark", "-n", "-r", path, "-o", "ip.check_checksum:TRUE", "-Y", bad]);
}

describeLab("keepalived as the other router: AH, IPv6, groups", ["keepalived", "tcpdump", "tshark"], () => {
  let lab: Lab;
  const outcomes = new Map<string, Promise<Outcome>>();
  const ROLES = [true, false];

  beforeAll(() => {
    lab = createLab("interop");
    for (const form of FORMS) {
      for (const weLead of ROLES) {
        const outcome = new Scenario(lab, form, weLead).run();
        outcome.catch(() => {});
        outcomes.set(`${form.name} ${weLead}`, outcome);
      }
    }
  }, 20_000);
  afterAll(() => lab.close(), 30_000);

  for (const form of FORMS) {
    for (const weLead of ROLES) {
      test(`${form.name}: ${weLead ? "we lead" : "keepalived leads"}`, async () => {
        const outcome = await outcomes.get(`${form.name} ${weLead}`)!;
        const { instances, adverts: segments, times, followerBackMs } = outcome;
        console.log(
          `${form.name}, ${weLead ? "we lead" : "keepalived leads"}: ms until served`,
          JSON.stringify(times),
        );
        expect(outcome.dropped, JSON.stringify(instances)).toBe(0);
        expect(outcome.refused).toBe(0);
        for (const instance of instances) {
          expect(instance.master?.priority).toBe(150);
          expect(instance.state).toBe(weLead ? "master" : "backup");
        }
        for (const [segment, adverts] of segments.entries()) {
          const senders = [...new Set(adverts.map(({ from }) => from))];
          expect(senders).toHaveLength(2);
          const leading = adverts.find(({ priority }) => priority === 150)!.from;
          const later = adverts.filter(({ atMs, priority }) => atMs > followerBackMs && priority > 0);
          expect([...new Set(later.map(({ from }) => from))]).toEqual([leading]);
          expect(adverts.every(({ version }) => version === form.version)).toBe(true);
          expect(adverts.every(({ priority }) => [0, 100, 150].includes(priority))).toBe(true);
          const overlap = longestOverlap(adverts, form.version === 2 ? 1000 : 100);
          expect(overlap, "two masters, ms").toBeLessThan(100);
          expect(badChecksums(outcome.captures[segment]!)).toBe("");
          const texts = adverts.map(({ text }) => text);
          expect(texts.find((text) => /bad (vrrp )?cksum/.test(text))).toBeUndefined();
          // keepalived's own unicast leaves with the system's hop limit.
          const mine = texts.filter((text) => text.includes(` ${outcome.macs[segment]} > `));
          expect(mine.length).toBeGreaterThan(2);
          expect(mine.find((text) => !/(hlim|ttl) 255,/.test(text))).toBeUndefined();
          const destinations = [...new Set(adverts.map(({ to }) => to))].sort();
          if (form.unicast) expect(destinations).toEqual(senders.sort());
          else expect(destinations).toEqual([form.family === "ipv6" ? "ff02::12" : "224.0.0.18"]);
        }
      }, 60_000);
    }
  }
});
