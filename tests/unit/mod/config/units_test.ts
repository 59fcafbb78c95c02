import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import {
  formatDuration,
  parseDuration,
  parseHostPort,
  parseInteger,
  splitCommand,
} from "../../../../mod/config/units.ts";

const DURATIONS: readonly (readonly [string, number])[] = [
  ["500ms", 500],
  ["1s", 1000],
  ["1.5s", 1500],
  ["40.95s", 40_950],
  ["0.01s", 10],
  ["2m", 120_000],
  ["1h", 3_600_000],
  ["0", 0],
  ["0s", 0],
  ["10 ms", 10],
];

describe("parseDuration", () => {
  test.each(DURATIONS)("reads %s", (text, ms) => {
    expect(parseDuration(text)).toEqual({ ok: true, value: ms });
  });

  test.each([
    ["1", "number without a unit", "write 1s or 1ms"],
    ["1.5", "number without a unit", "write 1.5s or 1.5ms"],
    ["-1s", "cannot be negative", "write 0s or more"],
    ["1d", "no unit `d`", "write ms, s, m or h"],
    ["1S", "no unit `S`", "write ms, s, m or h"],
    ["1constructor", "no unit `constructor`", "write ms, s, m or h"],
    ["0.5ms", "finer than a millisecond", "write whole milliseconds"],
    ["soon", "not a duration", "write 500ms, 1s, 2m or 1h"],
    ["", "not a duration", "write 500ms, 1s, 2m or 1h"],
    ["1m30s", "more than one duration", "write 90s"],
    ["1h 30m", "more than one duration", "write 90m"],
    ["1e3s", "not a duration", "write 500ms, 1s, 2m or 1h"],
    ["9000h", "longer than a year", null],
  ])("refuses %s", (text, what, instead) => {
    const result = parseDuration(text);
    expect(result).toEqual({ ok: false, what: expect.stringContaining(what), instead });
  });

  test("reads what formatDuration writes", () => {
    fc.assert(fc.property(fc.integer({ min: 0, max: 31_536_000_000 }), (ms) => {
      expect(parseDuration(formatDuration(ms))).toEqual({ ok: true, value: ms });
    }));
  });

  test("formats with the unit that reads best", () => {
    expect([0, 10, 1000, 1500, 40_950, 60_000, 90_000, 3_600_000, 1001].map(formatDuration)).toEqual(
      ["0s", "10ms", "1s", "1.5s", "40.95s", "1m", "90s", "1h", "1001ms"],
    );
  });
});

describe("parseInteger", () => {
  test("reads decimal numbers only", () => {
    expect(parseInteger("0")).toEqual({ ok: true, value: 0 });
    expect(parseInteger("-253")).toEqual({ ok: true, value: -253 });
    expect(parseInteger("051")).toMatchObject({ ok: false, instead: "write 51" });
    expect(parseInteger("-07")).toMatchObject({ ok: false, instead: "write -7" });
    for (const text of ["051", "+051", "-07"]) {
      expect(parseInteger(text)).toMatchObject({ what: expect.stringContaining("octal") });
    }
    expect(parseInteger("+51")).toEqual({
      ok: false,
      what: "is `+51`, with a sign that it does not need",
      instead: "write 51",
    });
    for (const text of ["0x33", "1.0", "1e2", "5 ", "", "NaN", "1_000"]) {
      expect(parseInteger(text)).toMatchObject({ ok: false, instead: "write decimal digits only" });
    }
  });
});

describe("parseHostPort", () => {
  test("reads addresses and names", () => {
    expect(parseHostPort("127.0.0.1:8405")).toEqual({ ok: true, value: { host: "127.0.0.1", port: 8405 } });
    expect(parseHostPort("[::1]:80")).toEqual({ ok: true, value: { host: "::1", port: 80 } });
    expect(parseHostPort("db.example.com:5432")).toMatchObject({
      ok: true,
      value: { host: "db.example.com" },
    });
  });

  test("refuses the rest", () => {
    for (const text of ["8405", "127.0.0.1", "::1:80", ":80", "http://x:80", "a:0", "a:65536", "a:b"]) {
      expect(parseHostPort(text).ok).toBe(false);
    }
  });
});

describe("splitCommand", () => {
  test("splits at blanks, honours quotes, runs no shell", () => {
    expect(splitCommand(`/bin/a  -b "c d" 'e "f"' g\\ h ""`)).toEqual(
      { ok: true, value: ["/bin/a", "-b", "c d", 'e "f"', "g h", ""] },
    );
    expect(splitCommand("a '|'")).toEqual({ ok: true, value: ["a", "|"] });
  });

  test("says that a shell would be needed", () => {
    for (const text of ["a | b", "a > b", "a; b", "a $HOME", "a `b`", "a && b"]) {
      expect(splitCommand(text)).toMatchObject({ ok: false, what: expect.stringContaining("only a shell") });
    }
    expect(splitCommand('a "b')).toMatchObject({ ok: false, what: 'has a " that is never closed' });
    expect(splitCommand("  ")).toMatchObject({ ok: false, what: "names no program" });
  });
});
