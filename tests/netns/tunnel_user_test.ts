/** Tunnels whose packets are moved by a process of ours: two ends in two namespaces, and what passes between them. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import {
  AF_INET,
  alloc,
  bindSocket,
  bindToDevice,
  closeFd,
  inNetns,
  IP_HDRINCL,
  IP_MULTICAST_TTL,
  IP_TOS,
  IPPROTO_GRE,
  IPPROTO_IP,
  IPPROTO_VRRP,
  openSocket,
  receive,
  sendTo,
  setIntOption,
  SOCK_RAW,
  sockaddrIn,
} from "../../lib/libc/mod.ts";
import { parseAddress } from "../../lib/packet/address.ts";
import { encodeGre } from "../../lib/packet/gre.ts";
import { decodeIpv4, encodeIpv4 } from "../../lib/packet/ipv4.ts";
import { encodeVrrp } from "../../lib/packet/vrrp.ts";
import type { TunnelConfig, TunnelType } from "../../mod/tunnel/model.ts";
import type { UserTunnelSettings } from "../../mod/tunnel/user/settings.ts";
import { answersPing } from "../kernel/guest/ping.ts";
import {
  createLab,
  describeLab,
  holds,
  type Lab,
  type LabNode,
  must,
  pause,
  run,
  type Running,
  waitFor,
  webYaml,
} from "./lab.ts";
import { settings, UserEnd } from "./tunnel_user/end.ts";
import { transfer } from "./tunnel_user/transfer.ts";

const TYPES: readonly TunnelType[] = ["gre", "gretap", "ip6gre", "ip6gretap"];
const DEVICE = "tun1";
/** Long enough for a ping that would arrive. */
const SILENCE_MS = 400;
const ALL = { ikey: 42, okey: 42, checksum: true, sequence: true };

describeLab("tunnels in user space", ["tcpdump", "tshark"], () => {
  let lab: Lab;
  let a: LabNode;
  let b: LabNode;

  beforeAll(() => {
    lab = createLab("tunuser");
    a = lab.node("a", { addresses: ["192.0.2.1/24", "2001:db8::1/64"] });
    b = lab.node("b", { addresses: ["192.0.2.2/24", "2001:db8::2/64"] });
  }, 30_000);
  afterEach(() => lab.reset(), 30_000);
  afterAll(() => lab?.close(), 30_000);

  function outerOf(type: TunnelType): readonly [string, string] {
    return type.startsWith("ip6") ? ["2001:db8::1", "2001:db8::2"] : ["192.0.2.1", "192.0.2.2"];
  }

  function startEnd(node: LabNode, type: TunnelType, wanted: Partial<UserTunnelSettings> = {}): UserEnd {
    const [first, second] = outerOf(type);
    const [local, remote] = node === a ? [first, second] : [second, first];
    return new UserEnd(node, settings({ name: DEVICE, type, local, remote, ...wanted }));
  }

  /** Both ends, up and addressed. */
  async function startBoth(
    type: TunnelType,
    wanted: Partial<UserTunnelSettings> = {},
  ): Promise<readonly [UserEnd, UserEnd]> {
    const ends = [startEnd(a, type, wanted), startEnd(b, type, wanted)] as const;
    await Promise.all([
      ends[0].up("10.1.1.1/24", "2001:db8:1::1/64"),
      ends[1].up("10.1.1.2/24", "2001:db8:1::2/64"),
    ]);
    return ends;
  }

  /** What tshark reads in a capture: one list of values a packet. */
  function readFields(path: string, filter: string, fields: readonly string[]): string[][] {
    const options = ["-E", "occurrence=f", "-E", "separator=;"];
    const text = must(
      [
        "tshark",
        "-n",
        "-r",
        path,
        ...options,
        "-Y",
        filter,
        "-T",
        "fields",
        ...fields.flatMap((one) => ["-e", one]),
      ],
      { timeoutMs: 30_000 },
    );
    return text.split("\n").filter((line) => line !== "").map((line) => line.split(";"));
  }

  function linkOf(node: LabNode): { mtu: number; flags: string[]; address: string } | null {
    const { code, stdout } = run(["ip", "-n", node.namespace, "-j", "link", "show", "dev", DEVICE]);
    return code === 0 ? JSON.parse(stdout)[0] : null;
  }

  describe.each([...TYPES])("%s", (type) => {
    test.each([["plain", {}], ["key, checksum and numbers", ALL]])(
      "carries ping of both families, full-size packets and TCP: %s",
      async (_, wanted) => {
        const [first] = await startBoth(type, wanted);
        expect(await answersPing(a.namespace, "10.1.1.2")).toBe(true);
        expect(await answersPing(b.namespace, "2001:db8:1::1")).toBe(true);
        const mtu = linkOf(a)!.mtu;
        const outer = type.startsWith("ip6") ? 40 : 20;
        const gre = wanted === ALL ? 16 : 4;
        expect(mtu).toBe(1500 - outer - gre - (type.endsWith("tap") ? 14 : 0));
        expect(await answersPing(a.namespace, "10.1.1.2", { size: mtu - 28 })).toBe(true);
        // More than fits: fragments inside the tunnel.
        expect(await answersPing(a.namespace, "10.1.1.2", { size: 4000 })).toBe(true);
        expect(await transfer(a, b, "10.1.1.2", 0.3)).toBeGreaterThan(1_000_000);
        await waitFor(() => first.counters!.received.packets > 20, { timeoutMs: 2500, what: "counters" });
        expect(first.counters!.dropped).toEqual({});
      },
      30_000,
    );

    test("is deaf to another key, and counts it", async () => {
      const first = startEnd(a, type, { ikey: 42, okey: 42 });
      const second = startEnd(b, type, { ikey: 43, okey: 43 });
      await Promise.all([first.up("10.1.1.1/24"), second.up("10.1.1.2/24")]);
      expect(await answersPing(a.namespace, "10.1.1.2", { timeoutMs: SILENCE_MS })).toBe(false);
      await waitFor(() => (second.counters?.dropped.key ?? 0) > 0, {
        timeoutMs: 2500,
        what: "drops to be counted",
      });
      expect(second.counters!.received.packets).toBe(0);
    });
  });

  test("tshark reads gretap with key, good checksum, numbers in order, TTL and Don't Fragment", async () => {
    const capture = await a.capture("eth0", "ip proto 47 and src 192.0.2.1");
    await startBoth("gretap", { ...ALL, ttl: 17, tos: 0xc0 });
    expect(await answersPing(a.namespace, "10.1.1.2")).toBe(true);
    await capture.stop();
    const seen = readFields(capture.path, "gre", [
      ...[
        "gre.proto",
        "gre.key",
        "gre.checksum.status",
        "gre.sequence_number",
        "ip.ttl",
        "ip.flags.df",
        "ip.dsfield",
      ],
    ]);
    expect(seen.length).toBeGreaterThan(3);
    for (const [proto, key, status, , ttl, df, tos] of seen) {
      expect([proto, key, status, ttl, df, tos]).toEqual(["0x6558", "0x0000002a", "1", "17", "1", "0xc0"]);
    }
    const numbers = seen.map((fields) => Number(fields[3]));
    numbers.slice(1).forEach((number, index) => expect(number - numbers[index]! | 0).toBeGreaterThan(0));
    const inside = readFields(capture.path, "gre && icmp", ["eth.src", "icmp.type"]);
    expect(inside.length).toBeGreaterThan(0);
  }, 30_000);

  test.each([["gre", "0x0800", "0x86dd"], ["ip6gre", "0x0800", "0x86dd"]] as const)(
    "tshark reads the inner protocols of %s",
    async (type, four, six) => {
      const capture = await a.capture("eth0", "proto 47 or ip6 proto 47");
      await startBoth(type, { ikey: 1, okey: 2 ** 32 - 1 });
      await answersPing(a.namespace, "10.1.1.2", { timeoutMs: SILENCE_MS });
      await answersPing(a.namespace, "2001:db8:1::2", { timeoutMs: SILENCE_MS });
      await capture.stop();
      const seen = readFields(capture.path, "gre && (icmp || icmpv6.type == 128)", [
        "gre.proto",
        "gre.key",
      ]);
      expect(new Set(seen.map((fields) => fields.join()))).toEqual(
        new Set([`${four},0xffffffff`, `${six},0xffffffff`]),
      );
    },
    30_000,
  );

  test("TTL and TOS are inherited where that is wanted", async () => {
    const capture = await a.capture("eth0", "ip proto 47 and src 192.0.2.1");
    await startBoth("gretap", { ttl: 0, tos: 1 });
    // The kernel's own echo request has TTL 64 and TOS 0; VRRP has 255 and 0xc0.
    await answersPing(a.namespace, "10.1.1.2");
    inNetns(a.namespace, sendAdvert);
    await waitFor(() => capture.packets().some(({ text }) => text.includes("vrid 51")), {
      timeoutMs: 5000,
      what: "the advert",
    });
    await capture.stop();
    const options = ["-E", "separator=;", "-T", "fields", "-e", "ip.ttl", "-e", "ip.dsfield"];
    const read = (filter: string) =>
      must(["tshark", "-n", "-r", capture.path, "-Y", filter, ...options]).trim();
    expect(read("vrrp").split("\n")[0]).toBe("255,255;0xc0,0xc0");
    expect(read("icmp").split("\n")[0]).toBe("64,64;0x00,0x00");
  }, 30_000);

  test(
    "routers may fragment where pmtudisc is off, and what is inside keeps its Don't Fragment",
    async () => {
      const capture = await a.capture("eth0", "ip proto 47 and src 192.0.2.1");
      const ends = [
        startEnd(a, "gretap", { pmtudisc: false, mtu: 1500 }),
        startEnd(b, "gretap", { pmtudisc: false, mtu: 1500 }),
      ];
      await Promise.all([ends[0]!.up("10.1.1.1/24"), ends[1]!.up("10.1.1.2/24")]);
      expect(await answersPing(a.namespace, "10.1.1.2", { size: 1472, timeoutMs: SILENCE_MS })).toBe(false);
      await waitFor(() => ends[0]!.counters?.dropped["too-big"], { timeoutMs: 2500, what: "the count" });
      const discover = (value: number) =>
        a.exec(["sh", "-c", `echo ${value} > /proc/sys/net/ipv4/ip_no_pmtu_disc`]);
      discover(1);
      try {
        expect(await answersPing(a.namespace, "10.1.1.2", { size: 1472 })).toBe(true);
      } finally {
        discover(0);
      }
      await capture.stop();
      expect(readFields(capture.path, "ip.flags.mf == 1", ["ip.len"]).length).toBeGreaterThan(0);
    },
    30_000,
  );

  test("a GRE keepalive is sent back as routers do, less one hop and otherwise the same", async () => {
    const end = await startEnd(a, "gre", { ikey: 5, okey: 5 }).up("10.1.1.1/24");
    const remote = parseAddress("192.0.2.2")!;
    const local = parseAddress("192.0.2.1")!;
    const empty = encodeGre({ protocol: 0, checksum: false, key: 5, sequence: null }, new Uint8Array(0));
    const back = encodeIpv4({
      ...{
        tos: 0xc0,
        identification: 4711,
        dontFragment: true,
        moreFragments: false,
        fragmentOffset: 0,
        ttl: 255,
      },
      ...{ protocol: 47, source: local, destination: remote },
    }, empty);
    const question = encodeGre({ protocol: 0x0800, checksum: false, key: 5, sequence: null }, back);
    const answer = await askByGre(b, question, local);
    const read = decodeIpv4(answer);
    if (!read.ok) throw new Error(read.reason);
    expect(read.header).toMatchObject({ identification: 4711, ttl: 254, tos: 0xc0, dontFragment: true });
    expect([...read.payload]).toEqual([...empty]);
    await waitFor(() => end.counters?.keepalives === 1, { timeoutMs: 2500, what: "the count" });
    expect(end.counters!.dropped).toEqual({});
  });

  /** One advert of VRRP to its group, as a router sends it: TTL 255, TOS 0xc0. */
  function sendAdvert(): void {
    const socket = openSocket(AF_INET, SOCK_RAW, IPPROTO_VRRP, "send an advert");
    bindToDevice(socket, DEVICE);
    setIntOption(socket, IPPROTO_IP, IP_MULTICAST_TTL, 255, "set the TTL");
    setIntOption(socket, IPPROTO_IP, IP_TOS, 0xc0, "set the TOS");
    const [source, destination] = [parseAddress("10.1.1.1")!, parseAddress("224.0.0.18")!];
    const advert = {
      ...{ version: 2, vrid: 51, priority: 100, intervalCs: 100, authType: 0 } as const,
      addresses: [parseAddress("10.9.0.100")!],
    };
    const bytes = encodeVrrp(advert, { family: "ipv4", source, destination, checksum: "rfc" });
    const packet = alloc(bytes.length);
    packet.set(bytes);
    sendTo(socket, packet, sockaddrIn(destination));
    closeFd(socket);
  }

  /** Sends GRE from a node without a tunnel, and returns the first packet of GRE that comes back. */
  async function askByGre(node: LabNode, payload: Uint8Array, to: Uint8Array): Promise<Uint8Array> {
    const socket = inNetns(node.namespace, () => openSocket(AF_INET, SOCK_RAW, IPPROTO_GRE, "send GRE"));
    try {
      const packet = alloc(payload.length);
      packet.set(payload);
      sendTo(socket, packet, sockaddrIn(to));
      const buffer = alloc(2048);
      return await waitFor(() => {
        const length = receive(socket, buffer);
        return length > 0 ? buffer.slice(0, length) : null;
      }, { timeoutMs: 2000, what: "an answer", everyMs: 2 });
    } finally {
      closeFd(socket);
    }
  }

  test("packets from another host, damaged and unknown ones are counted by reason", async () => {
    const end = await startEnd(a, "gre", { checksum: true }).up();
    const local = parseAddress("192.0.2.1")!;
    b.ip("addr add 192.0.2.3/24 dev eth0");
    const good = encodeGre(
      { protocol: 0x0800, checksum: true, key: null, sequence: null },
      new Uint8Array(20),
    );
    const damaged = good.slice();
    damaged[8]! ^= 1;
    const unknown = encodeGre(
      { protocol: 0x8847, checksum: true, key: null, sequence: null },
      new Uint8Array(20),
    );
    const version = good.slice();
    version[1]! |= 1;
    inNetns(b.namespace, () => {
      for (const [packet, source] of [[good, 3], [damaged, 2], [unknown, 2], [version, 2]] as const) {
        const socket = openSocket(AF_INET, SOCK_RAW, IPPROTO_GRE, "send GRE");
        bindSocket(socket, sockaddrIn(Uint8Array.of(192, 0, 2, source)), "choose a source");
        const buffer = alloc(packet.length);
        buffer.set(packet);
        sendTo(socket, buffer, sockaddrIn(local));
        closeFd(socket);
      }
    });
    await waitFor(() => end.counters?.dropped.remote, { timeoutMs: 2500, what: "the counts" });
    expect(end.counters!.dropped).toEqual({ remote: 1, checksum: 1, protocol: 1, version: 1 });
  });

  test("our own outer packets routed into the tunnel are dropped, not wrapped again", async () => {
    const end = await startEnd(a, "gre").up("10.1.1.1/24");
    inNetns(a.namespace, () => {
      const socket = openSocket(AF_INET, SOCK_RAW, IPPROTO_GRE, "send GRE");
      setIntOption(socket, IPPROTO_IP, IP_HDRINCL, 1, "send whole packets");
      a.ip("route add 192.0.2.2/32 dev tun1");
      const [source, destination] = [parseAddress("192.0.2.1")!, parseAddress("192.0.2.2")!];
      const packet = encodeIpv4({
        ...{
          tos: 0,
          identification: 1,
          dontFragment: true,
          moreFragments: false,
          fragmentOffset: 0,
          ttl: 64,
        },
        ...{ protocol: 47, source, destination },
      }, new Uint8Array(8));
      const buffer = alloc(packet.length);
      buffer.set(packet);
      sendTo(socket, buffer, sockaddrIn(destination));
      closeFd(socket);
    });
    await waitFor(() => (end.counters?.dropped.loop ?? 0) > 0, { timeoutMs: 2500, what: "the count" });
    expect(end.counters!.sent.packets).toBeLessThan(50);
  });

  test("waits for its local address, has no carrier meanwhile, and comes back", async () => {
    b.ip("addr del 192.0.2.2/24 dev eth0");
    const end = startEnd(b, "gretap");
    await waitFor(() => end.state, { timeoutMs: 10_000, what: "a state" });
    expect(end.state).toMatchObject({
      up: false,
      reason: "Cannot send from 192.0.2.2: no interface has this address",
    });
    expect(linkOf(b)!.flags).toContain("NO-CARRIER");
    b.ip("addr add 192.0.2.2/24 dev eth0");
    await waitFor(() => end.state!.up, { timeoutMs: 1000, what: "it to come up" });
    expect(linkOf(b)!.flags).toContain("LOWER_UP");
    b.ip("addr del 192.0.2.2/24 dev eth0");
    await waitFor(() => !end.state!.up, { timeoutMs: 2000, what: "it to go down" });
    expect(end.state!.reason).toContain("192.0.2.2");
    b.ip("addr add 192.0.2.2/24 dev eth0");
    await waitFor(() => end.state!.up, { timeoutMs: 1000, what: "it to come up again" });
  }, 20_000);

  test("without a route it is down, and says so; a device that is missing is waited for", async () => {
    const far = new UserEnd(
      a,
      settings({ name: DEVICE, type: "gre", local: "192.0.2.1", remote: "203.0.113.9" }),
    );
    await waitFor(() => far.state, { timeoutMs: 10_000, what: "a state" });
    expect(far.state!.reason).toBe("Cannot reach 203.0.113.9 from 192.0.2.1: network is unreachable");
    const bound = startEnd(b, "gre", { dev: "eth9" });
    await waitFor(() => bound.state, { timeoutMs: 10_000, what: "a state" });
    expect(bound.state!.reason).toBe("Cannot bind tunnel tun1 to eth9: no such device");
  }, 20_000);

  test(
    "a far end that refuses its packets costs no processor time: the error is taken from either socket",
    async () => {
      const end = await startEnd(a, "gre", { pmtudisc: false }).up("10.1.1.1/24");
      const ticks = () => {
        const [user, system] = readFileSync(`/proc/${end.process.pid}/stat`, "utf8").split(" ").slice(13, 15);
        return Number(user) + Number(system);
      };
      // Nobody at the far end knows protocol 47: it says so by ICMP.
      await answersPing(a.namespace, "10.1.1.2");
      const before = ticks();
      await pause(SILENCE_MS);
      // Of 40 that a process can have in that time.
      expect(ticks() - before).toBeLessThan(15);
    },
    20_000,
  );

  test("follows the path's MTU", async () => {
    await startBoth("gre");
    expect(linkOf(a)!.mtu).toBe(1476);
    a.ip("link set eth0 mtu 1400");
    await waitFor(() => linkOf(a)!.mtu === 1376, { timeoutMs: 2500, what: "the new MTU" });
    a.ip("link set eth0 mtu 1500");
    await waitFor(() => linkOf(a)!.mtu === 1476, { timeoutMs: 2500, what: "the old MTU" });
  }, 20_000);

  test("a name that is taken is refused in words", async () => {
    a.ip(`link add ${DEVICE} type bridge`);
    try {
      const end = startEnd(a, "gretap");
      const { code } = await end.process.ended;
      expect(code).toBe(1);
      await waitFor(() => end.reports.length > 0, { timeoutMs: 1000, what: "its words" });
      expect(end.reports).toEqual([{
        type: "failed",
        reason: "Cannot create tunnel tun1: another interface has its name",
      }]);
    } finally {
      a.ip(`link del ${DEVICE}`);
    }
  });

  test.each([
    [
      "without /dev/net/tun",
      ["unshare", "-m", "sh", "-c", 'mount -t tmpfs none /dev/net; exec "$@"', "sh"],
      "there is no",
    ],
    ["without CAP_NET_ADMIN", ["setpriv", "--bounding-set", "-net_admin"], "CAP_NET_ADMIN is missing"],
  ])("says what is wrong %s", (_, wrapper, words) => {
    const wanted = settings({ name: DEVICE, type: "gretap", local: "192.0.2.1", remote: "192.0.2.2" });
    const program = [process.execPath, `${import.meta.dirname}/tunnel_user/program.ts`];
    const { code, stdout } = a.exec([...wrapper, ...program], { stdin: `${JSON.stringify(wanted)}\n` });
    expect(code).toBe(1);
    expect(JSON.parse(stdout).reason).toStartWith(`Cannot create tunnel tun1: ${words}`);
  });

  test("ignores signals, ends with its pipe, and leaves nothing; a deleted device ends it", async () => {
    const end = await startEnd(a, "gretap").up("10.1.1.1/24");
    const mac = linkOf(a)!.address;
    for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) end.process.kill(signal);
    await waitFor(() => end.counters !== null, { timeoutMs: 2500, what: "a report after the signals" });
    expect(end.process.end).toBeNull();
    expect(await end.hangUp()).toBe(0);
    expect(linkOf(a)).toBeNull();
    const again = await startEnd(a, "gretap").up();
    expect(linkOf(a)!.address).toBe(mac);
    a.ip(`link del ${DEVICE}`);
    expect((await again.process.ended).code).toBe(1);
  }, 20_000);

  test.each(["gretap", "gre"] as const)("VRRP runs over %s: one master, and fail-over", async (type) => {
    await startBoth(type, { ikey: 42, okey: 42 });
    const yaml = (priority: number) => webYaml(priority, { interface: DEVICE, addresses: ["10.9.0.100/24"] });
    const [first, second] = await Promise.all([a.startAppliance(yaml(150)), b.startAppliance(yaml(100))]);
    await first.waitState("web", "master", 5000);
    await second.waitState("web", "backup", 5000);
    await waitFor(async () => (await second.instance("web")).adverts.received > 2, {
      timeoutMs: 5000,
      what: "adverts through the tunnel",
    });
    await first.stop();
    await second.waitState("web", "master", 5000);
  }, 30_000);

  describe("kept by control", () => {
    const config = (wanted: Partial<TunnelConfig> = {}): TunnelConfig => ({
      ...settings({
        name: DEVICE,
        type: "gretap",
        local: "192.0.2.1",
        remote: "192.0.2.2",
        ikey: 42,
        okey: 42,
      }),
      ...{ addresses: [{ address: "10.1.1.1", prefix: 24, peer: null }], routes: [], keep: false },
      ...{ datapath: "user", keepalive: null },
      ...wanted,
    });

    interface Line {
      readonly status?: string;
      readonly error?: string | null;
      readonly repairs?: number;
      readonly process?:
        | { pid: number; up: boolean; counters: { received: { packets: number } } | null }
        | null;
    }

    function keep(lines: Line[], wanted: TunnelConfig): Running {
      const program = `${import.meta.dirname}/tunnel_user/keeper.ts`;
      return a.spawn(
        [process.execPath, program, JSON.stringify(wanted)],
        (line) => lines.push(JSON.parse(line)),
      );
    }

    function lastStatus(lines: readonly Line[]): Line | undefined {
      return lines.findLast(({ status }) => status !== undefined);
    }

    function pidOf(lines: readonly Line[]): number | null {
      return lines.findLast(({ process }) => process !== undefined)?.process?.pid ?? null;
    }

    async function up(lines: Line[], keeper: Running): Promise<void> {
      await waitFor(() => lastStatus(lines)?.status === "up", {
        timeoutMs: 10_000,
        what: "the tunnel to be up",
        explain: () => `${JSON.stringify(lines.slice(-3))}\n${keeper.stderr}`,
      });
    }

    test(
      "made, addressed, counted; put back when deleted and when its process is killed; removed",
      async () => {
        await startEnd(b, "gretap", { ikey: 42, okey: 42 }).up("10.1.1.2/24");
        const lines: Line[] = [];
        const keeper = keep(lines, config());
        await up(lines, keeper);
        expect(await answersPing(b.namespace, "10.1.1.1")).toBe(true);
        await waitFor(() => (lines.at(-1)?.process?.counters?.received.packets ?? 0) > 0, {
          timeoutMs: 2500,
          what: "counters",
        });
        const first = pidOf(lines)!;

        const deletedMs = performance.now();
        a.ip(`link del ${DEVICE}`);
        await waitFor(() => a.has("10.1.1.1"), {
          timeoutMs: 3000,
          what: "the tunnel to be back",
          everyMs: 5,
        });
        const backMs = performance.now() - deletedMs;
        expect(await answersPing(b.namespace, "10.1.1.1")).toBe(true);
        await waitFor(() => pidOf(lines) !== first && pidOf(lines) !== null, {
          timeoutMs: 1000,
          what: "a new process",
        });

        const killedMs = performance.now();
        process.kill(pidOf(lines)!, "SIGKILL");
        await waitFor(() => a.has("10.1.1.1") === false, {
          timeoutMs: 1000,
          what: "the device to go",
          everyMs: 2,
        });
        await waitFor(() => a.has("10.1.1.1"), {
          timeoutMs: 3000,
          what: "the tunnel to be back",
          everyMs: 5,
        });
        console.log(
          `a deleted user-space tunnel is back after ${backMs.toFixed(0)} ms, ` +
            `a killed one after ${(performance.now() - killedMs).toFixed(0)} ms`,
        );
        expect(backMs).toBeLessThan(1000);
        expect(performance.now() - killedMs).toBeLessThan(1000);
        expect(await answersPing(b.namespace, "10.1.1.1")).toBe(true);

        keeper.child.stdin!.end();
        expect((await keeper.ended).code).toBe(0);
        expect(linkOf(a)).toBeNull();
      },
      30_000,
    );

    test(
      "the tap gets another MAC address: the keepalive asks from that one, and the far end learns no other",
      async () => {
        await startEnd(b, "gretap", { ikey: 42, okey: 42 }).up("10.1.1.2/24");
        const lines: Line[] = [];
        const keepalive = { intervalMs: 100, retries: 3, target: "10.1.1.2", methods: ["arp"] } as const;
        await up(lines, keep(lines, config({ keepalive })));
        const mac = "02:00:00:00:00:77";
        const knows = () => run(["ip", "-n", b.namespace, "neigh", "show", "10.1.1.1"]).stdout.includes(mac);
        a.ip(`link set ${DEVICE} address ${mac}`);
        await waitFor(knows, { timeoutMs: 2000, what: "the far end to learn it" });
        await holds(knows, { forMs: 500, what: "what the far end knows" });
      },
      30_000,
    );

    test(
      "a route that somebody replaces is put back before it; one that was there first is left alone",
      async () => {
        await startEnd(b, "gretap", { ikey: 42, okey: 42 }).up("10.1.1.2/24");
        const bare = { via: null, metric: null, source: null, table: null };
        const routes = [
          { ...bare, destination: "10.8.0.0", prefix: 16 },
          { ...bare, destination: "10.8.0.0", prefix: 16, metric: 7 },
          { ...bare, destination: "2001:db8:8::", prefix: 48 },
        ];
        const ways = (family: string, to: string) => {
          const text = must(["ip", family, "-n", a.namespace, "route", "show", to]);
          return text.trim().split("\n").map((line) => / dev (\S+)/.exec(line)?.[1]);
        };
        a.ip("route add 10.8.0.0/16 via 192.0.2.9");
        const lines: Line[] = [];
        const keeper = keep(lines, config({ routes }));
        const error = () => lastStatus(lines)?.error ?? "";
        const explain = () => `${JSON.stringify(lines.slice(-3))}\n${keeper.stderr}`;
        await waitFor(() => error().includes("there is another route of that destination"), {
          timeoutMs: 10_000,
          what: "the conflict",
          explain,
        });
        expect(ways("-4", "10.8.0.0/16")).toEqual(["eth0"]);
        a.ip("route del 10.8.0.0/16 via 192.0.2.9");
        await waitFor(() => lastStatus(lines)?.status === "up", {
          timeoutMs: 2000,
          what: "the tunnel without it",
          explain,
        });

        a.ip("route replace 10.8.0.0/16 via 192.0.2.9");
        await waitFor(() => ways("-4", "10.8.0.0/16").join() === `${DEVICE},eth0,${DEVICE}`, {
          timeoutMs: 1000,
          what: "ours in front",
          explain,
        });
        must(["ip", "-6", "-n", a.namespace, "route", "replace", "2001:db8:8::/48", "dev", "eth0"]);
        await waitFor(() => ways("-6", "2001:db8:8::/48").join() === DEVICE, {
          timeoutMs: 1000,
          what: "ours alone",
          explain,
        });
        // Now there is one that waits behind ours.
        a.ip(`route del 10.8.0.0/16 dev ${DEVICE} metric 0`);
        await waitFor(() => ways("-4", "10.8.0.0/16").join() === `${DEVICE},eth0,${DEVICE}`, {
          timeoutMs: 1000,
          what: "ours in front again",
          explain,
        });
        expect(lastStatus(lines)!.status).toBe("up");
      },
      30_000,
    );

    test("a changed key is taken over; a killed control takes its tunnel along", async () => {
      await startEnd(b, "gretap", { ikey: 43, okey: 43 }).up("10.1.1.2/24");
      const lines: Line[] = [];
      const keeper = keep(lines, config());
      await up(lines, keeper);
      expect(await answersPing(b.namespace, "10.1.1.1", { timeoutMs: SILENCE_MS })).toBe(false);
      keeper.child.stdin!.write(`${JSON.stringify(config({ ikey: 43, okey: 43 }))}\n`);
      await waitFor(() => answersPing(b.namespace, "10.1.1.1"), { timeoutMs: 5000, what: "the new key" });
      keeper.kill("SIGKILL");
      await waitFor(() => linkOf(a) === null, { timeoutMs: 1000, what: "the device to go", everyMs: 5 });
    }, 30_000);

    test("without its local address it is down, in words, and comes up by itself", async () => {
      a.ip("addr del 192.0.2.1/24 dev eth0");
      const lines: Line[] = [];
      const keeper = keep(lines, config());
      await waitFor(() => lastStatus(lines)?.status === "down", {
        timeoutMs: 10_000,
        what: "the tunnel to be down",
        explain: () => `${JSON.stringify(lines.slice(-3))}\n${keeper.stderr}`,
      });
      expect(lastStatus(lines)!.error).toBe("Cannot send from 192.0.2.1: no interface has this address");
      a.ip("addr add 192.0.2.1/24 dev eth0");
      await waitFor(() => lastStatus(lines)?.status === "up", {
        timeoutMs: 1500,
        what: "the tunnel to be up",
      });
    }, 30_000);
  });
});
