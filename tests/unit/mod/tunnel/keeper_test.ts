import { afterEach, expect, test } from "bun:test";
import { type Datapath, UnsupportedError } from "../../../../mod/tunnel/datapath.ts";
import type { TunnelConfig, TunnelReport } from "../../../../mod/tunnel/model.ts";
import { modprobeFailure } from "../../../../mod/tunnel/modules.ts";
import { createTunnelKeeper, type TunnelKeeper } from "../../../../mod/tunnel/shell.ts";
import { waitFor } from "../../../netns/lab/wait.ts";
import { tunnel } from "./helpers.ts";

/** The loopback stands for a tunnel's interface: it is there and up, and nothing about it is to be changed. */
const LO: Partial<TunnelConfig> = { name: "lo", addresses: [], local: "127.0.0.1" };

let keeper: TunnelKeeper | null = null;
afterEach(async () => {
  await keeper?.stop();
  keeper = null;
});

function datapath(
  kind: Datapath["kind"],
  ensure: Datapath["ensure"],
): Datapath & { readonly removed: string[] } {
  const removed: string[] = [];
  return {
    kind,
    ensure,
    removed,
    remove: ({ name }) => {
      removed.push(name);
      return Promise.resolve();
    },
  };
}

const works: Datapath["ensure"] = () => Promise.resolve({ did: "nothing" });
const cannot: Datapath["ensure"] = ({ name }) =>
  Promise.reject(new UnsupportedError(`Cannot create ${name}: no GRE`));

function start(
  config: TunnelConfig,
  kernel: Datapath,
  user: Datapath | null,
  reports: TunnelReport[] = [],
): TunnelKeeper {
  keeper = createTunnelKeeper([config], (report) => void reports.push(report), { kernel, user });
  return keeper;
}

function until(what: string, condition: () => boolean): Promise<boolean> {
  return waitFor(condition, { timeoutMs: 2000, what });
}

test("auto prefers the kernel, and takes the other one where the kernel cannot", async () => {
  const reports: TunnelReport[] = [];
  const first = start(tunnel(LO), datapath("kernel", works), datapath("user", works), reports);
  await until("a report", () => reports.length > 0);
  expect(reports[0]).toMatchObject({ name: "lo", from: "unknown", changed: true, repaired: null });
  expect(first.snapshot()[0]!.state).toMatchObject({ status: "up", link: { datapath: "kernel" } });
  await first.stop();
  const user = datapath("user", works);
  const second = start(tunnel(LO), datapath("kernel", cannot), user);
  await until("it to be up", () => second.snapshot()[0]!.state.status === "up");
  expect(second.snapshot()[0]!.state.link!.datapath).toBe("user");
  await second.stop();
  expect(user.removed).toEqual(["lo"]);
});

test("kernel alone stays down with the reason, and is tried again", async () => {
  let works = false;
  const kernel = datapath("kernel", () => works ? Promise.resolve({ did: "made" }) : cannot(tunnel(LO)));
  const { snapshot } = start(tunnel({ ...LO, datapath: "kernel" }), kernel, datapath("user", cannot));
  await until("it to be down", () => snapshot()[0]!.state.status === "down");
  expect(snapshot()[0]!.state.error).toBe("Cannot create lo: no GRE");
  works = true;
  await until("it to be up", () => snapshot()[0]!.state.status === "up");
  expect(snapshot()[0]!.state.repairs).toBe(0);
});

test("where neither datapath can, both reasons are told", async () => {
  const none = ({ name }: TunnelConfig) =>
    Promise.reject(new UnsupportedError(`Cannot create tunnel ${name}: no tun`));
  const { snapshot } = start(tunnel(LO), datapath("kernel", cannot), datapath("user", none));
  await until("it to be down", () => snapshot()[0]!.state.status === "down");
  expect(snapshot()[0]!.state.error).toBe("Cannot create lo: no GRE; in user space: no tun");
});

test("another datapath by a reload: the one before lets go first", async () => {
  const kernel = datapath("kernel", works);
  const { update, snapshot } = start(tunnel(LO), kernel, datapath("user", works));
  await until("it to be up", () => snapshot()[0]!.state.status === "up");
  update([tunnel({ ...LO, datapath: "user" })]);
  await until("the other one to have it", () => snapshot()[0]!.state.link?.datapath === "user");
  expect(kernel.removed).toEqual(["lo"]);
});

test("keep leaves it where it is; so does stopping with keep; removal is not reported", async () => {
  const kernel = datapath("kernel", works);
  const reports: TunnelReport[] = [];
  const { update, snapshot, stop } = start(tunnel({ ...LO, keep: true }), kernel, null, reports);
  await until("it to be up", () => snapshot()[0]!.state.status === "up");
  update([]);
  expect(snapshot()).toEqual([]);
  update([tunnel(LO)]);
  await until("it to be up again", () => snapshot()[0]!.state.status === "up");
  await stop({ handedOn: true });
  expect(kernel.removed).toEqual([]);
  expect(reports.every(({ changed }) => changed)).toBe(true);
});

test("one that goes and comes again waits for its own end", async () => {
  const order: string[] = [];
  let release = () => {};
  const kernel: Datapath = {
    kind: "kernel",
    ensure: () => {
      order.push("ensure");
      return Promise.resolve({ did: "nothing" });
    },
    remove: () => {
      order.push("remove");
      return new Promise((resolve) => release = resolve);
    },
  };
  const { update, snapshot } = start(tunnel(LO), kernel, null);
  await until("it to be up", () => snapshot()[0]!.state.status === "up");
  update([]);
  update([tunnel(LO)]);
  await until("the removal", () => order.includes("remove"));
  expect(order).toEqual(["ensure", "remove"]);
  release();
  await until("it to be made again", () => order.length === 3);
  await until("it to be up", () => snapshot()[0]!.state.status === "up");
  kernel.remove = () => Promise.resolve();
});

test("why a module could not be loaded is said once, in the words of modprobe", () => {
  const fatal = "modprobe: FATAL: Module ip_gre not found in directory /lib/modules/6.1.0.\n";
  expect(modprobeFailure(fatal, new Error("Command failed: modprobe ip_gre"))).toBe(
    "Module ip_gre not found in directory /lib/modules/6.1.0",
  );
  const missing = Object.assign(new Error('Executable not found in $PATH: "modprobe"'), { code: "ENOENT" });
  expect(modprobeFailure("", missing)).toBe("there is no such program");
});
