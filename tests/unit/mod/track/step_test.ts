import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { TrackedValue } from "../../../../mod/bus/messages.ts";
import { trackedInstance, trackedUnits, trackEffect, trackSource } from "../../../../mod/track/step.ts";
import type { TrackConfig } from "../../../../mod/vrrp/config.ts";

function track(weight: number | null, reverse = false): TrackConfig {
  return { kind: "probe", name: "nginx", weight, reverse };
}

/** `fault`, `+40`, `nothing`, … */
function effect(weight: number | null, reverse: boolean, value: TrackedValue): string | number {
  const result = trackEffect(track(weight, reverse), value);
  return result.type === "weight" ? result.weight : result.type;
}

describe("keepalived's table", () => {
  test.each<[number | null, boolean, string | number, string | number, string]>([
    [40, false, 40, "nothing", "unsettled"],
    [-40, false, "nothing", -40, "unsettled"],
    [40, true, -40, "nothing", "unsettled"],
    [-40, true, "nothing", 40, "unsettled"],
    [null, false, "nothing", "fault", "waiting"],
    [null, true, "fault", "nothing", "waiting"],
  ])("weight %p, reverse %p: up %p, down %p", (weight, reverse, up, down, unknown) => {
    expect(effect(weight, reverse, "up")).toBe(up);
    expect(effect(weight, reverse, "down")).toBe(down);
    expect(effect(weight, reverse, "unknown")).toBe(unknown);
  });
});

describe("numbers", () => {
  test.each<[number, number | null, boolean, string | number]>([
    [3, 10, false, 30],
    [3, -10, false, -30],
    [3, 10, true, -30],
    [0, 10, true, "nothing"],
    [7, null, false, 7],
    [-7, null, true, 7],
    [-253, 1, false, -253],
    [-254, 1, false, "fault"],
    [127, -2, false, "fault"],
    [127, 2, true, "fault"],
    [253, 1, false, 253],
    [254, 1, false, 253],
    [1e9, 1, false, 253],
    [-1e9, null, false, "fault"],
  ])("%p × %p, reverse %p: %p", (value, weight, reverse, expected) => {
    expect(effect(weight, reverse, value)).toBe(expected);
  });
});

test("no effect is out of range, and none is minus zero", () => {
  const values = fc.oneof(fc.constantFrom("up" as const, "down" as const), fc.integer());
  fc.assert(
    fc.property(fc.integer({ min: -254, max: 254 }), fc.boolean(), values, (weight, reverse, value) => {
      const result = trackEffect(track(weight === 0 ? null : weight, reverse), value);
      if (result.type !== "weight") return;
      expect(result.weight).toBeWithin(-254, 255);
      expect(result.weight).not.toBe(0);
    }),
  );
});

test("trackSource names what status names", () => {
  expect(trackSource(track(1))).toBe("probe:nginx");
  expect(trackSource({ kind: "interface", name: "eth1", weight: null, reverse: false })).toBe(
    "interface:eth1",
  );
});

describe("another instance", () => {
  const router = (phase: "init" | "backup" | "master" | "fault", reason = "so it is") => ({ phase, reason });

  test.each(
    [
      ["master", "up", "up"],
      ["backup", "up", "down"],
      ["init", "unknown", "unknown"],
      ["fault", "down", "down"],
    ] as const,
  )("that is %s is %s, and as one that has to be master %s", (phase, up, master) => {
    expect(trackedInstance([router(phase)], "up").value).toBe(up);
    expect(trackedInstance([router(phase)], "master").value).toBe(master);
  });

  test("of two routers is what both are", () => {
    const pair = [router("master"), router("backup")];
    expect(trackedInstance(pair, "up").value).toBe("up");
    expect(trackedInstance(pair, "master")).toEqual({ value: "down", error: "backup" });
    expect(trackedInstance([router("master"), router("init")], "up").value).toBe("unknown");
    expect(trackedInstance([router("init"), router("fault")], "up").value).toBe("down");
  });

  test("says why", () => {
    expect(trackedInstance([router("fault", "interface eth1 is down")], "up").error).toBe(
      "in fault (interface eth1 is down)",
    );
  });

  test("is not known while there is none", () => {
    expect(trackedInstance([], "master").value).toBe("unknown");
  });
});

test("trackedUnits() names the instances that somebody tracks", () => {
  const common = { weight: null, reverse: false };
  const lan: TrackConfig = { kind: "instance", name: "lan", ...common, state: "up" };
  const route: TrackConfig = { kind: "route", name: "default", ...common, family: "ipv4" };
  expect(trackedUnits([{ track: [lan, route] }, { track: [track(1)] }, { track: [lan] }])).toEqual(
    new Set(["lan"]),
  );
});
