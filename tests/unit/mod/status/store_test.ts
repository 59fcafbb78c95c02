import { expect, test } from "bun:test";
import type { HistoryEvent } from "../../../../mod/bus/messages.ts";
import { StatusStore } from "../../../../mod/status/store.ts";
import { filledStore, instance, NOW, router, wanted } from "./fixture.ts";

const event = (text: string): HistoryEvent => ({ atMs: NOW, kind: "probe", subject: "nginx", text });

function emptyStore(historySize?: number): StatusStore {
  const options = { node: "a", version: "1", now: () => NOW, firstEventId: 1 };
  return new StatusStore(historySize === undefined ? options : { ...options, historySize });
}

test("a store shows instances in the order of the config, and those that are gone no more", () => {
  const store = filledStore();
  expect(store.instanceNames()).toEqual(["web", "lan"]);
  store.apply({ type: "instance-gone", name: "web" });
  expect(store.instanceNames()).toEqual(["lan"]);
  expect(store.snapshot().counters.has("web")).toBe(false);
});

test("a store adds changed counters to those that it knows", () => {
  const store = filledStore();
  store.apply({ type: "counters", counters: { web: { sent: 9 } } });
  store.apply({ type: "counters", counters: { web: { sent: 10, announced: 5 } } });
  const counters = store.snapshot().counters.get("web")!;
  expect(counters).toMatchObject({ sent: 10, received: 4, announced: 5, repaired: 0 });
  expect(counters.dropped.ttl).toBe(2);
});

test("a store keeps the last thousand events, with growing numbers", () => {
  const store = emptyStore();
  for (let i = 1; i <= 2_500; i++) {
    store.apply({ type: "event", event: event(`event ${i}`) });
    if (i >= 1000) expect(store.history().length).toBe(1000);
  }
  expect(store.history()[0]).toMatchObject({ id: 1501, text: "event 1501" });
  expect(store.history().at(-1)).toMatchObject({ id: 2500, text: "event 2500" });
  expect(store.lastEventId).toBe(2500);
});

test("after() gives exactly what came after a number", () => {
  const store = emptyStore(3);
  const ids = (id: number) => store.after(id).map((entry) => entry.id);
  expect(ids(0)).toEqual([]);
  for (let i = 1; i <= 5; i++) store.add(event("x"));
  expect(ids(5)).toEqual([]);
  expect(ids(4)).toEqual([5]);
  expect(ids(2)).toEqual([3, 4, 5]);
  expect(ids(0)).toEqual([3, 4, 5]);
  expect(ids(999)).toEqual([]);
});

test("numbers go on growing over restarts unless told otherwise", () => {
  const first = new StatusStore({ node: "a", version: "1", now: () => NOW });
  const last = first.add(event("x")).id;
  const second = new StatusStore({ node: "a", version: "1", now: () => NOW + 1000.5 });
  expect(second.add(event("y")).id).toBeGreaterThan(last);
  expect(Number.isInteger(second.lastEventId)).toBe(true);
});

test("listeners hear each event until they leave", () => {
  const store = emptyStore();
  const heard: string[] = [];
  const leave = store.subscribe(({ text }) => heard.push(text));
  store.add(event("one"));
  store.apply({ type: "event", event: event("two") });
  leave();
  store.add(event("three"));
  expect(heard).toEqual(["one", "two"]);
});

test("setWanted() keeps nothing of the config but names and tracks", () => {
  const store = emptyStore();
  const config = { ...router("web"), auth: { type: "pass", key: "hunter2" } };
  const group = { name: "site", members: ["web"], notify: "hunter2" };
  store.setWanted({ ...wanted([config], [group]), node: "b" });
  store.apply({ type: "instance", instance: instance() });
  expect(store.snapshot().node).toBe("b");
  expect(JSON.stringify(store.snapshot())).not.toContain("hunter2");
});

test("the outcome of a reload keeps the file's name", () => {
  const store = emptyStore();
  store.setConfig({ ok: true, problems: [], file: "/etc/x.yaml" });
  store.setConfig({ ok: false, problems: ["no"] });
  expect(store.snapshot().config).toEqual({ ok: false, problems: ["no"], file: "/etc/x.yaml", atMs: NOW });
});
