import { describe, expect, test } from "bun:test";
import type { EventKind, HistoryEvent, InstanceState } from "../../../../mod/bus/messages.ts";
import { UnitEvents } from "../../../../mod/status/unit_events.ts";
import { filledStore, NOW, PAIR, router, wanted } from "./fixture.ts";

function move(subject: string, from: InstanceState, to: InstanceState, reason = "started"): HistoryEvent {
  const detail = { from, to, reason, priority: 100 };
  return { atMs: NOW, kind: "transition", subject, text: `${from} → ${to}: ${reason}`, detail };
}

function event(subject: string, kind: EventKind, text: string, atMs = NOW): HistoryEvent {
  return { atMs, kind, subject, text };
}

function history(events: UnitEvents, told: readonly HistoryEvent[]): string[] {
  return told.flatMap((each) => {
    const shown = events.take(each);
    return shown === null ? [] : [`${shown.subject}: ${shown.text}`];
  });
}

function pairEvents(): UnitEvents {
  const events = new UnitEvents();
  events.setRouters([...PAIR, router("lan")]);
  return events;
}

describe("UnitEvents", () => {
  test("tells a move of both legs once: when the last arrives, or when the first leaves", () => {
    expect(history(pairEvents(), [
      move("web", "init", "backup"),
      move("web:ipv6", "init", "backup"),
      move("web", "backup", "master", "no advertisement heard for 3.61 s"),
      move("web:ipv6", "backup", "master", "no advertisement heard for 3.62 s"),
      move("web:ipv6", "master", "backup", "fe80::3 has a higher priority"),
      move("web", "master", "backup", "group @web: web:ipv6 is backup (fe80::3 has a higher priority)"),
    ])).toEqual([
      "web: init → backup: started",
      "web: backup → master: no advertisement heard for 3.62 s",
      "web: master → backup: fe80::3 has a higher priority",
    ]);
  });

  test("tells a fault of one as the instance's, with both states in its detail", () => {
    const events = pairEvents();
    for (const leg of ["web", "web:ipv6"]) {
      for (const [a, b] of [["init", "backup"], ["backup", "master"]] as const) {
        events.take(move(leg, a, b));
      }
    }
    const why = "interface eth0 has no IPv6 link-local address";
    expect(events.take(move("web", "master", "fault", `group @web: web:ipv6: ${why}`))).toEqual({
      atMs: NOW,
      kind: "transition",
      subject: "web",
      text: `master → fault: ${why}`,
      detail: { from: "master", to: "fault", reason: why, priority: 100 },
    });
    expect(events.take(move("web:ipv6", "master", "fault", why))).toBeNull();
    expect(history(events, [move("web", "fault", "backup", "a"), move("web:ipv6", "fault", "backup", "b")]))
      .toEqual(["web: fault → backup: b"]);
  });

  test("a release and a resume of both are one line each", () => {
    const why = "released by the operator";
    const events = pairEvents();
    for (const leg of ["web", "web:ipv6"]) events.take(move(leg, "backup", "master"));
    expect(history(events, [
      move("web", "master", "fault", why),
      move("web:ipv6", "master", "fault", why),
      move("web", "fault", "backup", "resumed"),
      move("web:ipv6", "fault", "backup", "resumed"),
    ])).toEqual([`web: master → fault: ${why}`, "web: fault → backup: resumed"]);
  });

  test("what both legs say in the same words at the same time is told once, and again when it happens again", () => {
    const down = "priority 150 → 90 (probe:nginx -60)";
    expect(history(pairEvents(), [
      event("web", "priority", down),
      event("web:ipv6", "priority", down, NOW + 2),
      event("web:ipv6", "priority", down, NOW + 300),
      event("web", "priority", down, NOW + 302),
      event("web", "priority", down, NOW + 400),
      event("web:ipv6", "priority", down, NOW + 5000),
      event("web", "repair", "10.9.0.100/24 was removed", NOW + 5000),
      event("web:ipv6", "repair", "2001:db8::100/64 was removed", NOW + 5000),
    ])).toEqual([
      `web: ${down}`,
      `web: ${down}`,
      `web: ${down}`,
      `web: ${down}`,
      "web: 10.9.0.100/24 was removed",
      "web: 2001:db8::100/64 was removed",
    ]);
  });

  test("leaves everything else as it is", () => {
    const events = pairEvents();
    for (
      const each of [
        event("nginx", "probe", "up → down"),
        { ...event("web", "started", "started with 3 instances"), subject: null },
        move("lan", "backup", "master"),
        event("lan", "priority", "priority 100 → 90"),
        event("lan", "priority", "priority 100 → 90"),
      ]
    ) expect(events.take(each)).toEqual(each);
    const plain = new UnitEvents();
    plain.setRouters([router("web"), router("lan")]);
    const own = move("web", "init", "backup", "group site: lan: x; group site: lan: x");
    expect(plain.take(own)).toBe(own);
  });

  test("other instances hear of it by the operator's name", () => {
    const shared = "group site: web: eth0 is down; group site: web:ipv6: eth0 is down";
    expect(pairEvents().take(move("lan", "master", "fault", shared))).toMatchObject({
      text: "master → fault: group site: web: eth0 is down",
      detail: { reason: "group site: web: eth0 is down" },
    });
    expect(pairEvents().take(move("lan", "master", "backup", "group site: web:ipv6 is backup (x)"))?.text)
      .toBe("master → backup: group site: web is backup (x)");
    // However long the way was on which it came.
    const chain = "group site: web is backup (group site: web:ipv6 is fault (group site: web: a is down))";
    expect(pairEvents().take(move("lan", "master", "backup", chain))?.text)
      .toBe("master → backup: group site: web is backup (a is down)");
  });

  test("a leg that goes speaks for itself alone, and the other one for the instance", () => {
    const events = pairEvents();
    for (const leg of ["web", "web:ipv6"]) events.take(move(leg, "backup", "master"));
    events.setRouters([router("web"), router("lan")]);
    expect(history(events, [
      move("web:ipv6 (leaving)", "master", "fault", "no longer configured"),
      move("web", "master", "backup", "x"),
    ])).toEqual(["web: IPv6: master → fault: no longer configured", "web: master → backup: x"]);
    // And of one that goes as a whole it is said once.
    events.setRouters([router("lan")]);
    expect(history(events, [
      move("web (leaving)", "backup", "fault", "no longer configured"),
      move("web:ipv6 (leaving)'", "backup", "fault", "no longer configured"),
    ])).toEqual(["web (leaving): backup → fault: no longer configured"]);
    events.setRouters([router("web"), router("lan")]);
    events.take(move("web", "init", "backup"));
    // And when it comes back it begins anew.
    events.setRouters([...PAIR]);
    expect(history(events, [move("web:ipv6", "init", "backup"), move("web:ipv6", "backup", "master")]))
      .toEqual(["web: init → backup: started"]);
    expect(history(events, [move("web", "backup", "master")])).toEqual(["web: backup → master: started"]);
  });
});

test("a store numbers only what it tells, and says what that was", () => {
  const store = filledStore();
  store.setWanted(wanted([...PAIR]));
  const last = store.lastEventId;
  expect(store.apply({ type: "event", event: move("web", "backup", "master") })).toBeNull();
  expect(store.lastEventId).toBe(last);
  expect(store.apply({ type: "event", event: move("web:ipv6", "backup", "master") }))
    .toMatchObject({ id: last + 1, subject: "web", text: "backup → master: started" });
  expect(store.history()).toHaveLength(1);
  expect(store.apply({ type: "instance-gone", name: "web" })).toBeNull();
  expect(store.inUnits("web is fault, web:ipv6 is fault, lan is backup")).toBe("web is fault, lan is backup");
});
