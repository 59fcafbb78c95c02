/** Whatever happens in whatever order: nothing throws, time goes on, and effects agree with the state. */
import { expect, test } from "bun:test";
import fc from "fast-check";
import { parseAddress, VRRP_IPV4_GROUP } from "../../../../lib/packet/mod.ts";
import type { VrrpConfig } from "../../../../mod/vrrp/config.ts";
import type { Conditions, ReceivedPacket, VrrpEvent } from "../../../../mod/vrrp/model.ts";
import { initialState, nextDue, step } from "../../../../mod/vrrp/step.ts";
import { instanceReport } from "../../../../mod/vrrp/view.ts";
import { config, HIGHER, LOWER, MS, SELF, START, vip } from "./rig.ts";

const addresses = fc.subarray(["10.9.0.1", "10.9.0.2"]).map((list) => list.map(vip));

const configs: fc.Arbitrary<VrrpConfig> = fc.record({
  version: fc.constantFrom(2 as const, 3 as const),
  priority: fc.constantFrom(1, 99, 100, 101, 254, 255),
  intervalCs: fc.constantFrom(100, 200),
  preempt: fc.boolean(),
  preemptDelayMs: fc.constantFrom(0, 0, 1500),
  takeoverDelayMs: fc.constantFrom(0, 0, 700),
  downAdverts: fc.constantFrom(2, 3),
  addresses,
  handover: fc.constantFrom("fast" as const, "rfc" as const),
  group: fc.constantFrom(null, null, "site"),
}).map(config);

const conditions: fc.Arbitrary<Conditions> = fc.record({
  source: fc.constantFrom(parseAddress(SELF), parseAddress(SELF), null),
  faults: fc.oneof({ weight: 4, arbitrary: fc.constant([]) }, fc.constant(["interface eth0 is down"])),
  waiting: fc.oneof({ weight: 4, arbitrary: fc.constant([]) }, fc.constant(["probe:nginx"])),
  adjustments: fc.array(
    fc.record({ source: fc.constant("probe:x"), weight: fc.integer({ min: -253, max: 253 }) }),
    {
      maxLength: 2,
    },
  ),
  settled: fc.boolean(),
  deaf: fc.boolean(),
});

const packets: fc.Arbitrary<ReceivedPacket> = fc.record({
  source: fc.constantFrom(LOWER, HIGHER, "10.1.1.9", SELF).map((text) => parseAddress(text)!),
  destination: fc.constantFrom(VRRP_IPV4_GROUP, VRRP_IPV4_GROUP, VRRP_IPV4_GROUP, Uint8Array.of(10, 1, 1, 2)),
  ttl: fc.constantFrom(255, 255, 255, 64),
  decode: fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({
        ok: fc.constant(true as const),
        checksumForm: fc.constantFrom("rfc" as const, "pseudo" as const),
        advert: fc.record({
          version: fc.constantFrom(2 as const, 3 as const),
          vrid: fc.constantFrom(51, 51, 51, 52),
          priority: fc.constantFrom(0, 1, 99, 100, 101, 254, 255),
          addresses: fc.constant([]),
          intervalCs: fc.constantFrom(100, 100, 200, 1),
          authType: fc.constantFrom(0, 0, 0, 1),
        }),
      }),
    },
    fc.constant({ ok: false as const, reason: "interval" as const, vrid: 51, version: 3 }),
  ),
});

const lingers = fc.constantFrom(0, 800 * MS);
const events: fc.Arbitrary<VrrpEvent> = fc.oneof(
  { weight: 8, arbitrary: fc.constant<VrrpEvent>({ type: "timer" }) },
  { weight: 6, arbitrary: fc.record({ type: fc.constant("packet" as const), packet: packets }) },
  { weight: 4, arbitrary: fc.record({ type: fc.constant("conditions" as const), conditions }) },
  fc.record({ type: fc.constant("configure" as const), config: configs }),
  fc.record({ type: fc.constant("release" as const), reason: fc.constant("released"), lingerNs: lingers }),
  { weight: 2, arbitrary: fc.constant<VrrpEvent>({ type: "resume" }) },
  fc.constant<VrrpEvent>({ type: "own-failed", error: "no" }),
  fc.constant<VrrpEvent>({ type: "promote", reason: "all are ready" }),
  fc.constant<VrrpEvent>({ type: "demote", reason: "one is not" }),
);

/** null = just when it is due. */
const waits = fc.oneof(fc.constant(null), fc.constantFrom(0, 1 * MS, 40 * MS, 1000 * MS, 9000 * MS));

test("every sequence of events is answered, and what is owned follows the phase", () => {
  fc.assert(
    fc.property(configs, fc.array(fc.tuple(waits, events), { maxLength: 60 }), (first, sequence) => {
      let state = initialState(first, START);
      let now = START;
      let holds = false;
      for (const [wait, event] of sequence) {
        const due = nextDue(state);
        now = wait === null ? (Number.isFinite(due) ? Math.max(now, due) : now) : now + wait;
        const before = state;
        const result = step(state, event, now);
        state = result.state;
        let phase = before.phase;
        for (const effect of result.effects) {
          if (effect.type === "own-addresses") holds = true;
          if (effect.type === "drop-addresses") holds = false;
          if (effect.type === "transition") {
            expect(effect.from).toBe(phase);
            phase = effect.to;
          }
          // Who announces must hold what it announces.
          if (effect.type === "announce") expect(holds).toBe(true);
          if (effect.type === "advertise") expect(effect.priority).toBeWithin(0, 256);
        }
        expect(phase).toBe(state.phase);
        expect(holds).toBe(state.phase === "master" || state.lingerUntil !== null);
        expect(nextDue(state)).not.toBeNaN();
        const active = state.phase === "master" || state.phase === "backup";
        expect(Number.isFinite(state.due)).toBe(active);
        if (state.phase !== "master") expect(state.conflict).toBeNull();
        if (state.phase !== "fault") expect(state.released).toBeNull();
        expect(state.priority).toBeWithin(1, 256);
        if (event.type === "timer" && state.config.takeoverDelayMs === 0) {
          expect(nextDue(state)).toBeGreaterThan(now);
        }
        instanceReport(state, 0, 0);
      }
    }),
    { numRuns: 3000 },
  );
});

test("a frozen state is never changed", () => {
  fc.assert(
    fc.property(configs, fc.array(events, { maxLength: 20 }), (first, sequence) => {
      let state = Object.freeze(initialState(Object.freeze(first), START));
      let now = START;
      for (const event of sequence) {
        now = Math.min(nextDue(state), now + 5000 * MS);
        state = Object.freeze(step(state, event, now).state);
        if (state.conflict !== null) Object.freeze(state.conflict);
      }
    }),
    { numRuns: 300 },
  );
});
