/**
 * Random reloads: after each the kernel holds, and the daemon tells, what the config asks for and nothing else. How to
 * run more of them, or one again: see `fuzz/round.ts`.
 */
import { afterAll, beforeAll, test } from "bun:test";
import { runRound } from "./fuzz/round.ts";
import { Side } from "./fuzz/side.ts";
import { createLab, describeLab, type Lab } from "./lab.ts";

const numberOr = (name: string, usual: number) => Number(process.env[`APPLIANCE_FUZZ_${name}`] ?? usual);

/** Always the same here: a machine in real time repeats nothing exactly, and others are for long runs. */
const SEED = numberOr("SEED", 10_000);
const ROUNDS = numberOr("ROUNDS", 1);
const STEPS = numberOr("STEPS", 8);
const ONLY = process.env["APPLIANCE_FUZZ_ONLY"];
const KINDS = ["alone", "pair"].filter((kind) => ONLY === undefined || kind === ONLY);
const LIMIT_MS = 30_000 + ROUNDS * STEPS * 15_000;

describeLab("random reloads", [], () => {
  let lab: Lab;
  const outcomes = new Map<string, Promise<number>>();

  beforeAll(() => {
    lab = createLab("fuzz");
    const side = (name: string, index: number, where: string) => {
      const own = [0, 1].map((
        net,
      ) => [`10.${net}.0.${index + 1}/24`, `2001:db8:${net + 1}::${index + 1}/64`]);
      const node = lab.node(name, { switch: lab.switch(`${where}0`), addresses: own[0]! });
      node.plug({ device: "eth1", switch: lab.switch(`${where}1`), addresses: own[1]! });
      const text = own.flatMap((list, net) => list.map((one) => `eth${net} ${one}`));
      const made = new Side(node, index, text);
      made.watchDeletions();
      return made;
    };
    const begin = (kind: string) => {
      const sides = kind === "alone" ? [side("one", 0, "s")] : [side("a", 0, "p"), side("b", 1, "p")];
      const rounds = (async () => {
        const failures: string[] = [];
        for (let seed = SEED; seed < SEED + ROUNDS; seed++) {
          await runRound(seed, STEPS, sides).catch((error: Error) => failures.push(error.message));
        }
        if (failures.length > 0) throw new Error(failures.join("\n\n"));
        return ROUNDS;
      })();
      rounds.catch(() => {});
      outcomes.set(kind, rounds);
    };
    // Side by side: they mostly wait.
    for (const kind of KINDS) begin(kind);
  }, 30_000);
  afterAll(() => lab.close(), 30_000);

  for (const kind of KINDS) {
    test(`${kind}: the kernel and the daemon follow the config`, async () => {
      const rounds = await outcomes.get(kind);
      console.log(`random reloads, ${kind}: ${rounds} × ${STEPS} from seed ${SEED}`);
    }, LIMIT_MS);
  }
});
