import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { TunnelConfig, TunnelState } from "../../../../mod/tunnel/model.ts";
import {
  initialTunnel,
  reconfiguredTunnel,
  silenceMs,
  stepTunnel,
  tickDue,
  type TunnelEvent,
} from "../../../../mod/tunnel/step.ts";
import { statusSchema } from "../../../../mod/status/schema.ts";
import { trackedValue, viewTunnel } from "../../../../mod/tunnel/view.ts";
import { ARP, LINK, tunnel } from "./helpers.ts";

const WALL = 1_700_000_000_000;
const SETTLED: TunnelEvent = { type: "settled", link: LINK, repaired: null, obstacle: null };

/** Runs events, each at its monotonic millisecond. */
function run(
  config: TunnelConfig,
  events: readonly (readonly [atMs: number, event: TunnelEvent])[],
): TunnelState {
  return events.reduce(
    (state, [monoMs, event]) => stepTunnel(config, state, event, { monoMs, wallMs: WALL + monoMs }),
    initialTunnel(WALL),
  );
}

describe("without keepalive", () => {
  test("up while the interface is, down with a reason while it is not", () => {
    const config = tunnel();
    expect(run(config, [])).toMatchObject({ status: "unknown", link: null });
    const up = run(config, [[5, SETTLED]]);
    expect(up).toMatchObject({ status: "up", sinceMs: WALL + 5, error: null, heardMs: null, link: LINK });
    const dead = stepTunnel(config, up, { ...SETTLED, link: { ...LINK, running: false } }, {
      monoMs: 9,
      wallMs: WALL,
    });
    expect(dead).toMatchObject({
      status: "down",
      error: "gretap1 is not running: the device below it is down",
    });
    const failed = stepTunnel(config, up, { type: "failed", error: "Cannot" }, {
      monoMs: 9,
      wallMs: WALL + 9,
    });
    expect(failed).toMatchObject({ status: "down", error: "Cannot", link: null, sinceMs: WALL + 9 });
    expect(tickDue(config, up)).toBe(Infinity);
  });

  test("down at once where something is known to be in its way, and up when that is gone", () => {
    const blocked: TunnelEvent = { ...SETTLED, obstacle: "no interface has its address" };
    for (const config of [tunnel(), tunnel({ keepalive: ARP })]) {
      const state = run(config, [[5, SETTLED], [9, blocked], [12, { type: "answered", latencyMs: 1 }]]);
      expect(state).toMatchObject({
        status: "down",
        error: "no interface has its address",
        sinceMs: WALL + 9,
        link: LINK,
      });
      expect(tickDue(config, state)).toBe(Infinity);
    }
    expect(run(tunnel(), [[5, blocked], [9, SETTLED]])).toMatchObject({ status: "up", error: null });
  });

  test("a repair is counted and remembered, and does not turn the state", () => {
    const repaired: TunnelEvent = { ...SETTLED, repaired: "was deleted" };
    const state = run(tunnel(), [[5, SETTLED], [9, repaired], [12, SETTLED]]);
    expect(state).toMatchObject({ status: "up", sinceMs: WALL + 5, repairs: 1, lastRepair: "was deleted" });
  });
});

describe("with keepalive", () => {
  const config = tunnel({ keepalive: ARP });
  const answered: TunnelEvent = { type: "answered", latencyMs: 0.7 };
  const tick: TunnelEvent = { type: "tick" };

  test("unknown until the first answer, then up with its latency", () => {
    expect(run(config, [[0, SETTLED]])).toMatchObject({ status: "unknown", heardMs: 0 });
    expect(run(config, [[0, SETTLED], [1, { type: "asked", error: null }], [2, answered]])).toMatchObject({
      status: "up",
      latencyMs: 0.7,
      sent: 1,
      received: 1,
      lastChangeReason: "10.1.1.3 answers",
    });
  });

  test("down when nothing was heard for the retries and the last one's time, not a moment before", () => {
    const up = run(config, [[0, SETTLED], [2, answered]]);
    expect(tickDue(config, up)).toBe(2 + 3900);
    const early = stepTunnel(config, up, tick, { monoMs: 3901, wallMs: WALL });
    expect(early.status).toBe("up");
    const late = stepTunnel(config, up, tick, { monoMs: 3902, wallMs: WALL + 3902 });
    expect(late).toMatchObject({
      status: "down",
      latencyMs: null,
      error: "no answer from 10.1.1.3 for 3.9 s",
    });
    expect(tickDue(config, late)).toBe(Infinity);
    const back = stepTunnel(config, late, answered, { monoMs: 9000, wallMs: WALL + 9000 });
    expect(back).toMatchObject({ status: "up", error: null, sinceMs: WALL + 9000 });
  });

  test.each([[1000, 3], [50, 1], [10_000, 3], [300, 5]])(
    "an interval of %d ms and %d retries: within their product and a second",
    (intervalMs, retries) => {
      expect(silenceMs({ intervalMs, retries })).toBeLessThan(intervalMs * retries + 1000);
      // As many questions as there are retries may be lost, and their answers be late, before that.
      expect(silenceMs({ intervalMs, retries })).toBeGreaterThan(intervalMs * retries);
    },
  );

  test("says why nothing could be asked", () => {
    const events = [[0, SETTLED], [1, { type: "asked", error: "no route to host" }], [3900, tick]] as const;
    expect(run(config, events)).toMatchObject({
      status: "down",
      sent: 0,
      error: "no answer from 10.1.1.3 for 3.9 s (no route to host)",
    });
  });

  test("says what helps a peer that knows no GRE keepalives", () => {
    const gre = tunnel({ type: "gre", keepalive: { ...ARP, target: null, methods: ["gre"] } });
    expect(run(gre, [[0, SETTLED], [4000, tick]]).error).toStartWith(
      "no answer from 192.0.2.20 for 4 s (a Linux peer",
    );
  });

  test("the interface put back at once keeps the state and the count of silence", () => {
    const state = run(config, [[0, SETTLED], [2, answered], [1000, { ...SETTLED, repaired: "was deleted" }]]);
    expect(state).toMatchObject({ status: "up", heardMs: 2, repairs: 1 });
  });

  test("after a failure it is down until the far end answers again", () => {
    const failed: TunnelEvent = { type: "failed", error: "Cannot create" };
    const state = run(config, [[0, SETTLED], [2, answered], [5, failed], [8, SETTLED]]);
    expect(state).toMatchObject({ status: "down", heardMs: 8, error: "waiting for an answer from 10.1.1.3" });
    // Once it has waited in vain it says so, and why.
    expect(tickDue(config, state)).toBe(8 + 3900);
    const refused: TunnelEvent = { type: "asked", error: "operation not permitted" };
    const events = [[0, SETTLED], [2, answered], [5, failed], [8, SETTLED], [9, refused], [
      3908,
      tick,
    ]] as const;
    const vain = run(config, events);
    expect(vain.error).toBe("no answer from 10.1.1.3 for 3.9 s (operation not permitted)");
    expect(tickDue(config, vain)).toBe(Infinity);
    const late = run(config, [[0, SETTLED], [2, answered], [5, failed], [6, answered]]);
    expect(late.status).toBe("down");
  });

  test("another configuration asks anew and keeps what is known meanwhile", () => {
    const up = run(config, [[0, SETTLED], [2, answered]]);
    const again = reconfiguredTunnel(up);
    expect(again).toMatchObject({ status: "up", heardMs: null });
    const settled = stepTunnel(config, again, SETTLED, { monoMs: 100, wallMs: WALL });
    expect(settled).toMatchObject({ status: "up", heardMs: 100 });
  });
});

test("whatever happens: down has a reason, up has an interface, latency belongs to up", () => {
  const event = fc.oneof(
    fc.record({
      type: fc.constant("settled" as const),
      obstacle: fc.constantFrom(null, "no interface has its address"),
      link: fc.boolean().map((running) => ({ ...LINK, running })),
      repaired: fc.option(fc.constant("was down")),
    }),
    fc.constant<TunnelEvent>({ type: "failed", error: "Cannot" }),
    fc.record({ type: fc.constant("asked" as const), error: fc.option(fc.constant("no")) }),
    fc.constant<TunnelEvent>({ type: "answered", latencyMs: 1 }),
    fc.constant<TunnelEvent>({ type: "tick" }),
  );
  const steps = fc.array(fc.tuple(fc.nat(5000), event), { maxLength: 40 });
  fc.assert(fc.property(steps, fc.boolean(), (list, watched) => {
    const config = tunnel({ keepalive: watched ? ARP : null });
    let monoMs = 0;
    let state = initialTunnel(WALL);
    for (const [afterMs, next] of list) {
      monoMs += afterMs;
      const before = state;
      state = stepTunnel(config, state, next, { monoMs, wallMs: WALL + monoMs });
      if (state.status === "down") expect(state.error).not.toBeNull();
      if (state.status === "up") expect(state.link?.running).toBe(true);
      if (state.status !== "up") expect(state.latencyMs).toBeNull();
      if (state.status !== before.status) expect(state.sinceMs).toBe(WALL + monoMs);
      expect(state.repairs).toBeGreaterThanOrEqual(before.repairs);
    }
  }));
});

test("the status document's entry, and what instances reckon with", () => {
  const config = tunnel({ ikey: 42, okey: 42, keepalive: ARP });
  const state = run(config, [[0, SETTLED], [2, { type: "answered", latencyMs: 0.71234567 }]]);
  expect(viewTunnel({ config, state })).toMatchObject({
    name: "gretap1",
    type: "gretap",
    local: "192.0.2.10",
    remote: "192.0.2.20",
    state: "up",
    since: new Date(WALL + 2).toISOString(),
    latency_ms: 0.712,
    error: null,
    key: 42,
    mtu: 1462,
    datapath: "kernel",
    addresses: ["10.1.1.2/24"],
    repairs: 0,
    keepalive: { methods: ["arp"], target: "10.1.1.3", interval_ms: 1000, retries: 3, received: 1 },
  });
  expect(viewTunnel({ config: { ...config, ikey: 1 }, state })).toMatchObject({
    key: null,
    ikey: 1,
    okey: 42,
  });
  expect(trackedValue({ state })).toBe("up");
});

test("openapi.json describes the whole entry, with a keepalive and without", () => {
  for (const keepalive of [ARP, null]) {
    const config = tunnel({ ikey: 42, okey: 42, keepalive });
    for (const state of [run(config, []), run(config, [[0, SETTLED]])]) {
      const entries = [viewTunnel({ config, state })];
      expect(statusSchema.shape.tunnels.parse(entries)).toEqual(entries);
    }
  }
});
