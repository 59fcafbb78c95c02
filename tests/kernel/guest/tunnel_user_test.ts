/** A tunnel with the kernel's GRE at one end and our process at the other. */
import { afterAll, afterEach, beforeAll, expect, test } from "bun:test";
import type { TunnelType } from "../../../mod/tunnel/model.ts";
import { createLab, type Lab, type LabNode } from "../../netns/lab.ts";
import { settings, UserEnd } from "../../netns/tunnel_user/end.ts";
import { describeGuest } from "./guest.ts";
import { answersPing } from "./ping.ts";
import { echoedByTcp } from "./tcp.ts";

const DEVICE = "tunnel1";
const SILENCE_MS = 400;

describeGuest("user-space tunnels against the kernel's", () => {
  let lab: Lab;
  let kernel: LabNode;
  let user: LabNode;

  beforeAll(() => {
    lab = createLab("usergre");
    kernel = lab.node("kernel", { addresses: ["192.0.2.1/24", "2001:db8::1/64"] });
    user = lab.node("user", { addresses: ["192.0.2.2/24", "2001:db8::2/64"] });
  }, 30_000);
  afterEach(() => lab.reset(), 30_000);
  afterAll(() => lab?.close(), 30_000);

  /** The kernel's end, by ip. */
  function addKernelEnd(type: TunnelType, options: string): void {
    const six = type.startsWith("ip6");
    const outer = six ? "2001:db8::" : "192.0.2.";
    const mode = six ? "encaplimit none" : "";
    kernel.ip(
      `link add ${DEVICE} type ${type} local ${outer}1 remote ${outer}2 ttl 64 ${mode} ${options}`,
      `addr add 10.1.1.1/24 dev ${DEVICE}`,
      `addr add 2001:db8:1::1/64 dev ${DEVICE} nodad`,
      `link set ${DEVICE} up`,
    );
  }

  function startUserEnd(type: TunnelType, wanted: Partial<UserEnd["settings"]>): Promise<UserEnd> {
    const outer = type.startsWith("ip6") ? "2001:db8::" : "192.0.2.";
    return new UserEnd(
      user,
      settings({ name: DEVICE, type, local: `${outer}2`, remote: `${outer}1`, ...wanted }),
    ).up("10.1.1.2/24", "2001:db8:1::2/64");
  }

  function mtuOfKernelEnd(): number {
    const { stdout } = kernel.exec(["cat", `/sys/class/net/${DEVICE}/mtu`]);
    return Number(stdout);
  }

  const KEYED = { ikey: 42, okey: 42, checksum: true, sequence: true };
  test.each(
    [
      ["gre", "key 42 csum seq", KEYED],
      ["gretap", "", {}],
      ["gretap", "key 42 csum seq", KEYED],
      ["ip6gre", "", {}],
      ["ip6gretap", "key 42 csum seq", KEYED],
    ] as const,
  )("%s %s carries ping of both families, and TCP both ways", async (type, options, wanted) => {
    addKernelEnd(type, options);
    try {
      const end = await startUserEnd(type, wanted);
      expect(await answersPing(user.namespace, "10.1.1.1")).toBe(true);
      expect(await answersPing(kernel.namespace, "2001:db8:1::2")).toBe(true);
      expect(end.state!.mtu).toBe(mtuOfKernelEnd());
      const size = end.state!.mtu - 28;
      expect(await answersPing(user.namespace, "10.1.1.1", { size })).toBe(true);
      // The kernel leaves checksums and segmentation to a device that is none: what we get is unfinished.
      for (const [from, to, address] of [[kernel, user, "10.1.1.2"], [user, kernel, "10.1.1.1"]] as const) {
        expect(await echoedByTcp(from, to, address)).toBe(256 << 10);
      }
      expect(end.counters!.dropped).toEqual({});
    } finally {
      kernel.ip(`link del ${DEVICE}`);
    }
  }, 60_000);

  test("each is deaf to another key", async () => {
    addKernelEnd("gretap", "key 42");
    try {
      await startUserEnd("gretap", { ikey: 43, okey: 43 });
      expect(await answersPing(user.namespace, "10.1.1.1", { timeoutMs: SILENCE_MS })).toBe(false);
      expect(await answersPing(kernel.namespace, "10.1.1.2", { timeoutMs: SILENCE_MS })).toBe(false);
    } finally {
      kernel.ip(`link del ${DEVICE}`);
    }
  }, 30_000);

  test("a kernel that counted far ahead hears an end that was started anew", async () => {
    addKernelEnd("gretap", "key 42 seq");
    try {
      const wanted = { ikey: 42, okey: 42, sequence: true };
      const end = await startUserEnd("gretap", wanted);
      for (let round = 0; round < 10; round++) {
        expect(await answersPing(user.namespace, "10.1.1.1")).toBe(true);
      }
      await end.hangUp();
      await startUserEnd("gretap", wanted);
      expect(await answersPing(user.namespace, "10.1.1.1", { timeoutMs: 1500 })).toBe(true);
    } finally {
      kernel.ip(`link del ${DEVICE}`);
    }
  }, 30_000);
});
