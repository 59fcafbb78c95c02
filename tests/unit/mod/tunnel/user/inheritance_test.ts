import { expect, test } from "bun:test";
import {
  decodeInheritance,
  encodeInheritance,
  markText,
  readMark,
  sharesNumbers,
  sharesSockets,
} from "../../../../../mod/tunnel/user/inheritance.ts";
import { greEnd } from "../../../../../mod/tunnel/user/wire.ts";
import { settings } from "../../../../netns/tunnel_user/end.ts";

const before = settings({ type: "gretap", local: "192.0.2.1", remote: "192.0.2.2", sequence: true });

test("what one leaves the other reads", () => {
  const gre = greEnd(before);
  Object.assign(gre, { nextSent: 7, nextReceived: 2 ** 32 - 1, lateNext: 5, lateRun: 2 });
  expect(decodeInheritance(encodeInheritance(before, gre))).toEqual({
    version: 1,
    settings: before,
    numbers: { nextSent: 7, nextReceived: 2 ** 32 - 1, lateNext: 5, lateRun: 2 },
  });
});

test.each(["", "heard", "{}", '{"version":2}', "null"])("%p is of another version", (text) => {
  expect(decodeInheritance(text)).toBeNull();
});

test("a mark is read back; what others wrote is none", () => {
  expect(readMark(markText("appliance-tunnel-x"))).toBe("appliance-tunnel-x");
  expect(readMark(null)).toBeNull();
  expect(readMark("uplink to the other site")).toBeNull();
});

test("sockets serve other header fields, not other ends; numbers go on while the far end counts on", () => {
  for (const same of [{ ttl: 9 }, { tos: 0x10 }, { mtu: 1300 }, { checksum: true }]) {
    const after = { ...before, ...same };
    expect([sharesSockets(before, after), sharesNumbers(before, after)]).toEqual([true, true]);
  }
  for (const other of [{ remote: "192.0.2.3" }, { local: "192.0.2.3" }]) {
    const after = { ...before, ...other };
    expect([sharesSockets(before, after), sharesNumbers(before, after)]).toEqual([false, false]);
  }
  for (const other of [{ ikey: 1 }, { okey: 1 }, { sequence: false }]) {
    const after = { ...before, ...other };
    expect([sharesSockets(before, after), sharesNumbers(before, after)]).toEqual([true, false]);
  }
  for (const other of [{ dev: "eth0" }, { pmtudisc: false }]) {
    const after = { ...before, ...other };
    expect([sharesSockets(before, after), sharesNumbers(before, after)]).toEqual([false, true]);
  }
});
