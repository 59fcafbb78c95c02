/**
 * One round of random reloads on one side or two, with accidents, each step judged once it has settled.
 *
 * `APPLIANCE_FUZZ_SEED` = seed of the first round, `APPLIANCE_FUZZ_ROUNDS` = how many,
 * `APPLIANCE_FUZZ_STEPS` = reloads in each, `APPLIANCE_FUZZ_ONLY` = `alone` or `pair`, `APPLIANCE_FUZZ_TRACE=1` tells
 * every step.
 *
 * @module
 */
import { type Random, seededRandom } from "../../sim/random.ts";
import { killAll, waitFor } from "../lab.ts";
import { carrierOf, families, labelOf, render } from "./config.ts";
import { change, companions, firstPlan, type Plan, type Router, STATIC } from "./plan.ts";
import type { Document, Side } from "./side.ts";

const TRACE = process.env["APPLIANCE_FUZZ_TRACE"] === "1";
/** Until everything is as it should be: longer than a hand-over and a lease together, on a busy machine. */
const SETTLE_MS = 10_000;

/** What happens around a reload. `calm` = nothing that runs may notice. */
interface Accident {
  readonly calm: boolean;
  /** Before the reload; what it returns is done after it. */
  readonly act: (side: Side, plan: Plan, random: Random) => Promise<void | (() => Promise<void> | void)>;
}

const NONE: Accident = { calm: true, act: () => Promise.resolve() };

const ACCIDENTS: Readonly<Record<string, Accident>> = {
  flap: {
    calm: false,
    act(side, _, random) {
      const device = random.pick(["eth0", "eth1"]);
      const late = random.chance(0.5);
      const back = () => side.node.replug(device);
      side.node.unplug(device);
      if (!late) back();
      return Promise.resolve(late ? back : undefined);
    },
  },
  newDevice: {
    calm: false,
    act(side, _, random) {
      const device = random.pick(["eth0", "eth1"]);
      side.node.removeDevice(device);
      side.shuffled = true;
      const back = () => side.node.recreateDevice(device);
      const late = random.chance(0.5);
      if (!late) back();
      return Promise.resolve(late ? back : undefined);
    },
  },
  stranger: {
    calm: false,
    act(side, _, random) {
      const remove = () => {
        const held = side.addresses().filter(({ device, address }) =>
          !side.own.includes(`${device} ${address}`)
        );
        for (const { device, address } of held) {
          if (random.chance(0.5)) side.node.exec(["ip", "addr", "del", address, "dev", device]);
        }
        side.mend();
        for (const family of ["-4", "-6"]) {
          if (random.chance(0.3)) {
            side.node.exec(["ip", family, "route", "flush", "table", "all", "proto", "112"]);
          }
        }
      };
      if (random.chance(0.5)) return Promise.resolve(remove);
      remove();
      return Promise.resolve();
    },
  },
  control: {
    calm: true,
    act(side, _, random) {
      const kill = async () => {
        const pid = side.daemon.controlPid;
        if (pid === null) return;
        killAll([pid]);
        await waitFor(() => side.daemon.controlPid !== null && side.daemon.controlPid !== pid, {
          timeoutMs: 5000,
          what: "another control",
        });
        await side.daemon.ready();
      };
      return random.chance(0.5) ? kill().then(() => {}) : Promise.resolve(kill);
    },
  },
  release: {
    calm: true,
    async act(side, plan, random) {
      const router = random.pick(plan.routers);
      await side.ask(`/release/${router.name}`);
      // In maintenance all stand back already.
      if (!side.maintenance) side.hold(plan, new Set([...side.held, router.id]));
    },
  },
  resume: {
    calm: true,
    async act(side, plan, random) {
      const held = plan.routers.filter(({ id }) => side.held.has(id));
      if (held.length === 0 || side.maintenance) return;
      const router = random.pick(held);
      await side.ask(`/resume/${router.name}`);
      for (const { id } of companions(plan, router)) side.held.delete(id);
    },
  },
  maintenance: {
    calm: true,
    async act(side) {
      side.maintenance = !side.maintenance;
      await side.ask("/maintenance", { on: side.maintenance });
      // What was held back by name is forgotten with it.
      side.held.clear();
    },
  },
  probe: {
    calm: true,
    act(side, plan, random) {
      const name = random.pick(plan.probes);
      side.setProbe(name, !side.up.has(name));
      return Promise.resolve();
    },
  },
  takeOver: {
    calm: false,
    act: (side, plan) => side.again(plan, ["--resume"]),
  },
  crash: {
    calm: false,
    async act(side, plan) {
      await side.daemon.killHard();
      await side.again(plan, []);
    },
  },
};

/** The routers that are to be master on each side. */
function mastersOf(sides: readonly Side[], plan: Plan): readonly ReadonlySet<number>[] {
  const best = new Map(plan.routers.map((router) => {
    const able = sides.filter((side) => side.mayLead(plan, router));
    const rank = (side: Side) => side.priority(router);
    return [router.id, able.sort((a, b) => rank(b) - rank(a))[0]];
  }));
  return sides.map((side) => new Set([...best].filter(([, leader]) => leader === side).map(([id]) => id)));
}

async function differences(sides: readonly Side[], plan: Plan): Promise<string[]> {
  const masters = mastersOf(sides, plan);
  const lists = await Promise.all(sides.map((side, index) => side.differences(plan, masters[index]!)));
  return lists.flat();
}

/** Waits until all is as the plan wants it. */
async function settle(sides: readonly Side[], plan: Plan): Promise<void> {
  let last: string[] = [];
  await waitFor(async () => (last = await differences(sides, plan)).length === 0, {
    timeoutMs: SETTLE_MS,
    everyMs: 30,
    what: "the cluster to be as the config has it",
    explain: () => last.join("\n"),
  });
}

/** Routers that were master before and after, and that nothing had to move. */
function undisturbed(
  side: Side,
  before: Plan,
  was: ReadonlySet<number>,
  after: Plan,
  is: ReadonlySet<number>,
) {
  const isFree = ({ group, follows, probe }: Router) =>
    group === null && follows === null && probe?.weight !== 0;
  return after.routers.filter((router) => {
    const old = before.routers.find(({ id }) => id === router.id);
    return old !== undefined && isFree(old) && isFree(router) && was.has(router.id) && is.has(router.id) &&
      old.vmac === router.vmac && families(before, old) === families(after, router) &&
      side.mayLead(after, router);
  });
}

/** What a calm reload did to routers and addresses that it should have left alone. */
function disturbances(
  side: Side,
  before: Plan,
  was: Document,
  after: Plan,
  is: Document,
  stayed: readonly Router[],
): string[] {
  const found: string[] = [];
  const named = ({ instances }: Document, name: string) => instances.find((one) => one.name === name)!;
  for (const router of stayed) {
    const old = named(was, before.routers.find(({ id }) => id === router.id)!.name);
    const now = named(is, router.name);
    for (const key of ["transitions", "since"] as const) {
      if (old[key] !== now[key]) {
        found.push(`${router.name} has ${key} ${now[key]}, not ${old[key]} as before`);
      }
    }
    if (now.adverts.sent < old.adverts.sent) found.push(`${router.name} forgot what it has sent`);
  }
  const ids = new Set([STATIC, ...stayed.map(({ id }) => id)]);
  for (const vip of after.vips) {
    const old = before.vips.find(({ address }) => address === vip.address)!;
    if (old.owner === null || vip.owner === null || !ids.has(old.owner) || !ids.has(vip.owner)) continue;
    const lease = (plan: Plan, owner: number) => plan.routers.find(({ id }) => id === owner)?.lease ?? "off";
    const device = carrierOf(after, vip);
    const alike = old.prefix === vip.prefix && labelOf(before, old) === labelOf(after, vip) &&
      carrierOf(before, old) === device &&
      (lease(before, old.owner) === lease(after, vip.owner) || !vip.address.includes(":"));
    const text = `${device} ${vip.address}/${vip.prefix}`;
    // With the first of a subnet the kernel takes the others away, and that is a virtual one where it came first.
    if (side.shuffled && !vip.address.includes(":")) continue;
    if (alike && side.deleted.includes(text)) found.push(`${text} was taken away for a while`);
  }
  found.push(...side.told().filter((line) => / (repair|error)\./.test(line)).map((line) => `told: ${line}`));
  return found.map((line) => `${side.node.name}: ${line}`);
}

/** One round; throws with all that is needed to see what went wrong. */
export async function runRound(seed: number, steps: number, sides: readonly Side[]): Promise<void> {
  const random = seededRandom(seed);
  const alone = sides.length === 1;
  const story: string[] = [];
  const tell = (line: string) => {
    story.push(line);
    if (TRACE) console.log(`${sides[0]!.node.name}: ${line}`);
  };
  let plan = firstPlan(random);
  let before = plan;
  let yaml = "";
  try {
    await Promise.all(sides.map((side) => side.start(plan)));
    await settle(sides, plan);
    for (let step = 1; step <= steps; step++) {
      before = structuredClone(plan);
      plan = structuredClone(plan);
      const changes = random.chance(0.93) ? change(plan, random, alone) : [];
      const unlucky = random.pick(sides);
      const name = random.chance(0.5) ? "none" : random.pick(Object.keys(ACCIDENTS));
      tell(`${step}. ${name} on ${unlucky.node.name}; ${changes.join("; ") || "nothing"}`);
      const accident = ACCIDENTS[name] ?? NONE;
      const was = await Promise.all(sides.map((side) => side.document()));
      const [led] = [mastersOf(sides, before)];
      for (const side of sides) side.forget();
      yaml = render(before, 0, "DIR") + "--- to ---\n" + render(plan, 0, "DIR");
      const after = await accident.act(unlucky, before, random);
      for (const side of random.chance(0.5) ? sides : [...sides].reverse()) {
        for (const probe of plan.probes) if (!before.probes.includes(probe)) side.setProbe(probe, true);
        side.write(plan);
        await side.ask("/reload");
        side.inherit(before, plan);
        if (!alone && random.chance(0.3)) await Bun.sleep(random.int(0, 800));
      }
      await after?.();
      await settle(sides, plan);
      if (!accident.calm) continue;
      const masters = mastersOf(sides, plan);
      const found = await Promise.all(sides.map(async (side, index) => {
        const stayed = undisturbed(side, before, led[index]!, plan, masters[index]!);
        return disturbances(side, before, was[index]!, plan, await side.document(), stayed);
      }));
      if (found.flat().length > 0) {
        throw new Error(`A reload disturbed what it did not change:\n${found.flat().join("\n")}`);
      }
    }
    for (const side of sides) {
      const { code } = await side.daemon.stop();
      if (code !== 0) throw new Error(`${side.node.name} ended with ${code}`);
      const left = side.leftovers();
      if (left.length > 0) throw new Error(`${side.node.name} left behind:\n${left.join("\n")}`);
    }
  } catch (error) {
    const logs = sides.map((side) => side.daemon?.log.split("\n").slice(-80).join("\n"));
    const how = `APPLIANCE_FUZZ_SEED=${seed} APPLIANCE_FUZZ_STEPS=${steps} APPLIANCE_FUZZ_ROUNDS=1 fails:`;
    throw new Error([how, (error as Error).message, ...story, yaml, ...logs].join("\n"));
  } finally {
    for (const side of sides) {
      await side.daemon?.close();
      side.clean();
    }
  }
}
