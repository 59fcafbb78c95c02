import { describe, expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { DROP_REASONS } from "../../../mod/bus/messages.ts";
import { formatProblem, loadConfig } from "../../../mod/config/load.ts";
import { GENERATED_PAGES, regenerated } from "../../../tools/docs.ts";

const ROOT = join(import.meta.dir, "../../..");
const PAGES = ["README.md", ...readdirSync(join(ROOT, "docs")).map((name) => `docs/${name}`)].sort();

function read(page: string): string {
  return readFileSync(join(ROOT, page), "utf8");
}

/** Names of the headings of a page, as links have them. */
function anchors(text: string): string[] {
  return [...text.matchAll(/^#+ (.*)$/gm)].map(([, heading]) =>
    heading!.toLowerCase().replaceAll(/[^\w\- ]/g, "").replaceAll(" ", "-")
  );
}

describe.each([...GENERATED_PAGES])("%s", (page) => {
  test("says what the program says (else run: bun tools/docs.ts)", async () => {
    const text = read(page);
    expect(await regenerated(text)).toBe(text);
  });
});

describe("what is generated", () => {
  test("goes between its markers and nowhere else", async () => {
    const [begin, end] = ["<!-- generated: metrics (x) -->\n", "<!-- end of metrics -->"];
    const text = await regenerated(`before\n${begin}stale\n${end}\nafter\n`);
    expect(text).toStartWith(`before\n${begin}`);
    expect(text).toContain("| `appliance_healthy` | gauge |");
    expect(text).not.toContain("stale");
    expect(text).toEndWith(`${end}\nafter\n`);
  });

  test("has no part of an unknown name, and a page without markers is a mistake", async () => {
    const unknown = "<!-- generated: nothing (x) -->\n<!-- end of nothing -->";
    await expect(regenerated(unknown)).rejects.toThrow("Cannot generate nothing");
    await expect(regenerated("no markers")).rejects.toThrow("Cannot find a marker");
  });

  test("knows keys, defaults and what must be there", () => {
    const config = read("docs/config.md");
    expect(config).toContain("| `vrid` | number from 1 to 255 | **required** |");
    expect(config).toContain("| `announce.repeat` | number from 1 to 100 | `5` |");
    expect(config).toContain("#### `vrrp.NAME.addresses[]`");
    expect(read("docs/cli.md")).toContain("Usage: appliance maintenance [options] <on|off>");
  });
});

describe.each(PAGES)("%s", (page) => {
  const text = read(page);

  test("shows configs that are good", () => {
    for (const [, yaml] of text.matchAll(/^```yaml\n([^]*?)^```$/gm)) {
      const result = loadConfig(yaml!, page);
      expect([yaml, result.ok ? [] : result.problems.map(formatProblem)]).toEqual([yaml, []]);
    }
  });

  test("links to what is there", () => {
    for (const [, target] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^https?:/.test(target!)) continue;
      const [path, anchor] = target!.split("#");
      const file = path === "" ? join(ROOT, page) : join(ROOT, dirname(page), path!);
      expect([target, existsSync(file)]).toEqual([target, true]);
      if (anchor === undefined) continue;
      expect([target, anchors(readFileSync(file, "utf8")).includes(anchor)]).toEqual([target, true]);
    }
  });
});

test("the README has each example", () => {
  const examples = readdirSync(join(ROOT, "config")).filter((name) => name.endsWith(".yaml"));
  const text = read("README.md");
  expect(examples.filter((name) => !text.includes(`(config/${name})`))).toEqual([]);
});

test("operations tell every reason why packets are dropped", () => {
  const text = read("docs/operations.md");
  expect(DROP_REASONS.filter((reason) => !text.includes(`\`${reason}\``))).toEqual([]);
});

test("operations tell every metric", () => {
  const text = read("docs/operations.md");
  const source = read("mod/status/metrics.ts");
  const families = [
    ...[...source.matchAll(/\b(?:gauge|counter)\(\s*"(\w+)"/g)].map(([, name]) => `appliance_${name}`),
    ...[...source.matchAll(/name: "(appliance_\w+)"/g)].map(([, name]) => name!),
  ];
  expect(families.length).toBeGreaterThan(30);
  expect(families.filter((name) => !text.includes(`| \`${name}\` |`))).toEqual([]);
});
