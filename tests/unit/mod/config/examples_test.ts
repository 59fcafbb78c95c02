import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { configJsonSchema, configJsonSchemaText } from "../../../../mod/config/json_schema.ts";
import { formatProblem, loadConfig } from "../../../../mod/config/load.ts";
import { conforms } from "./json_schema_reader.ts";
import { allPrograms } from "./marked.ts";

const DIRECTORY = join(import.meta.dir, "../../../../config");
const EXAMPLES = readdirSync(DIRECTORY).filter((name) => name.endsWith(".yaml")).sort();

test("there are examples", () => {
  expect(EXAMPLES.length).toBeGreaterThanOrEqual(5);
});

describe.each(EXAMPLES)("%s", (name) => {
  const text = readFileSync(join(DIRECTORY, name), "utf8");

  test("names its schema in the first line", () => {
    expect(text.split("\n")[0]).toBe("# yaml-language-server: $schema=./appliance.schema.json");
  });

  test("is good, and nothing about it is doubtful", () => {
    const result = loadConfig(text, name, undefined, allPrograms);
    expect((result.ok ? result.warnings : result.problems).map(formatProblem)).toEqual([]);
    expect(result.ok).toBe(true);
  });

  test("is good for an editor that reads the JSON schema", () => {
    expect(conforms(configJsonSchema(), parse(text))).toBe(true);
  });
});

describe("config/appliance.schema.json", () => {
  test("is what the schema makes today", () => {
    const file = readFileSync(join(DIRECTORY, "appliance.schema.json"), "utf8");
    const advice = "write it anew: appliance schema > config/appliance.schema.json";
    if (file !== configJsonSchemaText()) throw new Error(`config/appliance.schema.json is stale; ${advice}`);
  });

  test("describes every key", () => {
    const silent: string[] = [];
    const walk = (schema: unknown, path: string): void => {
      if (typeof schema !== "object" || schema === null) return;
      const { properties } = schema as {
        readonly properties?: Readonly<Record<string, { description?: string }>>;
      };
      for (const [key, value] of Object.entries(properties ?? {})) {
        if ((value.description ?? "") === "") silent.push(`${path}.${key}`);
      }
      for (const [key, value] of Object.entries(schema)) walk(value, `${path}/${key}`);
    };
    walk(configJsonSchema(), "");
    expect(silent).toEqual([]);
  });

  const web = { interface: "eth0", vrid: 51, addresses: ["10.0.0.1/24"] };
  test.each<[boolean, unknown]>([
    [true, { vrrp: { web } }],
    [true, { vrrp: { web: { ...web, preempt: "30s", lease: "off", takeover_delay: 0 } } }],
    [true, { vrrp: { web: { ...web, preempt: false, addresses: [{ address: "10.0.0.1", dev: "eth1" }] } } }],
    [true, { probes: { p: { type: "http", url: "http://a/", expect: { status: [200, "300-399"] } } } }],
    [true, { probes: { p: { type: "http", url: "http://a/", expect: { status: 200 } } } }],
    [false, { vrrp: { web: { ...web, vird: 51 } } }],
    [false, { vrrp: { web: { ...web, vrid: 256 } } }],
    [false, { vrrp: { web: { interface: "eth0", vrid: 51 } } }],
    [false, { vrrp: { web: { ...web, addresses: [{ dev: "eth1" }] } } }],
    [false, { vrrp: { web: { ...web, advert_interval: 1 } } }],
    [false, { vrrp: { web: { ...web, advert_interval: "1 second" } } }],
    [false, { vrrp: { web: { ...web, version: 4 } } }],
    [true, { vrrp: { web: { ...web, vmac: true } } }],
    [true, { vrrp: { web: { ...web, vmac: { name: "vrrp.51", advertise: "base" } } } }],
    [false, { vrrp: { web: { ...web, vmac: { advertise: "bse" } } } }],
    [false, { balance: {} }],
    [false, { probes: { p: { type: "htp", url: "http://a/" } } }],
    [false, { probes: { p: { url: "http://a/" } } }],
    [false, { log: { level: "warn" } }],
  ])("%p: %j", (good, value) => {
    expect(conforms(configJsonSchema(), value)).toBe(good);
  });
});
