/** Two masters at once: told once, settled by announcements, never a storm. */
import { describe, expect, test } from "bun:test";
import { parseAddress } from "../../../../lib/packet/mod.ts";
import { HIGHER, LOWER, MS, Rig, S } from "./rig.ts";

/** A master that has spoken a while ago. */
function master(part: Parameters<typeof Rig.master>[0] = {}): Rig {
  return Rig.master(part).wait(100 * MS);
}

/** Serves deadlines and collects what is told, up to a moment. */
function runTo(rig: Rig, end: number): string[] {
  const told: string[] = [];
  while (rig.due <= end) {
    rig.timer();
    told.push(...rig.told.filter((text) => !text.startsWith("advertise")));
  }
  rig.now = end;
  return told;
}

describe("a split that heals at once", () => {
  test("is announced at once, at the other's last word, and again when it has let go", () => {
    const rig = master();
    rig.hear(LOWER, { priority: 50 });
    expect(rig.told).toContain("announce");
    // Its last word: what it announced itself may have come after our announcements.
    rig.wait(MS).hear(LOWER, { priority: 50 });
    expect(rig.told).toContain("announce");
    rig.hear(LOWER, { priority: 50 });
    expect(rig.told).not.toContain("announce");
    expect(runTo(rig, rig.now + 28 * MS)).toEqual([]);
    expect(runTo(rig, rig.now + 2 * MS)).toEqual(["announce"]);
    expect(runTo(rig, rig.now + 10 * S)).toEqual([]);
    expect(rig.state.conflict).toBeNull();
  });

  test("is announced again with intervals as short as the pause", () => {
    const rig = Rig.master({ intervalCs: 1 });
    rig.wait(5 * MS).hear(LOWER, { priority: 50 });
    expect(runTo(rig, rig.now + S)).toEqual(["announce"]);
  });

  test("is no split brain", () => {
    const rig = master();
    rig.hear(LOWER, { priority: 50 });
    rig.wait(S).hear(LOWER, { priority: 50 });
    expect(rig.told).not.toContain("split-brain");
    expect(rig.state.conflict?.reported).toBe(false);
  });

  test("a last word that comes late is announced late, not never", () => {
    const rig = master();
    rig.hear(LOWER, { priority: 50 });
    runTo(rig, rig.now + 200 * MS);
    rig.hear(LOWER, { priority: 50 });
    expect(rig.told).not.toContain("announce");
    expect(runTo(rig, rig.now + S)).toEqual(["announce"]);
  });
});

describe("a split that lasts", () => {
  test("is told once, with both addresses, and its end too", () => {
    const rig = master();
    const told: string[] = [];
    for (let count = 0; count < 20; count++) {
      rig.hear(LOWER, { priority: 50 });
      told.push(...rig.told.filter((text) => text.startsWith("split")));
      if (rig.told.includes("split-brain")) {
        expect(rig.effects.find(({ type }) => type === "event")).toMatchObject({
          text: "two masters: 10.1.1.2 (this router) and 10.1.1.1",
          detail: { ours: "10.1.1.2", theirs: "10.1.1.1" },
        });
      }
      runTo(rig, rig.now + 300 * MS);
    }
    expect(told).toEqual(["split-brain"]);
    const silent = rig.now - 300 * MS;
    expect(runTo(rig, silent + 3 * S - 1)).not.toContain("split-brain-end");
    expect(runTo(rig, silent + 3 * S)).toEqual(["announce", "split-brain-end"]);
    expect(rig.state.conflict).toBeNull();
  });

  test("is told even if the other speaks more seldom than we listen", () => {
    const rig = Rig.master({ intervalCs: 10 });
    const told: string[] = [];
    for (let count = 0; count < 3; count++) {
      rig.hear(LOWER, { priority: 50, intervalCs: 100 });
      told.push(...rig.told.filter((text) => text.startsWith("split")));
      told.push(...runTo(rig, rig.now + S).filter((text) => text.startsWith("split")));
    }
    expect(told).toEqual(["split-brain"]);
  });

  test("ends, and that is told, when this router gives way", () => {
    const rig = master();
    rig.hear(LOWER, { priority: 50 });
    rig.wait(500 * MS).event({ type: "timer" });
    rig.wait(501 * MS).hear(LOWER, { priority: 50 });
    expect(rig.told).toContain("split-brain");
    rig.wait(MS).hear(HIGHER, { priority: 150 });
    expect(rig.told).toEqual([
      "received",
      "drop-addresses",
      "split-brain-end",
      "advertise 100",
      "master>backup",
    ]);
    expect(rig.state.conflict).toBeNull();
  });

  test("with two others at once is one episode, and announced no more often for that", () => {
    const rig = master();
    const began = rig.now;
    let announced = 0;
    let split = 0;
    while (rig.now < began + 5 * S) {
      if (rig.due <= rig.now + 3 * MS) rig.timer();
      else rig.wait(3 * MS).hear(rig.now % (2 * MS) < MS ? LOWER : "10.1.1.9", { priority: 50 });
      announced += rig.told.filter((text) => text === "announce").length;
      split += rig.told.filter((text) => text === "split-brain").length;
    }
    expect(split).toBe(1);
    // At once, at what may be a last word, after the pause, and then once a second.
    expect(announced).toBeLessThanOrEqual(8);
    expect(announced).toBeGreaterThanOrEqual(5);
  });
});

describe("a master that must be refused", () => {
  const UNICAST = { destination: parseAddress("10.1.1.2")! };

  test.each(
    [
      ["interval", { version: 2 as const }, { intervalCs: 500 }, {}],
      ["auth", { version: 2 as const }, { authType: 1, authData: new Uint8Array(8) }, {}],
      ["owner", { priority: 255 }, { priority: 255 }, {}],
      ["version", { version: 3 as const }, { version: 2 as const }, {}],
      ["mode", { peers: ["10.1.1.9"] }, {}, {}],
      ["peer", { peers: ["10.1.1.9"] }, {}, UNICAST],
    ] as const,
  )("%s: is told with the reason and not announced against", (reason, part, advert, header) => {
    const rig = Rig.master(part);
    rig.wait(100 * MS).hear(HIGHER, advert, header);
    expect(rig.told).toEqual([`dropped ${reason}`]);
    runTo(rig, rig.now + 1001 * MS);
    rig.hear(HIGHER, advert, header);
    expect(rig.told).toEqual([`dropped ${reason}`, "split-brain"]);
    expect(rig.effects[1]).toMatchObject({
      text: `two masters: 10.1.1.2 (this router) and 10.1.1.3 (its advertisements are refused: ${reason})`,
    });
    expect(rig.state.phase).toBe("master");
  });

  test.each(
    [
      ["version", {}, { version: 2 as const }],
      ["mode", {}, {}],
      ["peer", { peers: ["10.1.1.9"] }, {}],
    ] as const,
  )("%s: is believed from the own link alone", (reason, part, advert) => {
    const rig = Rig.master(part);
    for (let count = 0; count < 5; count++) {
      rig.hear(HIGHER, advert, { ...UNICAST, ttl: 64 });
      expect(rig.told).toEqual([`dropped ${reason}`]);
      runTo(rig, rig.now + S);
    }
    expect(rig.state.conflict).toBeNull();
  });

  test("other refusals are no conflict", () => {
    const rig = master();
    rig.hear(HIGHER, { priority: 150 }, { ttl: 1 });
    rig.hear(HIGHER, { vrid: 9 });
    rig.hear("10.1.1.2");
    expect(rig.state.conflict).toBeNull();
  });

  test("is nothing to a backup", () => {
    const rig = Rig.backup({ version: 2 });
    rig.hear(HIGHER, { intervalCs: 500 });
    expect(rig.told).toEqual(["dropped interval"]);
  });
});

test("goodbyes alone are never a split brain, however many", () => {
  const rig = master();
  for (let count = 0; count < 30; count++) {
    rig.hear(LOWER, { priority: 0 });
    expect(rig.told).not.toContain("split-brain");
    runTo(rig, rig.now + 100 * MS);
  }
});
