/** What an advertisement means: election, learning, preemption, giving way. */
import { describe, expect, test } from "bun:test";
import { conditions, HIGHER, LOWER, MS, packet, Rig, S } from "./rig.ts";

const SKEW_MS = (156 * 1000) / 256;
const FAST_MS = (156 * 100) / 256;

describe("a backup", () => {
  test.each([[150, HIGHER], [101, LOWER], [100, HIGHER], [100, LOWER]])(
    "accepts a master of priority %i at %s",
    (priority, from) => {
      const rig = Rig.backup();
      rig.wait(3 * S).hear(from, { priority });
      expect(rig.told).toEqual(["received"]);
      expect(rig.dueMs).toBe(3000 + SKEW_MS);
      expect(rig.state.master).toMatchObject({ text: from, priority });
    },
  );

  test.each([["fast", FAST_MS], ["rfc", SKEW_MS]] as const)(
    "waits a skew after a goodbye: %s",
    (handover, skewMs) => {
      const rig = Rig.backup({ handover });
      rig.hear(HIGHER, { priority: 150 });
      rig.hear(HIGHER, { priority: 0 });
      expect(rig.effects[0]).toEqual({ type: "received", priorityZero: true });
      expect(rig.dueMs).toBe(skewMs);
      rig.timer();
      expect(rig.state.reason).toBe("10.1.1.3 stepped down (priority 0)");
    },
  );

  test("waits 1/256 seconds after a goodbye in version 2, whatever the interval", () => {
    const rig = Rig.backup({ version: 2, intervalCs: 500, handover: "rfc" });
    rig.hear(HIGHER, { priority: 0 });
    expect(rig.dueMs).toBe(SKEW_MS);
  });

  test("waits no longer after a goodbye than the RFC where that is short", () => {
    const rig = Rig.backup({ intervalCs: 2 });
    rig.hear(HIGHER, { priority: 0, intervalCs: 2 });
    expect(rig.dueMs).toBe((156 * 20) / 256);
  });

  test("does not care for the goodbye of another than its master", () => {
    const rig = Rig.backup({ preempt: false, priority: 254 });
    rig.hear(HIGHER, { priority: 150 });
    const { due } = rig.state;
    rig.wait(10).hear(LOWER, { priority: 0 });
    expect(rig.told).toEqual(["received"]);
    expect(rig.state.due).toBe(due);
    expect(rig.state.master?.text).toBe(HIGHER);
  });

  test("learns the master's interval in version 3 and goes back to its own as master", () => {
    const rig = Rig.backup();
    rig.hear(HIGHER, { priority: 150, intervalCs: 200 });
    expect(rig.told).toEqual(["received", "mismatch interval"]);
    expect(rig.dueMs).toBe(6000 + 2 * SKEW_MS);
    rig.timer();
    expect(rig.state.phase).toBe("master");
    expect(rig.dueMs).toBe(1000);
    expect(rig.state.interval).toBe(S);
  });

  test("does not learn an interval in version 2: another one is refused", () => {
    const rig = Rig.backup({ version: 2 });
    const due = rig.state.due;
    rig.hear(HIGHER, { priority: 150, intervalCs: 200 });
    expect(rig.told).toEqual(["dropped interval"]);
    expect(rig.state.due).toBe(due);
  });

  test("tells that addresses differ and accepts the master all the same", () => {
    const rig = Rig.backup();
    rig.hear(HIGHER, { priority: 150, addresses: [Uint8Array.of(10, 9, 0, 101)] });
    expect(rig.told).toEqual(["received", "mismatch addresses"]);
    expect(rig.state.master?.priority).toBe(150);
  });

  test("takes addresses in another order for the same", () => {
    const addresses = ["10.9.0.1", "10.9.0.2"].map((address) => ({
      address,
      prefix: 24,
      dev: null,
      label: null,
      scope: null,
      broadcast: null,
    }));
    const rig = Rig.backup({ addresses });
    rig.hear(HIGHER, { addresses: [Uint8Array.of(10, 9, 0, 2), Uint8Array.of(10, 9, 0, 1)] });
    expect(rig.told).toEqual(["received"]);
    rig.hear(HIGHER, { addresses: [Uint8Array.of(10, 9, 0, 2), Uint8Array.of(10, 9, 0, 2)] });
    expect(rig.told).toEqual(["received", "mismatch addresses"]);
  });

  test("refusals change nothing", () => {
    const rig = Rig.backup();
    const before = rig.state;
    rig.hear(HIGHER, { priority: 150 }, { ttl: 64 });
    expect(rig.told).toEqual(["dropped ttl"]);
    expect(rig.state).toBe(before);
  });
});

describe("preemption", () => {
  test("of a lower master comes after a short skew", () => {
    const rig = Rig.backup();
    rig.hear(LOWER, { priority: 50 });
    expect(rig.dueMs).toBe(FAST_MS);
    rig.timer();
    expect(rig.state.phase).toBe("master");
    expect(rig.state.reason).toBe("preempting 10.1.1.1 (priority 50 < 100)");
  });

  test("is not put off by more adverts of the lower master", () => {
    const rig = Rig.backup();
    rig.hear(LOWER, { priority: 50 });
    const due = rig.state.due;
    rig.wait(10 * MS).hear(LOWER, { priority: 50 });
    expect(rig.state.due).toBe(due);
  });

  test.each([["handover: rfc", { handover: "rfc" as const }, true], ["unsettled", {}, false]])(
    "waits for the down interval where it must: %s",
    (_name, part, settled) => {
      const rig = new Rig(part);
      rig.event({ type: "conditions", conditions: conditions({ settled }) });
      const due = rig.state.due;
      rig.wait(S).hear(LOWER, { priority: 50 });
      rig.wait(S).hear(LOWER, { priority: 50 });
      expect(rig.state.due).toBe(due);
      rig.timer();
      expect(rig.state.phase).toBe("master");
    },
  );

  test("false: a lower master is suffered until it is silent", () => {
    const rig = Rig.backup({ preempt: false });
    rig.wait(S).hear(LOWER, { priority: 50 });
    expect(rig.dueMs).toBe(3000 + SKEW_MS);
    rig.timer();
    expect(rig.state.reason).toBe("no advertisement heard for 3.61 s");
  });

  test("with a delay: counted from the first lower advert, and begun again by a better master", () => {
    const rig = Rig.backup({ preemptDelayMs: 2000 });
    rig.hear(LOWER, { priority: 50 });
    expect(rig.dueMs).toBe(3000 + SKEW_MS);
    rig.wait(S).hear(HIGHER, { priority: 150 });
    rig.wait(S).hear(LOWER, { priority: 50 });
    rig.wait(1999 * MS).hear(LOWER, { priority: 50 });
    expect(rig.dueMs).toBe(3000 + SKEW_MS);
    rig.wait(MS).hear(LOWER, { priority: 50 });
    expect(rig.dueMs).toBe(FAST_MS);
  });

  test("with a delay that a reload changes: counted all the same from the first lower advert", () => {
    const rig = Rig.backup({ preempt: false });
    rig.hear(LOWER, { priority: 50 });
    rig.configure({ preempt: true, preemptDelayMs: 2000 });
    rig.wait(1999 * MS).hear(LOWER, { priority: 50 });
    expect(rig.dueMs).toBe(3000 + SKEW_MS);
    rig.configure({ preempt: true, preemptDelayMs: 2500 });
    rig.wait(500 * MS).hear(LOWER, { priority: 50 });
    expect(rig.dueMs).toBe(3000 + SKEW_MS);
    rig.configure({ preempt: true, preemptDelayMs: 1000 });
    rig.hear(LOWER, { priority: 50 });
    expect(rig.dueMs).toBe(FAST_MS);
  });

  test("with a delay: does not put off a take-over from a master that is silent", () => {
    const rig = Rig.backup({ preemptDelayMs: 20_000 });
    rig.hear(LOWER, { priority: 50 });
    rig.timer();
    expect(rig.state.phase).toBe("master");
    expect(rig.now - rig.state.heardAt).toBeCloseTo((3000 + SKEW_MS) * MS);
  });

  test("an owner preempts whatever is configured", () => {
    const rig = Rig.backup({ preempt: false, preemptDelayMs: 20_000 });
    rig.configure({ priority: 255 });
    rig.hear(LOWER, { priority: 254 });
    expect(rig.dueMs).toBeLessThan(1);
  });

  test("the last word of a master that yields makes no third router jump in", () => {
    const rig = Rig.backup();
    rig.hear(HIGHER, { priority: 150 });
    const before = rig.state;
    rig.wait(10 * MS).hear(LOWER, { priority: 50 });
    expect(rig.state.due).toBe(before.due);
    expect(rig.state.takeoverReason).toBeNull();
    expect(rig.state.master?.priority).toBe(150);
  });

  test("is called off when the own priority falls to the master's or below", () => {
    const rig = Rig.backup();
    rig.wait(2 * S).hear(LOWER, { priority: 50 });
    rig.wait(5 * MS).look({ adjustments: [{ source: "probe:nginx", weight: -60 }] });
    expect(rig.state.priority).toBe(40);
    expect(rig.state.takeoverReason).toBeNull();
    expect(rig.dueMs).toBe(3000 + (216 * 1000) / 256 - 5);
    rig.wait(900 * MS).hear(LOWER, { priority: 50 });
    expect(rig.state.phase).toBe("backup");
  });

  test("is called off when preempt is turned off", () => {
    const rig = Rig.backup();
    rig.hear(LOWER, { priority: 50 });
    rig.configure({ preempt: false });
    expect(rig.dueMs).toBe(3000 + SKEW_MS);
  });
});

describe("a master", () => {
  test.each([[150, LOWER], [101, LOWER], [100, HIGHER]])("gives way to %i at %s", (priority, from) => {
    const rig = Rig.master();
    rig.wait(100 * MS).hear(from, { priority });
    // The last word comes after the addresses are gone.
    expect(rig.told).toEqual(["received", "drop-addresses", "advertise 100", "master>backup"]);
    expect(rig.state.master).toMatchObject({ text: from, priority });
    expect(rig.dueMs).toBe(3000 + SKEW_MS);
  });

  test("gives way with the interval of the better one", () => {
    const rig = Rig.master();
    rig.hear(HIGHER, { priority: 150, intervalCs: 10 });
    expect(rig.dueMs).toBe(300 + SKEW_MS / 10);
  });

  test.each([[99, HIGHER], [100, LOWER], [1, HIGHER]])("stands against %i at %s", (priority, from) => {
    const rig = Rig.master();
    rig.wait(100 * MS).hear(from, { priority });
    expect(rig.told).toEqual(["received", "advertise 100", "announce"]);
    expect(rig.dueMs).toBe(1000);
  });

  test("compares addresses as unsigned bytes", () => {
    const rig = Rig.master();
    rig.hear("200.1.1.1");
    expect(rig.state.phase).toBe("backup");
  });

  test("answers a goodbye at once, and announces: whoever says it was master, too", () => {
    const rig = Rig.master();
    rig.wait(100 * MS).hear(HIGHER, { priority: 0 });
    expect(rig.told).toEqual(["received", "advertise 100", "announce"]);
    expect(rig.state.conflict?.reported).toBe(false);
  });

  test("sends goodbye only where it stops by itself", () => {
    const rig = Rig.master();
    rig.hear(HIGHER, { priority: 150 });
    expect(rig.told).not.toContain("advertise 0");
  });

  test("answers no flood by a flood: one advert in 5 ms, the last answer late but sure", () => {
    const rig = Rig.master();
    const end = rig.now + 100 * MS;
    let sent = 0;
    while (rig.now < end) {
      if (rig.due <= rig.now + 10_000) rig.timer();
      else rig.wait(10_000).hear(LOWER, { priority: 50 });
      sent += rig.told.filter((text) => text.startsWith("advertise")).length;
    }
    expect(sent).toBeGreaterThanOrEqual(19);
    expect(sent).toBeLessThanOrEqual(21);
    rig.hear(LOWER, { priority: 0 });
    expect(rig.dueMs).toBeLessThanOrEqual(5);
  });
});

describe("a bystander", () => {
  test.each([[true, 4500], [false, 3000]])(
    "reckons with the interval of the master that it has heard while that is fresh: %s",
    (fresh, downMs) => {
      const rig = Rig.backup();
      rig.look({ faults: ["interface eth1 is down"] });
      rig.hear(HIGHER, { priority: 150, intervalCs: 150 });
      rig.wait(fresh ? 1.4 * S : 10 * S).look();
      expect(rig.state.phase).toBe("backup");
      expect(rig.dueMs).toBe(downMs + (downMs / 3) * (156 / 256));
    },
  );

  test("knows the master it hears, and forgets it at its goodbye", () => {
    const rig = Rig.backup();
    rig.look({ faults: ["interface eth1 is down"] });
    rig.hear(HIGHER, { priority: 150 });
    expect(rig.state.master?.text).toBe(HIGHER);
    rig.hear(LOWER, { priority: 0 });
    expect(rig.state.master?.text).toBe(HIGHER);
    rig.hear(HIGHER, { priority: 0 });
    expect(rig.state.master).toBeNull();
    expect(rig.due).toBe(Infinity);
  });
});

describe("the checksum's form", () => {
  const hearPseudo = (rig: Rig) => {
    const { decode } = packet(rig.state.config, HIGHER, { priority: 150 });
    if (!decode.ok) throw new Error("not an advert");
    rig.hear(HIGHER, {}, { decode: { ...decode, checksumForm: "pseudo" } });
  };

  test("auto speaks as the peers do", () => {
    const rig = Rig.backup();
    expect(rig.state.checksum).toBe("pseudo");
    rig.hear(HIGHER, { priority: 150 });
    expect(rig.state.checksum).toBe("rfc");
    hearPseudo(rig);
    expect(rig.state.checksum).toBe("pseudo");
  });

  test("what is configured stays", () => {
    const rig = Rig.backup({ checksum: "rfc" });
    hearPseudo(rig);
    expect(rig.state.checksum).toBe("rfc");
    rig.configure({ checksum: "pseudo" });
    expect(rig.state.checksum).toBe("pseudo");
  });
});
