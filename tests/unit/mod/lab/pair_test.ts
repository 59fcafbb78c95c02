/** The plain pair: its files and what one may do with it. */
import { describe, expect, test } from "bun:test";
import { loadConfig } from "../../../../mod/config/load.ts";
import { nodeFiles } from "../../../../mod/lab/lab.ts";
import type { WebServer } from "../../../../mod/lab/model.ts";
import { PAIR } from "../../../../mod/lab/pair.ts";
import { quoted, suggestionLines } from "../../../../mod/lab/stand.ts";
import { nginxArgv } from "../../../../mod/lab/web.ts";

const NGINX: WebServer = { kind: "nginx", path: "/usr/sbin/nginx", version: "1.22.1" };
const WEBS: readonly WebServer[] = [NGINX, { kind: "built-in" }];

describe("config", () => {
  for (const web of WEBS) {
    for (const node of PAIR.nodes) {
      test(`of ${node.name} with ${web.kind} is valid and says what the summary says`, () => {
        const files = nodeFiles("/tmp/lab: #1", node.name);
        const context = { files, web, reroute: () => [] };
        const result = loadConfig(PAIR.configOf(node, context), "appliance.yaml");
        expect(result).toMatchObject({ ok: true, warnings: [] });
        if (!result.ok) return;
        const { config } = result;
        expect(config).toMatchObject({ node: node.name, runtimeDir: files.runtimeDir });
        const [instance] = config.vrrp;
        expect(instance).toMatchObject({
          name: PAIR.instance,
          priority: node.priority,
          intervalCs: 10,
          version: 3,
        });
        expect(instance!.addresses).toMatchObject([{ address: PAIR.vip, prefix: 24 }]);
        const [probe] = config.probes;
        expect(probe).toMatchObject({ type: web.kind === "nginx" ? "nginx" : "http", intervalMs: 200 });
        if (probe!.type === "nginx") expect(probe!.process).toEqual({ by: "pid_file", path: files.webPid });
        const [track] = instance!.track;
        expect(track).toMatchObject({ weight: -60 });
      });
    }
  }

  test("the failing probe takes the first node below the second", () => {
    const [first, second] = PAIR.nodes;
    expect(first.priority).toBeGreaterThan(second.priority);
    expect(first.priority - 60).toBeLessThan(second.priority);
  });
});

test("all nodes and the client are machines of the topology", () => {
  const machines = PAIR.topology.machines.map(({ name }) => name);
  expect(machines).toEqual(expect.arrayContaining([...PAIR.nodes.map(({ name }) => name), PAIR.client]));
});

test.each([
  ["1.18.0", false],
  ["1.19.4", false],
  ["1.19.5", true],
  ["1.22.1", true],
  ["2.0.0", true],
  ["of unknown version", false],
])("nginx %s is given -e only when it knows it: %p", (version, knows) => {
  const argv = nginxArgv(nodeFiles("/tmp/lab", "a"), { ...NGINX, kind: "nginx", path: "nginx", version });
  expect(argv.includes("-e")).toBe(knows);
});

test("words for the shell", () => {
  expect(["/tmp/a-b_c.1", "a b", "it's", "$x"].map(quoted)).toEqual([
    "/tmp/a-b_c.1",
    "'a b'",
    `'it'\\''s'`,
    "'$x'",
  ]);
});

test("suggestions stand below each other", () => {
  const lines = suggestionLines([{ text: "Short", command: "one" }, { text: "Longer text", command: "two" }]);
  expect(lines).toEqual(["  Short        one", "  Longer text  two"]);
});
