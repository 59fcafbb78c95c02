/** What an operator holds back stays so: over restarts of the daemon, for new instances, and until he says otherwise. */
import { afterAll, afterEach, beforeAll, expect, test } from "bun:test";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  type Appliance,
  appliancePath,
  createLab,
  describeLab,
  holds,
  isAlive,
  type Lab,
  type LabNode,
  type State,
  VIP,
  waitFor,
  web,
  webYaml,
  yamlOf,
} from "./lab.ts";

const OTHER_VIP = "10.0.0.101";

describeLab("what an operator holds back", ["tcpdump"], () => {
  let lab: Lab;
  let a: LabNode;

  beforeAll(() => {
    lab = createLab("held");
    a = lab.node("a", { addresses: ["10.0.0.1/24"] });
  }, 30_000);
  afterEach(() => lab.reset(), 30_000);
  afterAll(() => lab.close(), 30_000);

  const other = { ...web(150), vrid: 52, addresses: [`${OTHER_VIP}/24`] };
  const both = (more: object = {}) => yamlOf({ vrrp: { web: web(150), other }, ...more });

  /** Each test has a runtime directory of its own. */
  let runs = 0;
  const start = (yaml: string, name = `a${++runs}`) => a.startAppliance(yaml, { name });

  function act(daemon: Appliance, ...words: readonly string[]): string {
    const { code, stdout, stderr } = daemon.command(...words);
    if (code !== 0) throw new Error(`${words.join(" ")}: exit ${code}: ${stderr}`);
    return stdout.trim();
  }

  async function state(daemon: Appliance, name: string): Promise<State> {
    return (await daemon.instance(name)).state;
  }

  async function inMaintenance(daemon: Appliance): Promise<boolean> {
    return (await daemon.status() as unknown as { maintenance: boolean }).maintenance;
  }

  /** How often its instances were master since it started. */
  const timesMaster = (daemon: Appliance) =>
    daemon.events().filter(({ kind, text }) => kind === "transition" && text.includes("→ master")).length;

  test("a released instance stays so over restarts and kills, and never speaks", async () => {
    const first = await start(both());
    const name = `a${runs}`;
    await first.waitState("web", "master", 2000);
    await first.waitState("other", "master", 2000);
    expect(act(first, "release", "web")).toBe("web is released");
    expect((await first.stop()).code).toBe(0);

    const wire = await a.capture("eth0", "ip proto 112");
    const second = await start(both(), name);
    await second.waitState("other", "master", 2000);
    expect(await second.instance("web")).toMatchObject({
      state: "fault",
      reason: "released by the operator",
    });
    expect(act(second, "explain", "web")).toContain("`appliance resume web`");
    await second.killHard();

    const third = await start(both(), name);
    await third.waitState("other", "master", 2000);
    expect(await state(third, "web")).toBe("fault");
    expect([timesMaster(third), a.has(VIP)]).toEqual([1, false]);
    const adverts = wire.packets().filter(({ text }) => text.includes("VRRP"));
    expect(adverts.some(({ text }) => text.includes("vrid 52"))).toBe(true);
    expect(adverts.some(({ text }) => text.includes("vrid 51"))).toBe(false);

    act(third, "resume", "web");
    await third.waitState("web", "master", 2000);
    expect((await third.stop()).code).toBe(0);
    const fourth = await start(both(), name);
    await fourth.waitState("web", "master", 2000);
  }, 30_000);

  test("maintenance holds back the whole node: over a restart, and what a reload adds", async () => {
    const first = await start(webYaml(150));
    const name = `a${runs}`;
    await first.waitState("web", "master", 2000);
    act(first, "maintenance", "on");
    await first.waitState("web", "fault", 1000);
    expect(await inMaintenance(first)).toBe(true);
    expect(first.command("status").stdout).toContain("IN MAINTENANCE");
    expect((await first.stop()).code).toBe(0);

    const second = await start(webYaml(150), name);
    await second.waitState("web", "fault", 1000);
    expect((await second.instance("web")).reason).toBe("in maintenance");
    expect(await inMaintenance(second)).toBe(true);
    second.writeConfig(both());
    act(second, "reload");
    await second.waitState("other", "fault", 1000);
    await holds(() => !a.has(VIP) && !a.has(OTHER_VIP), { forMs: 700, what: "no address on the node" });
    expect(timesMaster(second)).toBe(0);

    const refused = second.command("resume", "web");
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain("the node is in maintenance: `appliance maintenance off` resumes web");
    act(second, "maintenance", "off");
    await second.waitState("web", "master", 2000);
    await second.waitState("other", "master", 2000);
    expect(await inMaintenance(second)).toBe(false);
    expect(existsSync(join(second.runtimeDir, "held.json"))).toBe(false);
  }, 20_000);

  test("a node in maintenance stays there when a daemon takes over by --resume", async () => {
    const first = await start(both());
    await first.waitState("web", "master", 2000);
    act(first, "maintenance", "on");
    await first.waitState("web", "fault", 1000);
    a.spawn([appliancePath(), "run", "--resume", "-c", first.configPath]);
    await waitFor(() => !isAlive(first.enginePid), { timeoutMs: 3000, what: "the first daemon to end" });
    // The first one's control may answer for a moment longer.
    await waitFor(async () => {
      const { engine, instances } = await first.status();
      return engine?.pid !== first.enginePid && instances.length === 2;
    }, { timeoutMs: 3000, what: "the second daemon to answer" });
    await first.waitState("web", "fault", 1000);
    expect(await inMaintenance(first)).toBe(true);
    await holds(() => !a.has(VIP) && !a.has(OTHER_VIP), { forMs: 700, what: "no address on the node" });
    expect(timesMaster(first)).toBe(0);
  }, 20_000);

  test("the death of control alone changes nothing", async () => {
    const daemon = await start(both());
    await daemon.waitState("web", "master", 2000);
    act(daemon, "release", "web");
    const before = daemon.controlPid!;
    process.kill(before, "SIGKILL");
    await waitFor(() => daemon.controlPid !== null && daemon.controlPid !== before, {
      timeoutMs: 3000,
      what: "another control process",
    });
    await daemon.ready();
    await daemon.waitState("web", "fault", 2000);
    // It writes down what the engine knows.
    await waitFor(() => existsSync(join(daemon.runtimeDir, "held.json")), {
      timeoutMs: 1000,
      what: "the file",
    });
    act(daemon, "reload");
    expect(await state(daemon, "web")).toBe("fault");
    act(daemon, "resume", "web");
    await daemon.waitState("web", "master", 2000);
  }, 20_000);

  test("an instance is the same one under another name or VRID, and its group goes with it", async () => {
    const daemon = await start(both());
    await daemon.waitState("web", "master", 2000);
    act(daemon, "release", "web");
    // Another VRID makes it another virtual router; the name is what the operator released.
    daemon.writeConfig(yamlOf({ vrrp: { web: { ...web(150), vrid: 77 }, other } }));
    act(daemon, "reload");
    await waitFor(async () => (await daemon.instance("web")).vrid === 77, {
      timeoutMs: 1000,
      what: "VRID 77",
    });
    expect(await state(daemon, "web")).toBe("fault");
    daemon.writeConfig(yamlOf({ vrrp: { shop: { ...web(150), vrid: 77 }, other } }));
    act(daemon, "reload");
    await daemon.waitState("shop", "fault", 1000);
    expect(await state(daemon, "other")).toBe("master");
    daemon.writeConfig(yamlOf({
      vrrp: { shop: { ...web(150), vrid: 77 }, other },
      groups: { site: { members: ["shop", "other"] } },
    }));
    act(daemon, "reload");
    await daemon.waitState("other", "fault", 1000);
    act(daemon, "resume", "other");
    await daemon.waitState("shop", "master", 2000);
    await daemon.waitState("other", "master", 2000);
    // Who has another's name now is not who was released under it; nor is one that is new, as long as that one goes on.
    daemon.writeConfig(yamlOf({ vrrp: { shop: { ...web(150), vrid: 77 }, other } }));
    act(daemon, "reload");
    act(daemon, "release", "shop");
    const third = { ...web(150), vrid: 78, addresses: ["10.0.0.102/24"] };
    daemon.writeConfig(yamlOf({ vrrp: { other: { ...web(150), vrid: 77 }, shop: other } }));
    act(daemon, "reload");
    expect(await Promise.all([state(daemon, "other"), state(daemon, "shop")])).toEqual(["fault", "master"]);
    daemon.writeConfig(yamlOf({ vrrp: { shop: { ...web(150), vrid: 77 }, mail: other, other: third } }));
    act(daemon, "reload");
    await daemon.waitState("other", "master", 2000);
    expect(await Promise.all([state(daemon, "mail"), state(daemon, "shop")])).toEqual(["master", "fault"]);
    act(daemon, "resume", "shop");
    daemon.writeConfig(yamlOf({ vrrp: { shop: { ...web(150), vrid: 77 }, other } }));
    act(daemon, "reload");
    await daemon.waitState("shop", "master", 2000);
    // What it has counted is told under the new name, too.
    const announced = async (name: string) =>
      (await daemon.instance(name) as unknown as { announced: number }).announced;
    await waitFor(async () => await announced("shop") > 0, { timeoutMs: 1500, what: "its counters" });
    const before = await announced("shop");
    daemon.writeConfig(yamlOf({ vrrp: { mall: { ...web(150), vrid: 77 }, other } }));
    act(daemon, "reload");
    await waitFor(async () => await announced("mall") >= before, {
      timeoutMs: 1500,
      what: "its counters under the new name",
      explain: async () => JSON.stringify(await daemon.instance("mall")),
    });
  }, 20_000);

  test("what a restart goes on with moves along with the runtime directory", async () => {
    const slow = webYaml(150, { advert_interval: "500ms" });
    const daemon = await start(slow);
    await daemon.waitState("web", "master", 4000);
    const moved = `${daemon.runtimeDir}-moved`;
    const yaml = `${slow}runtime_dir: ${moved}\napi: { socket: ${daemon.socketPath} }\n`;
    daemon.writeConfig(yaml);
    act(daemon, "reload");
    await daemon.killHard();
    const next = await start(yaml, `a${runs}`);
    expect((await next.waitState("web", "master", 2000)).reason).toStartWith("resumed as master after");
  }, 20_000);

  test("a state that cannot be understood holds everything back, and says so", async () => {
    const first = await start(webYaml(150));
    const name = `a${runs}`;
    await first.waitState("web", "master", 2000);
    expect((await first.stop()).code).toBe(0);
    writeFileSync(join(first.runtimeDir, "held.json"), '{"maintenance":fa');
    const second = await start(webYaml(150), name);
    await second.waitState("web", "fault", 1000);
    expect(await inMaintenance(second)).toBe(true);
    expect(second.log).toContain("it is cut or garbled; the node is in maintenance");
    act(second, "maintenance", "off");
    await second.waitState("web", "master", 2000);
  }, 20_000);

  test("a file system with room for a part of it keeps what was there before", () => {
    const script = `
      import { readdirSync } from "node:fs";
      import { readHeld, writeHeld } from ${
      JSON.stringify(join(import.meta.dirname, "../../mod/control/held.ts"))
    };
      const directory = process.argv.at(-1);
      const released = Array.from({ length: 1000 }, (_, index) => "instance-" + index);
      writeHeld(directory, { maintenance: false, released: ["web"] });
      try {
        writeHeld(directory, { maintenance: false, released });
      } catch (error) {
        console.log(error.message);
      }
      console.log(readHeld(directory).held.released.join(), readdirSync(directory).join());`;
    const small = 'mount -t tmpfs -o size=8k none "$0" && exec "$@" "$0"';
    const { stdout, stderr } = a.exec(
      ["unshare", "-m", "sh", "-c", small, lab.directory, process.execPath, "-e", script],
    );
    expect(`${stdout}${stderr}`).toBe(
      `Cannot write ${lab.directory}/held.json: no space left on device\nweb held.json\n`,
    );
  });

  test("where it cannot be kept it is done all the same, and said", async () => {
    const daemon = await start(webYaml(150));
    await daemon.waitState("web", "master", 2000);
    // Even root cannot write a file over a directory.
    const blocked = join(daemon.runtimeDir, "held.json");
    a.exec(["mkdir", "-p", join(blocked, "x")]);
    expect(act(daemon, "release", "web")).toStartWith(
      `web is released; a restart of the daemon would not know of it: Cannot write ${blocked}: `,
    );
    await daemon.waitState("web", "fault", 1000);
    const { problems } = await daemon.status() as unknown as { problems: string[] };
    expect(problems.at(-1)).toStartWith(
      "of what is held back, a restart of the daemon would not know of it: ",
    );
  }, 20_000);
});
