/**
 * What moves a tunnel's packets in user space is replaced while VRRP runs through it: control dies, a daemon goes on for
 * another one, a parameter changes. Nobody is to notice.
 */
import { afterAll, afterEach, beforeAll, expect, test } from "bun:test";
import {
  type Appliance,
  type Capture,
  childrenOf,
  createLab,
  describeLab,
  holds,
  isAlive,
  killAll,
  type Lab,
  type LabNode,
  longestDistance,
  must,
  nowMs,
  waitFor,
  webYaml,
} from "./lab.ts";

const TUNNEL = "t1";
const INTERVAL_MS = 200;
const PING_MS = 5;

type Keys = Readonly<Record<string, unknown>>;

/** What passed a tunnel as its far end saw it. */
interface Passed {
  readonly asked: number;
  readonly lost: number;
  readonly doubled: number;
}

/** Echoes in a capture that were asked until a little before its end. */
function echoesOf(capture: Capture, untilMs: number): Passed {
  const answers = new Map<string, number>();
  for (const { atMs, text } of capture.packets("icmp")) {
    const match = /echo (request|reply), (id \d+, seq \d+)/.exec(text);
    if (match === null) continue;
    const [, kind, sequence] = match;
    if (kind === "request" && atMs < untilMs) answers.set(sequence!, 0);
    else if (answers.has(sequence!)) answers.set(sequence!, answers.get(sequence!)! + 1);
  }
  const counts = [...answers.values()];
  return {
    asked: counts.length,
    lost: counts.filter((count) => count === 0).length,
    doubled: counts.filter((count) => count > 1).length,
  };
}

describeLab("a tunnel in user space changes hands", ["tcpdump"], () => {
  let lab: Lab;
  let a: LabNode;
  let b: LabNode;
  let first: Appliance;
  let second: Appliance;

  beforeAll(() => {
    lab = createLab("tunsucc");
    a = lab.node("a", { addresses: ["192.0.2.1/24"] });
    b = lab.node("b", { addresses: ["192.0.2.2/24"] });
  }, 30_000);
  afterEach(() => lab.reset(), 30_000);
  afterAll(() => lab?.close(), 30_000);

  function yaml(side: 1 | 2, priority: number, keys: Keys = {}): string {
    const tunnel = {
      ...{ type: "gretap", local: `192.0.2.${side}`, remote: `192.0.2.${3 - side}`, datapath: "user" },
      ...{ addresses: [`10.1.1.${side}/30`], ...keys },
    };
    const instance = {
      ...{ interface: TUNNEL, advert_interval: `${INTERVAL_MS}ms` },
      addresses: [{ address: "10.9.0.100/32", dev: "eth0" }],
    };
    return webYaml(priority, instance, { tunnels: { [TUNNEL]: tunnel } });
  }

  async function start(keys: Keys = {}): Promise<void> {
    [first, second] = await Promise.all([
      a.startAppliance(yaml(1, 150, keys)),
      b.startAppliance(yaml(2, 100, keys)),
    ]);
    await first.waitState("web", "master", 6000);
    await second.waitState("web", "backup", 6000);
    await waitFor(async () => (await second.instance("web")).adverts.received > 2, {
      timeoutMs: 3000,
      what: "adverts through the tunnel",
    });
  }

  interface TunnelLink {
    readonly ifindex: number;
    readonly mtu: number;
    /** Each process that moves the packets writes its own. */
    readonly ifalias?: string;
  }

  function linkOf(node: LabNode): TunnelLink | null {
    type Named = TunnelLink & { readonly ifname: string };
    const links = JSON.parse(must(["ip", "-n", node.namespace, "-j", "link"])) as Named[];
    return links.find(({ ifname }) => ifname === TUNNEL) ?? null;
  }

  /** Process id of what moves the packets of a daemon's tunnel; null while control has none. */
  function moverOf({ controlPid }: Appliance): number | null {
    return controlPid === null ? null : childrenOf(controlPid).find(isAlive) ?? null;
  }

  function transitionsOf(...daemons: Appliance[]): Promise<number[]> {
    return Promise.all(daemons.map(async (daemon) => (await daemon.instance("web")).transitions));
  }

  /**
   * Does something to the first router and judges what the second one, and whoever pings through the tunnel, noticed.
   * `lost`: how many echoes may be.
   */
  async function unnoticed(
    what: string,
    act: () => Promise<void>,
    judged: { readonly lost: number; readonly resumed: boolean },
  ): Promise<void> {
    const before = { link: linkOf(a)!, mover: moverOf(first), peer: await transitionsOf(second) };
    const own = await transitionsOf(first);
    const wire = await b.capture(TUNNEL, "ip proto 112 or icmp");
    const ping = b.ping("10.1.1.1", PING_MS);
    await ping.answered();
    await waitFor(() => wire.adverts().length > 1, { timeoutMs: 2000, what: "adverts" });
    const fromMs = nowMs();
    await act();
    await succession(before.link);
    await waitFor(() => !isAlive(before.mover!), { timeoutMs: 3000, what: "the one before to end" });
    const tookMs = nowMs() - fromMs;
    // Longer than the peer's patience: what it has missed it would have noticed by now.
    await holds(async () => (await transitionsOf(second)).join() === before.peer.join(), {
      forMs: 4 * INTERVAL_MS,
      what: "the peer stays backup",
    }).catch((error) => {
      throw new Error(`${error.message}\n${first.log}\n${second.log}`);
    });
    const untilMs = nowMs();
    await ping.answered({ sinceMs: untilMs });
    await Promise.all([wire.stop(), ping.close()]);
    expect(linkOf(a)!.ifindex).toBe(before.link.ifindex);
    expect(await transitionsOf(first)).toEqual(judged.resumed ? [1] : own);
    expect((await first.instance("web")).state).toBe("master");
    expect(wire.adverts("10.1.1.2")).toEqual([]);
    const { asked, lost, doubled } = echoesOf(wire, untilMs - 100);
    const distance = longestDistance(wire.adverts("10.1.1.1"));
    console.log(
      `${what}: after ${
        tookMs.toFixed(0)
      } ms another process moves the packets; lost ${lost} and doubled ${doubled} ` +
        `of ${asked} echoes, one each ${PING_MS} ms; longest distance of adverts ${distance.toFixed(0)} ms`,
    );
    expect(asked).toBeGreaterThan(100);
    expect(lost).toBeLessThanOrEqual(judged.lost);
    expect(doubled).toBe(0);
    expect(distance).toBeLessThan(2 * INTERVAL_MS);
    expect(first.log).not.toContain("another interface has its name");
  }

  /** Waits until another process moves the packets of the same device. */
  async function succession({ ifalias, ifindex }: TunnelLink): Promise<void> {
    await waitFor(() => linkOf(a)?.ifalias !== ifalias, {
      timeoutMs: 6000,
      what: "another process to move packets",
      explain: () => first.log,
    });
    expect(linkOf(a)?.ifindex).toBe(ifindex);
  }

  function killControl(): Promise<void> {
    killAll([first.controlPid!]);
    return Promise.resolve();
  }

  test.each(
    [
      ["gretap", {}],
      ["gre", {}],
      ["gretap with numbers and checksum", { key: 42, checksum: true, sequence: true }],
    ] as const,
  )("kill -9 of control: %s", async (name, keys) => {
    await start({ type: name.split(" ")[0]!, ...keys });
    await unnoticed(`kill -9 of control, ${name}`, killControl, { lost: 2, resumed: false });
    // What came by inheritance is left as well.
    if ("sequence" in keys) {
      await unnoticed(`kill -9 of control, ${name}, again`, killControl, { lost: 2, resumed: false });
    }
    expect(await first.stop()).toMatchObject({ code: 0 });
    expect(linkOf(a)).toBeNull();
  }, 40_000);

  test("kill -9 of control, and someone has written another alias on the device", async () => {
    await start();
    const before = await transitionsOf(first, second);
    const mover = moverOf(first)!;
    const link = linkOf(a)!;
    a.ip(`link set ${TUNNEL} alias mine`);
    await killControl();
    await succession({ ...link, ifalias: "mine" });
    await succession(link);
    await waitFor(() => !isAlive(mover), { timeoutMs: 6000, what: "the one before to end" });
    await waitFor(async () => (await transitionsOf(first, second)).join() === before.join(), {
      timeoutMs: 2000,
      what: "no transition",
    });
    expect(linkOf(a)!.ifindex).toBe(link.ifindex);
  }, 30_000);

  test.each(["gretap", "gre"])("run --resume: %s", async (type) => {
    await start({ type });
    const old = first;
    await unnoticed(`run --resume, ${type}`, async () => {
      first = await a.startAppliance(yaml(1, 150, { type }), { flags: ["--resume"] });
      expect(await old.process.ended).toMatchObject({ code: 0, signal: null });
    }, { lost: 2, resumed: true });
    expect((await first.instance("web")).reason).toContain("resumed");
    expect(first.log).not.toContain("error");
    expect((await first.status()).tunnels).toMatchObject([{ name: TUNNEL, state: "up" }]);
  }, 30_000);

  test("SIGUSR2, then a start", async () => {
    await start({ sequence: true });
    await unnoticed("SIGUSR2 and start", async () => {
      expect(await first.stop("SIGUSR2")).toMatchObject({ code: 0 });
      first = await a.startAppliance(yaml(1, 150, { sequence: true }));
    }, { lost: 2, resumed: true });
  }, 30_000);

  test("kill -9 of the engine, or of both processes, then a start in time", async () => {
    await start();
    for (const both of [false, true]) {
      await unnoticed(`kill -9 of ${both ? "both" : "the engine"} and start`, async () => {
        if (both) await first.killHard();
        else {
          killAll([first.enginePid]);
          await first.process.ended;
        }
        first = await a.startAppliance(yaml(1, 150));
      }, { lost: 2, resumed: true });
    }
  }, 40_000);

  test.each(["gretap", "gre"])("a reload of ttl, then of mtu, then of checksum and key: %s", async (type) => {
    await start({ type });
    const reload = (keys: Keys) => () => {
      first.writeConfig(yaml(1, 150, { type, ...keys }));
      expect(first.command("reload").code).toBe(0);
      return Promise.resolve();
    };
    const outer = await a.capture("eth0", "ip proto 47 and src 192.0.2.1");
    await unnoticed(`reload of ttl, ${type}`, reload({ ttl: 17 }), { lost: 0, resumed: false });
    await waitFor(() => outer.packets("ip[8] = 17").length > 0, { timeoutMs: 2000, what: "the new ttl" });
    const last = outer.packets("ip[8] = 64").at(-1)!.atMs;
    expect(outer.packets("ip[8] = 17")[0]!.atMs).toBeGreaterThanOrEqual(last);
    await unnoticed(`reload of mtu, ${type}`, reload({ ttl: 17, mtu: 1300 }), { lost: 0, resumed: false });
    await waitFor(() => linkOf(a)!.mtu === 1300, { timeoutMs: 2000, what: "the new mtu" });
    await unnoticed(`reload of tos, ${type}`, reload({ ttl: 17, tos: 0x10 }), { lost: 0, resumed: false });
    await waitFor(() => linkOf(a)!.mtu !== 1300, { timeoutMs: 2500, what: "the mtu that fits the path" });
    // Both ends differ for a moment, but the device is the same.
    const { ifindex } = linkOf(a)!;
    const before = await transitionsOf(first);
    for (const [daemon, side, priority] of [[first, 1, 150], [second, 2, 100]] as const) {
      daemon.writeConfig(yaml(side, priority, { type, key: 7, checksum: true, sequence: true }));
      expect(daemon.command("reload").code).toBe(0);
    }
    await waitFor(async () => (await second.instance("web")).state === "backup", {
      timeoutMs: 3000,
      what: "the peer to hear again",
    });
    expect(linkOf(a)!.ifindex).toBe(ifindex);
    expect(await transitionsOf(first)).toEqual(before);
    await b.ping("10.1.1.1", PING_MS).answered();
    // Another kind of device is another device.
    const other = type === "gre" ? "gretap" : "gre";
    first.writeConfig(yaml(1, 150, { type: other, mtu: 1490 }));
    expect(first.command("reload").code).toBe(0);
    await waitFor(() => linkOf(a) !== null && linkOf(a)!.ifindex !== ifindex, {
      timeoutMs: 3000,
      what: "another device",
    });
    // What a reload brings is looked at as what was there at the start.
    await waitFor(() => first.log.includes("its mtu of 1490 makes outer packets of"), {
      timeoutMs: 3000,
      what: "a warning",
    });
  }, 60_000);

  test("one that hangs is replaced", async () => {
    await start();
    const mover = moverOf(first)!;
    const { ifindex } = linkOf(a)!;
    killAll([mover], "SIGSTOP");
    killAll([first.controlPid!]);
    await waitFor(() => linkOf(a) !== null && linkOf(a)!.ifindex !== ifindex, {
      timeoutMs: 6000,
      what: "another device",
    });
    expect(isAlive(mover)).toBe(false);
    await first.waitState("web", "master", 3000);
  }, 30_000);

  test("kill -9 of engine and control, and nobody comes: the tunnel goes within seconds", async () => {
    await start();
    const mover = moverOf(first)!;
    await first.killHard();
    const fromMs = nowMs();
    expect(isAlive(mover)).toBe(true);
    await waitFor(() => linkOf(a) === null && !isAlive(mover), { timeoutMs: 8000, what: "the tunnel to go" });
    console.log(`kill -9 of both: the tunnel is gone after ${(nowMs() - fromMs).toFixed(0)} ms`);
  }, 30_000);

  test.each([["stop", {}], ["stop with keep, as nobody is left to move packets", { keep: true }]])(
    "%s: device and process are gone",
    async (_, keys) => {
      await start(keys);
      const mover = moverOf(first)!;
      expect(await first.stop()).toMatchObject({ code: 0 });
      expect(isAlive(mover)).toBe(false);
      expect(linkOf(a)).toBeNull();
    },
    30_000,
  );

  test("a second daemon does not take what the first one keeps", async () => {
    await start();
    const mover = moverOf(first)!;
    const { ifindex } = linkOf(a)!;
    const other = await a.startAppliance(yaml(1, 90).replace(/vrrp:.*/s, ""), { name: "other" });
    await waitFor(async () => (await other.status()).tunnels[0]?.error?.includes("for another daemon"), {
      timeoutMs: 6000,
      what: "its error",
    });
    expect(moverOf(first)).toBe(mover);
    expect(linkOf(a)!.ifindex).toBe(ifindex);
  }, 30_000);
});
