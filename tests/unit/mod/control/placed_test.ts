/** What a crashed daemon left of routes and rules, and whose it is. */
import { afterEach, expect, test } from "bun:test";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadConfig } from "../../../../mod/config/load.ts";
import type { Config } from "../../../../mod/config/model.ts";
import { forsaken, PlacedKeeper } from "../../../../mod/control/placed.ts";

const directory = mkdtempSync(join(tmpdir(), `placed-test-${process.pid}-`));
const FILE = join(directory, "placed.json");
afterEach(() => rmSync(directory, { recursive: true, force: true }));

function config(web: string, top = ""): Config {
  const text =
    `runtime_dir: ${directory}\n${top}vrrp:\n  web: { interface: eth0, vrid: 1, addresses: [10.0.0.1/24]${web} }\n`;
  const loaded = loadConfig(text, "a.yaml");
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems));
  return loaded.config;
}

const problems: string[] = [];
const keeper = () => new PlacedKeeper({ failed: (text) => problems.push(text), removed: () => {} });
const destinations = () =>
  (JSON.parse(readFileSync(FILE, "utf8")) as { routes: { to: string }[] }).routes.map(({ to }) => to);

const ONE = config(", routes: [10.5.0.0/16 dev eth0], rules: [from 10.0.0.0/8 table 7]");
const TWO = config("", "static: { routes: [10.6.0.0/16 dev eth0], rules: [from 10.0.0.0/8 table 7] }\n");

test("what may be there is known at every moment, and nothing once it is gone", () => {
  const placed = keeper();
  placed.expect(ONE);
  placed.settle(ONE, true);
  expect(destinations()).toEqual(["10.5.0.0/16"]);
  placed.expect(TWO);
  expect(destinations()).toEqual(["10.5.0.0/16", "10.6.0.0/16"]);
  placed.settle(TWO, false);
  expect(destinations()).toEqual(["10.6.0.0/16"]);
  const next = keeper();
  next.expect(ONE);
  expect(destinations()).toEqual(["10.6.0.0/16", "10.5.0.0/16"]);
  next.clear();
  expect(existsSync(FILE)).toBe(false);
  expect(problems).toEqual([]);
});

test("of another boot, of another namespace, of another program: nothing is known", () => {
  const foreign = (change: (kept: Record<string, unknown>) => unknown) => {
    const before = keeper();
    before.expect(ONE);
    before.settle(ONE, true);
    writeFileSync(
      FILE,
      JSON.stringify(change(JSON.parse(readFileSync(FILE, "utf8")) as Record<string, unknown>)),
    );
    keeper().expect(TWO);
    return destinations();
  };
  expect(foreign((kept) => kept)).toEqual(["10.5.0.0/16", "10.6.0.0/16"]);
  for (
    const change of [
      (kept: Record<string, unknown>) => ({ ...kept, bootId: "another" }),
      (kept: Record<string, unknown>) => ({ ...kept, namespace: "net:[1]" }),
      () => "text",
      () => null,
    ]
  ) expect(foreign(change)).toEqual(["10.6.0.0/16"]);
});

test("what is to be kept when the daemon stops is not left behind", () => {
  const placed = keeper();
  placed.expect(config("", "static: { routes: [10.6.0.0/16 dev eth0], keep: true }\n"));
  expect(existsSync(FILE)).toBe(false);
});

test("what another instance has from now on is nobody's to remove", () => {
  const [web] = ONE.vrrp;
  const texts = (after: Config) => forsaken(web!, after, () => 1).map(({ text }) => text);
  expect(texts(TWO)).toEqual(["10.5.0.0/16 dev eth0"]);
  expect(texts(ONE)).toEqual([]);
  expect(forsaken(web!, TWO, () => null)).toEqual([]);
});
