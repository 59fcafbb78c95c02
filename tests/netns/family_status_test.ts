/** An instance with addresses of both families is one thing wherever an operator looks, and so is a sync group. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import {
  type Appliance,
  createLab,
  describeLab,
  killAll,
  type Lab,
  type LabNode,
  VIP,
  waitFor,
  web,
  yamlOf,
} from "./lab.ts";

const VIP6 = "fd00:9::100";
const BOTH = [`${VIP}/24`, `${VIP6}/64`];

/** As far as it is new to the document. */
interface Entry {
  readonly name: string;
  readonly state: string;
  readonly reason: string;
  readonly family: string;
  readonly families: readonly string[];
  readonly group: string | null;
  readonly master: { readonly address: string; readonly priority: number } | null;
  readonly masters: readonly {
    readonly family: string;
    readonly address: string;
    readonly priority: number;
  }[];
  readonly addresses: readonly string[];
  readonly faults: readonly string[];
  readonly released: boolean;
  readonly transitions: number;
}

interface Document {
  readonly healthy: boolean;
  readonly problems: readonly string[];
  readonly instances: readonly Entry[];
  readonly groups: readonly {
    readonly name: string;
    readonly state: string;
    readonly members: readonly string[];
  }[];
}

const yaml = (priority: number) =>
  yamlOf({
    vrrp: {
      web: web(priority, { addresses: BOTH }),
      lan: web(priority, { vrid: 52, addresses: ["10.0.0.101/24"] }),
    },
    groups: { site: { members: ["web", "lan"] } },
  });

describeLab("both families", [], () => {
  let lab: Lab;
  let a: LabNode;
  let b: LabNode;
  let first: Appliance;
  let second: Appliance;

  beforeAll(async () => {
    lab = createLab("family");
    a = lab.node("a", { addresses: ["10.0.0.1/24", "fd00:9::1/64"] });
    b = lab.node("b", { addresses: ["10.0.0.2/24", "fd00:9::2/64"] });
    first = await a.startAppliance(yaml(150));
    await first.waitState("web", "master", 3000);
    second = await b.startAppliance(yaml(100));
    await second.waitState("web", "backup", 3000);
  }, 15_000);
  afterAll(() => lab.close(), 30_000);

  const documentOf = (daemon: Appliance) => daemon.statusByCommand() as unknown as Document;
  const webOf = (daemon: Appliance) =>
    documentOf(daemon).instances.filter(({ name }) => name.startsWith("web"));
  /** Everything that operators read. */
  const texts = async (daemon: Appliance) => [
    ...[["status"], ["status", "--json"], ["explain"], ["explain", "--json"], ["events"], [
      "events",
      "--json",
    ]]
      .map((args) => daemon.command(...args).stdout),
    await (await daemon.get("/metrics")).text(),
    daemon.log,
  ];
  const moves = (daemon: Appliance) =>
    daemon.events().filter(({ kind, subject }) => kind === "transition" && subject !== "lan")
      .map(({ subject, text }) => `${subject}: ${text.split(": ")[0]}`);

  test("status: one entry, with the addresses and masters of both", async () => {
    await waitFor(() => webOf(second)[0]!.masters.length === 2, {
      timeoutMs: 2000,
      what: "the backup to have heard both",
    });
    const entries = webOf(first);
    expect(entries).toHaveLength(1);
    expect(entries[0]).toMatchObject({
      name: "web",
      state: "master",
      family: "ipv4",
      families: ["ipv4", "ipv6"],
      group: "site",
      addresses: BOTH,
      master: { address: "10.0.0.1", priority: 150 },
      masters: [{ family: "ipv4", address: "10.0.0.1" }, { family: "ipv6" }],
      faults: [],
      transitions: 2,
    });
    expect(webOf(second)[0]).toMatchObject({
      state: "backup",
      master: { address: "10.0.0.1", priority: 150 },
    });
    expect(webOf(second)[0]!.masters[1]!.address).toBe(webOf(first)[0]!.masters[1]!.address);
    for (const [daemon, state] of [[first, "master"], [second, "backup"]] as const) {
      expect(documentOf(daemon)).toMatchObject({
        healthy: true,
        groups: [{ name: "site", state, members: ["web", "lan"] }],
      });
      expect(daemon.command("status").code).toBe(0);
    }
  });

  test("nothing that an operator reads has the engine's names, and no move is told twice", async () => {
    const started = first.events().filter(({ kind }) => kind === "started").map(({ text }) => text);
    expect(started).toEqual(["started with 2 instances"]);
    for (const daemon of [first, second]) {
      for (const text of await texts(daemon)) expect(text).not.toContain("web:ipv6");
    }
    expect(moves(first)).toEqual(["web: init → backup", "web: backup → master"]);
    expect(moves(second)).toEqual(["web: init → backup"]);
    const metrics = await (await first.get("/metrics")).text();
    expect(metrics.match(/^appliance_instance_state\{instance="web".*\} 1$/gm))
      .toEqual(['appliance_instance_state{instance="web",state="master"} 1']);
    expect(metrics).toContain('appliance_group_state{group="site",state="master"} 1\n');
    const { stdout } = first.command("status");
    expect(stdout).toMatch(/^web +master .*10\.0\.0\.100\/24, fd00:9::100\/64/m);
    expect(stdout).toMatch(/^site +master .*web, lan$/m);
    expect(first.command("explain", "web").stdout).toContain(
      "It shares its state with lan in the sync group site.",
    );
    expect(first.command("explain").stdout).toContain("\nThe sync group site is master since ");
  });

  test(
    "release and resume: both go together, are told once, and the exit codes are the contract's",
    async () => {
      const released = first.command("release", "web");
      expect(released.code).toBe(0);
      expect(released.stdout).not.toContain("web:ipv6");
      await second.waitState("web", "master", 2000);
      await waitFor(() => [VIP, VIP6].every((vip) => b.has(vip) && !a.has(vip)), {
        timeoutMs: 3000,
        what: "both addresses to have moved",
      });
      const [entry, ...others] = webOf(first);
      expect(others).toEqual([]);
      expect(entry).toMatchObject({ state: "fault", released: true, transitions: 3 });
      expect(entry!.faults).toHaveLength(1);
      // Whoever is released is in fault, and the table of exit codes knows no exception.
      const status = first.command("status");
      expect(status.code).toBe(1);
      expect(documentOf(first).problems.filter((text) => text.startsWith("instance web "))).toEqual([
        `instance web is in fault: ${entry!.faults[0]}`,
      ]);
      expect(second.command("status").code).toBe(0);
      expect(first.command("release", "web:ipv6").code).toBe(1);
      expect(moves(first).slice(2)).toEqual(["web: master → fault"]);
      expect(moves(second).slice(1)).toEqual(["web: backup → master"]);

      expect(first.command("resume", "web").code).toBe(0);
      await first.waitState("web", "master", 3000);
      await second.waitState("web", "backup", 3000);
      expect(first.command("status").code).toBe(0);
      expect(moves(first).slice(3)).toEqual(["web: fault → backup", "web: backup → master"]);
      expect(moves(second).slice(2)).toEqual(["web: master → backup"]);
      for (const text of await texts(first)) expect(text).not.toContain("web:ipv6");
    },
    15_000,
  );

  test("what only one family lacks is the instance's fault, told once and as it is", async () => {
    const linkLocal = a.exec(["sh", "-c", "ip -6 -o addr show dev eth0 scope link | awk '{print $4}'"]).stdout
      .trim();
    a.ip(`addr del ${linkLocal} dev eth0`);
    const entry = await first.waitState("web", "fault", 2000) as unknown as Entry;
    const why = "interface eth0 has no IPv6 link-local address";
    expect(entry).toMatchObject({ reason: why, faults: [why] });
    expect(documentOf(first).problems.filter((text) => text.startsWith("instance web "))).toEqual([
      `instance web is in fault: ${why}`,
    ]);
    const site = documentOf(first).groups[0];
    expect(site).toMatchObject({ name: "site", state: "fault" });
    expect(first.command("explain").stdout).toContain(`  web holds it in fault: ${why}.\n`);
    expect(first.events().at(-1)).toMatchObject({ kind: "transition" });
    expect(moves(first).at(-1)).toBe("web: master → fault");
    a.ip(`addr add ${linkLocal} dev eth0`);
    await first.waitState("web", "master", 3000);
    for (const text of await texts(first)) expect(text).not.toContain("web:ipv6");
  }, 15_000);

  test("a reload that takes one family away and gives it back", async () => {
    const alone = yaml(150).replace(`,"${VIP6}/64"`, "");
    first.writeConfig(alone);
    expect(first.command("reload").code).toBe(0);
    await waitFor(() => !a.has(VIP6), { timeoutMs: 3000, what: "the address of the other family to go" });
    expect(webOf(first)).toHaveLength(1);
    expect(webOf(first)[0]).toMatchObject({ state: "master", families: ["ipv4"], addresses: [`${VIP}/24`] });
    first.writeConfig(yaml(150));
    expect(first.command("reload").code).toBe(0);
    await waitFor(() => webOf(first)[0]!.families.length === 2 && webOf(first)[0]!.state === "master", {
      timeoutMs: 3000,
      what: "both families to be master",
    });
    expect(a.has(VIP6)).toBe(true);
    expect(webOf(first)).toHaveLength(1);
    for (const text of await texts(first)) expect(text).not.toContain("web:ipv6");
  }, 15_000);

  test("a control process that is started anew tells the same history", async () => {
    const before = moves(first);
    const killed = first.controlPid!;
    killAll([killed]);
    await waitFor(async () => first.controlPid !== killed && (await first.status()).instances.length === 2, {
      timeoutMs: 3000,
      what: "another control process to answer",
    });
    expect(moves(first)).toEqual(before);
    for (const text of await texts(first)) expect(text).not.toContain("web:ipv6");
  }, 10_000);
});
