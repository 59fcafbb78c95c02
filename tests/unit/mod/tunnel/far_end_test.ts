/** The far end of a tunnel, where this machine runs out of something. */
import { expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { FarEnd } from "../../../../mod/tunnel/watch/far_end.ts";
import { tunnel } from "./helpers.ts";

// It takes a raw socket.
test.skipIf(process.getuid?.() !== 0)("what cannot be listened to is closed again, each time", () => {
  const keepalive = {
    methods: ["icmp"],
    target: "127.0.0.1",
    intervalMs: 60_000,
    timeoutMs: 1000,
    up: 1,
    down: 3,
  };
  const config = tunnel({
    name: "lo",
    type: "gre",
    keepalive: keepalive as unknown as ReturnType<typeof tunnel>["keepalive"],
  });
  const told: (string | null)[] = [];
  const open = () => readdirSync("/proc/self/fd").length;
  const watch = {
    add() {
      throw new Error("no more watches");
    },
    remove() {},
  };
  const farEnd = new FarEnd(config, { now: () => 0, watch }, {
    asked: (error) => told.push(error),
    answered() {},
  });
  const before = open();
  for (let count = 0; count < 3; count++) {
    farEnd.attach({ index: 1, mac: new Uint8Array(0) }, null);
    farEnd.detach();
  }
  expect(told).toEqual(Array(3).fill("no more watches"));
  expect(open()).toBe(before);
});
