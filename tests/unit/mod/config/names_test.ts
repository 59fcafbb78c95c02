import { expect, test } from "bun:test";
import { editDistance, nearest, unknownKey } from "../../../../mod/config/names.ts";

test("edit distance counts a swap of neighbours as one", () => {
  expect(editDistance("vird", "vrid")).toBe(1);
  expect(editDistance("", "abc")).toBe(3);
  expect(editDistance("kitten", "sitting")).toBe(3);
  expect(editDistance("same", "same")).toBe(0);
});

test("the nearest name is offered only when it is near", () => {
  const known = ["vrid", "priority", "advert_interval", "interface"];
  expect(nearest("vird", known)).toBe("vrid");
  expect(nearest("Priorty", known)).toBe("priority");
  expect(nearest("advert-interval", known)).toBe("advert_interval");
  expect(nearest("inter", known)).toBe("interface");
  expect(nearest("colour", known)).toBe(null);
  expect(nearest("x", known)).toBe(null);
  expect(nearest("kep", ["key", "keep"])).toBe("keep");
  expect(nearest("kep", ["keep", "key"])).toBe("keep");
  expect(nearest("kay", ["keys", "key"])).toBe("key");
});

test("keepalived's words lead to ours, and other keys are listed", () => {
  expect(unknownKey("garp_master_refresh", ["interface", "announce"]).guess).toBe("announce");
  expect(unknownKey("garp_master_refresh", ["repeat", "refresh"]).guess).toBe("refresh");
  expect(unknownKey("virtual_router_id", ["vrid", "version"]).guess).toBe("vrid");
  expect(unknownKey("advert_int", ["advert_interval"]).guess).toBe("advert_interval");
  expect(unknownKey("auth_pass", ["type", "key"]).guess).toBe("key");
  expect(unknownKey("auth_pass", ["interface", "auth"]).guess).toBe("auth");
  expect(unknownKey("track_process", ["vrrp", "probes"]).guess).toBe("probes");
  expect(unknownKey("track_process", ["interface", "track"]).guess).toBe("track");
  expect(unknownKey("constructor", ["vrid", "auth"])).toEqual({
    guess: null,
    seen: null,
    instead: "known here: vrid, auth",
  });
});

test("a word of keepalived that has no like here is answered with what to do", () => {
  const known = ["interface", "vrid", "priority"];
  expect(unknownKey("state", known)).toEqual({
    guess: null,
    seen: "state",
    instead: "remove it: priorities decide who is master",
  });
  expect(unknownKey("weight", ["type", "command"]).instead).toStartWith(
    "write it where the probe is tracked: ",
  );
  expect(unknownKey("statistics", known).instead).toBe("known here: interface, vrid, priority");
});
