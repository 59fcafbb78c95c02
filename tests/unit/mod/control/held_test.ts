import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import fc from "fast-check";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { HeldKeeper, readHeld, writeHeld } from "../../../../mod/control/held.ts";

const NOTHING = { maintenance: false, released: [] };
const MAINTENANCE = { maintenance: true, released: [] };
const WEB = { maintenance: false, released: ["web"] };

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), `held-test-${process.pid}-`));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const file = () => join(directory, "held.json");

describe("the file", () => {
  test("holds what was written, whatever the names", () => {
    fc.assert(
      fc.property(fc.boolean(), fc.array(fc.string()), (maintenance, released) => {
        writeHeld(directory, { maintenance, released });
        expect(readHeld(directory)).toEqual({ held: { maintenance, released }, problem: null });
      }),
      { numRuns: 50 },
    );
    expect(readdirSync(directory).every((name) => name === "held.json")).toBe(true);
  });

  test("is there only while something is held back", () => {
    expect(readHeld(directory)).toEqual({ held: NOTHING, problem: null });
    writeHeld(directory, WEB);
    expect(existsSync(file())).toBe(true);
    writeHeld(directory, NOTHING);
    expect(existsSync(file())).toBe(false);
    writeHeld(directory, NOTHING);
  });

  test("makes its directory", () => {
    directory = join(directory, "deep", "er");
    writeHeld(directory, WEB);
    expect(readHeld(directory).held).toEqual(WEB);
  });

  test.each([
    ["", "it is cut or garbled"],
    ['{"maintenance":fal', "it is cut or garbled"],
    ["null", "it is not ours"],
    ["[]", "it is not ours"],
    ['{"maintenance":"no","released":[]}', "it is not ours"],
    ['{"maintenance":false,"released":[7]}', "it is not ours"],
  ])("that cannot be understood holds everything back: %p", (text, why) => {
    writeFileSync(file(), text);
    const { held, problem } = readHeld(directory);
    expect(held).toEqual(MAINTENANCE);
    expect(problem).toBe(
      `Cannot read what was held back from ${file()}: ${why}; the node is in maintenance until ` +
        "`appliance maintenance off`",
    );
  });

  test("that cannot be read holds everything back", () => {
    mkdirSync(file());
    expect(readHeld(directory)).toMatchObject({
      held: MAINTENANCE,
      problem: expect.stringContaining("directory"),
    });
  });

  test("that cannot be written is an error that names it", () => {
    writeFileSync(join(directory, "no"), "");
    expect(() => writeHeld(join(directory, "no"), WEB)).toThrow(`Cannot write ${directory}/no/held.json: `);
  });
});

describe("HeldKeeper", () => {
  const keeper = (failures: string[] = [], at: string = directory) =>
    new HeldKeeper(at, (problem) => failures.push(problem));

  test("keeps what it is told", () => {
    const held = keeper();
    held.keep(WEB);
    expect(JSON.parse(readFileSync(file(), "utf8"))).toEqual(WEB);
    expect(held.problem).toBeNull();
    expect(held.answered({ ok: true, text: "web is fault" })).toEqual({ ok: true, text: "web is fault" });
    held.keep(NOTHING);
    expect(existsSync(file())).toBe(false);
  });

  test("says with every answer that a restart would not know, until it would", () => {
    const failures: string[] = [];
    const blocked = join(directory, "no");
    writeFileSync(blocked, "");
    const held = keeper(failures, blocked);
    held.keep(WEB);
    expect(failures).toEqual([held.problem!]);
    expect(held.answered({ ok: true, text: "web is fault" }).text).toStartWith(
      `web is fault; a restart of the daemon would not know of it: Cannot write ${blocked}/held.json: `,
    );
    expect(held.answered({ ok: false, text: "there is no instance x" }).text).toBe("there is no instance x");
    rmSync(blocked);
    held.keep(WEB);
    expect(held.problem).toBeNull();
  });

  test("moves with the runtime directory, and leaves nothing behind", () => {
    const held = keeper();
    const [second, third] = [join(directory, "second"), join(directory, "third")];
    held.move(second);
    expect(existsSync(second)).toBe(false);
    held.keep(MAINTENANCE);
    expect(readHeld(second).held).toEqual(MAINTENANCE);
    held.move(third);
    expect(readHeld(third).held).toEqual(MAINTENANCE);
    expect(readHeld(second).held).toEqual(NOTHING);
  });
});
