/**
 * Somebody repeats authenticated advertisements that he has recorded: a cluster at rest does not care, and one in
 * trouble finds its master all the same once he is done.
 *
 * @module
 */
import { parseAddress } from "../../lib/packet/mod.ts";
import type { Datagram } from "./datagram.ts";
import { healthyScenario, leadersOf, rest } from "./healthy.ts";
import * as life from "./life.ts";
import { seededRandom } from "./random.ts";
import type { Figures } from "./runs.ts";

/** Who repeats is no router of the cluster. */
const STRANGER = parseAddress("10.9.0.250")!;

/** Repeats packets to routers of a random cluster. */
export function schedule(seed: number): Figures {
  const random = seededRandom(seed);
  const scenario = healthyScenario(random, { authenticated: true });
  const { world } = scenario;
  const recorded = new Map<number, Datagram[]>();
  let repeated = 0;
  const record = () => {
    for (const { id, history } of world.segments) {
      const known = recorded.get(id) ?? [];
      known.push(...history.filter((datagram) => !known.includes(datagram)));
      recorded.set(id, known);
    }
  };
  /** All that was sent is recorded, and some of it comes again, each packet at least once after a newer one was heard. */
  const repeat = (span: number) => {
    const end = world.now + span;
    while (world.now < end) {
      record();
      const segment = random.pick(world.segments);
      const router = random.pick(segment.routers);
      const datagram = random.pick(recorded.get(segment.id)!);
      const { ahSequence } = router.state;
      const stale = (datagram.ah?.sequence ?? 0) <= ahSequence;
      world.excuse(router);
      if (stale) {
        const forged = random.chance(0.2) ? { ...datagram, source: STRANGER } : datagram;
        world.deliver(router, forged);
        repeated++;
      }
      world.run(world.now + Math.round(random.next() * scenario.interval / 4));
    }
  };
  world.run(world.now + 3 * scenario.interval);
  const before = world.routers.map(({ state }) => state.transitions);
  repeat(6 * scenario.interval);
  const after = world.routers.map(({ state }) => state.transitions);
  if (String(before) !== String(after)) throw new Error("A cluster at rest is moved by repetitions");
  const [leader] = leadersOf(scenario);
  if (leader !== undefined) {
    life.powerOff(world, leader);
    repeat(4 * scenario.interval);
    life.start(world, leader);
    repeat(4 * scenario.interval);
  }
  rest(scenario);
  return { repeated };
}
