import { afterAll, expect, test } from "bun:test";
import fc from "fast-check";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { decodeHeartbeat, encodeHeartbeat, heartbeatSize } from "../../../../mod/heartbeat/layout.ts";
import { HeartbeatWriter, readHeartbeat } from "../../../../mod/heartbeat/shell.ts";

const dir = mkdtempSync(join(tmpdir(), "appliance-heartbeat-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const signs = fc.array(
  fc.record({
    identity: fc.stringMatching(/^[a-z0-9 ]{1,40}$/).map((text) => text.trim() || "x"),
    master: fc.boolean(),
    spokeAt: fc.integer({ min: 0, max: 2 ** 52 }),
    ahSequence: fc.integer({ min: 0, max: 0xffffffff }),
    silenceNs: fc.integer({ min: 0, max: 2 ** 52 }),
  }),
  { maxLength: 20 },
);

test("decodeHeartbeat() reads what encodeHeartbeat() wrote", () => {
  fc.assert(fc.property(signs, (signs) => {
    const heartbeat = { bootId: "6f0c3c05-6f0c-4f0c-8f0c-6f0c3c056f0c", pid: 77, signs };
    const bytes = new Uint8Array(heartbeatSize(signs.length));
    encodeHeartbeat(bytes, heartbeat);
    expect(decodeHeartbeat(bytes)).toEqual(heartbeat);
    expect(decodeHeartbeat(bytes.subarray(0, bytes.length - 1))).toBeNull();
  }));
});

test("decodeHeartbeat() takes anything else for nothing", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
    expect(decodeHeartbeat(bytes)).toBeNull();
  }));
});

test("another process reads the signs while they are written", () => {
  const writer = new HeartbeatWriter(dir, [
    { identity: "eth0 ipv4 51 v3", master: false, spokeAt: 0, ahSequence: 0, silenceNs: 3e9 },
    { identity: "eth1 ipv4 51 v2", master: false, spokeAt: 0, ahSequence: 0, silenceNs: 3e9 },
  ]);
  writer.sign(1, { master: true, spokeAt: 123_456_789_012_345, ahSequence: 9, silenceNs: 3e8 });
  expect(readHeartbeat(dir)).toMatchObject({
    pid: process.pid,
    signs: [{ master: false }, {
      identity: "eth1 ipv4 51 v2",
      master: true,
      spokeAt: 123_456_789_012_345,
      ahSequence: 9,
      silenceNs: 3e8,
    }],
  });
});

test("a later heartbeat takes the place of a longer one, whose memory is given back", () => {
  const mapped = () => readFileSync("/proc/self/maps", "utf8").split(`${dir}/heartbeat`).length - 1;
  const before = mapped();
  const sign = { identity: "eth0 ipv4 51 v3", master: true, spokeAt: 0, ahSequence: 0, silenceNs: 3e9 };
  const longer = new HeartbeatWriter(dir, [sign]);
  new HeartbeatWriter(dir, []);
  expect(mapped()).toBe(before + 2);
  longer.close();
  longer.close();
  longer.sign(0, sign);
  expect(mapped()).toBe(before + 1);
  expect(readHeartbeat(dir)?.signs).toEqual([]);
});

test("garbage in the file is no heartbeat, nor is no file", () => {
  writeFileSync(join(dir, "heartbeat"), "nonsense");
  expect(readHeartbeat(dir)).toBeNull();
  expect(readHeartbeat(join(dir, "nowhere"))).toBeNull();
});
