/**
 * The real keepalived as the other router, in both roles: every form in which people run it. The scenarios run at the
 * same time, each in a switch of its own, because version 2 counts in seconds.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import {
  type Appliance,
  createLab,
  describeLab,
  droppedOf,
  holds,
  type InstanceStatus,
  type Keepalived,
  keepalivedConf,
  type Lab,
  type LabNode,
  nowMs,
  type SeenAdvert,
  waitFor,
  webYaml,
} from "./lab.ts";

const OURS = "10.0.0.1";
const THEIRS = "10.0.0.2";
const VIP = "10.0.0.100";

interface Form {
  readonly name: string;
  readonly version: 2 | 3;
  readonly unicast?: boolean;
  readonly password?: string;
  /** Keys for our side beyond the defaults. */
  readonly keys?: Readonly<Record<string, unknown>>;
}

const FORMS: readonly Form[] = [
  { name: "v2", version: 2 },
  { name: "v2-pass", version: 2, password: "s3cret" },
  { name: "v2-unicast", version: 2, unicast: true },
  { name: "v3", version: 3 },
  { name: "v3-unicast", version: 3, unicast: true },
  { name: "v3-pseudo", version: 3, keys: { checksum: "pseudo" } },
  { name: "v3-rfc-handover", version: 3, keys: { handover: "rfc", checksum: "pseudo" } },
];

/** What a scenario found; judged by the test of its name. */
interface Outcome {
  readonly instance: InstanceStatus;
  readonly adverts: readonly SeenAdvert[];
  readonly times: Readonly<Record<string, number>>;
  /** When the follower was started beside the living leader. */
  readonly followerBackMs: number;
}

class Scenario {
  readonly ours: LabNode;
  readonly theirs: LabNode;
  readonly times: Record<string, number> = {};
  readonly ourPriority: number;
  followerBackMs = 0;
  appliance: Appliance | null = null;
  keepalived: Keepalived | null = null;

  constructor(lab: Lab, readonly form: Form, readonly weLead: boolean) {
    const name = `${form.name}-${weLead ? "lead" : "follow"}`;
    const lan = lab.switch(`${name}-lan`);
    this.ours = lab.node(`${name}-ours`, { switch: lan, addresses: [`${OURS}/24`] });
    this.theirs = lab.node(`${name}-theirs`, { switch: lan, addresses: [`${THEIRS}/24`] });
    this.ourPriority = weLead ? 150 : 100;
  }

  get leader(): LabNode {
    return this.weLead ? this.ours : this.theirs;
  }

  get follower(): LabNode {
    return this.weLead ? this.theirs : this.ours;
  }

  get log(): string {
    return `${this.appliance?.log}\n--- keepalived ---\n${this.keepalived?.log}`;
  }

  async startOurs(): Promise<void> {
    const { version, unicast, password, keys } = this.form;
    this.appliance = await this.ours.startAppliance(webYaml(this.ourPriority, {
      version,
      ...(version === 2 ? { advert_interval: "1s" } : {}),
      // The same list on every router: the own address in it is no peer.
      ...(unicast ? { peers: [OURS, THEIRS] } : {}),
      ...(password === undefined ? {} : { auth: { type: "pass", key: password } }),
      ...keys,
    }));
  }

  startTheirs(): void {
    const { version, unicast, password } = this.form;
    this.keepalived = this.theirs.startKeepalived(keepalivedConf({
      version,
      priority: 250 - this.ourPriority,
      interval: version === 2 ? 1 : 0.1,
      vip: `${VIP}/24`,
      ...(unicast ? { unicast: { source: THEIRS, peer: OURS } } : {}),
      ...(password === undefined ? {} : { password }),
    }));
  }

  async startLeader(): Promise<void> {
    if (this.weLead) await this.startOurs();
    else this.startTheirs();
  }

  /** Waits until `node` alone has the address, and notes how long that took. */
  async served(node: LabNode, step: string, boundMs: number): Promise<void> {
    const other = node === this.ours ? this.theirs : this.ours;
    const since = nowMs();
    await waitFor(() => node.has(VIP) && !other.has(VIP), {
      timeoutMs: boundMs,
      what: `${node.name} to have the address, and it alone (${step})`,
      everyMs: 20,
      explain: () => this.log,
    });
    this.times[step] = Math.round(nowMs() - since);
  }

  async run(): Promise<Outcome> {
    const interval = this.form.version === 2 ? 1000 : 100;
    const skew = (priority: number) => (256 - priority) / 256 * interval;
    const down = (priority: number) => 3 * interval + skew(priority);
    // Starting a daemon and noticing what happened, on a machine that does a dozen of these at once.
    const slack = 1000;
    const wire = await this.theirs.capture("eth0", "ip proto 112");
    if (this.weLead) this.startTheirs();
    else await this.startOurs();
    await this.served(this.follower, "alone", down(100) + slack + 500);
    await this.startLeader();
    await this.served(this.leader, "preempted", down(150) + slack);

    const stopMs = nowMs();
    const goodbye = this.weLead ? this.appliance!.stop() : this.keepalived!.stop();
    await this.served(this.follower, "stopped", skew(100) + slack);
    await goodbye;
    expect(nowMs() - stopMs).toBeLessThan(5000);
    await this.startLeader();
    await this.served(this.leader, "returned", down(150) + slack);

    if (this.weLead) await this.appliance!.killHard();
    else {
      // A killed keepalived leaves its address behind; without its link it cannot mislead anyone.
      this.theirs.isolate();
      await this.keepalived!.killHard();
      this.theirs.ip(`addr del ${VIP}/24 dev eth0`);
    }
    // Ours lets go of the address when its lease is over.
    await waitFor(() => this.follower.has(VIP), {
      timeoutMs: down(100) + slack,
      what: "the follower to take over from the dead",
      explain: () => this.log,
    });
    await this.served(this.follower, "killed", 4000);
    this.theirs.heal();
    await this.startLeader();
    await this.served(this.leader, "returned from the dead", down(150) + slack);
    const master = (await this.appliance!.instance("web")).master;
    expect(master).toEqual({ address: this.weLead ? OURS : THEIRS, priority: 150 });

    // The follower dies and comes back: nobody notices, and it never thinks that it is alone.
    if (this.weLead) await this.keepalived!.stop();
    else await this.appliance!.stop();
    await this.served(this.leader, "still", 500);
    this.followerBackMs = nowMs();
    if (this.weLead) this.startTheirs();
    else await this.startOurs();
    await holds(() => this.leader.has(VIP) && !this.follower.has(VIP), {
      forMs: down(100) + slack,
      what: `${this.leader.name} stays the one master`,
      everyMs: 50,
    });
    await wire.stop();
    const instance = await this.appliance!.instance("web");
    return { instance, adverts: wire.adverts(), times: this.times, followerBackMs: this.followerBackMs };
  }
}

describeLab("keepalived as the other router", ["keepalived", "tcpdump"], () => {
  let lab: Lab;
  const outcomes = new Map<string, Promise<Outcome>>();
  const ROLES = [true, false];

  beforeAll(() => {
    lab = createLab("keepalived");
    for (const form of FORMS) {
      for (const weLead of ROLES) {
        const outcome = new Scenario(lab, form, weLead).run();
        outcome.catch(() => {});
        outcomes.set(`${form.name} ${weLead}`, outcome);
      }
    }
  }, 20_000);
  afterAll(() => lab.close(), 30_000);

  test("v3: a keepalived that starts beside our master, who has heard nobody yet, believes it", async () => {
    const lan = lab.switch("first-lan");
    const ours = lab.node("first-ours", { switch: lan, addresses: [`${OURS}/24`] });
    const theirs = lab.node("first-theirs", { switch: lan, addresses: [`${THEIRS}/24`] });
    const master = await ours.startAppliance(webYaml(150));
    await master.waitState("web", "master", 3000);
    const wire = await theirs.capture("eth0", "ip proto 112");
    theirs.startKeepalived(keepalivedConf({ version: 3, priority: 100, interval: 0.1, vip: `${VIP}/24` }));
    await holds(() => !theirs.has(VIP), { forMs: 2000, what: "keepalived is backup", everyMs: 50 });
    expect(wire.adverts(OURS).length).toBeGreaterThan(10);
    expect(wire.adverts(THEIRS)).toEqual([]);
  }, 15_000);

  for (const form of FORMS) {
    for (const weLead of ROLES) {
      test(`${form.name}: ${weLead ? "we lead" : "keepalived leads"}`, async () => {
        const { instance, adverts, times, followerBackMs } = await outcomes.get(`${form.name} ${weLead}`)!;
        console.log(
          `${form.name}, ${weLead ? "we lead" : "keepalived leads"}: ms until served`,
          JSON.stringify(times),
        );
        expect(droppedOf(instance), JSON.stringify(instance.adverts)).toBe(0);
        expect(instance.adverts.received + instance.adverts.sent).toBeGreaterThan(0);
        // Since then only the leader has spoken.
        const later = adverts.filter(({ atMs, priority }) => atMs > followerBackMs && priority > 0);
        expect([...new Set(later.map(({ from }) => from))]).toEqual([weLead ? OURS : THEIRS]);
        for (const from of [OURS, THEIRS]) {
          expect(adverts.filter((advert) => advert.from === from).length).toBeGreaterThan(2);
        }
        expect(adverts.filter(({ text }) => /bad (vrrp )?cksum/.test(text)).map(({ text }) => text)).toEqual(
          [],
        );
        expect(adverts.every(({ version }) => version === form.version)).toBe(true);
        const group = form.unicast ? [OURS, THEIRS] : ["224.0.0.18"];
        expect([...new Set(adverts.map(({ to }) => to))].sort()).toEqual(group);
      }, 60_000);
    }
  }
});
