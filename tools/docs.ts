/**
 * Writes the parts of the manual that the program itself knows (keys of the config, commands, metrics) into docs/, each
 * between two markers; what stands around them is written by hand and left as it is.
 *
 *     bun tools/docs.ts
 *
 * @module
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { commandsText } from "./docs/cli.ts";
import { configText } from "./docs/config.ts";
import { metricsTable } from "./docs/metrics.ts";

/** Generated parts by the name that their markers bear. */
const PARTS: Readonly<Record<string, () => string | Promise<string>>> = {
  config: configText,
  commands: commandsText,
  metrics: metricsTable,
};

/** Files that have generated parts, from the root of the tree. */
export const GENERATED_PAGES = ["docs/config.md", "docs/cli.md", "docs/operations.md"] as const;

/** Puts the generated parts between the markers of a page. Throws Error for a marker of an unknown part. */
export async function regenerated(page: string): Promise<string> {
  const pattern = /(<!-- generated: (\w+) .*?-->\n)[^]*?(<!-- end of \2 -->)/g;
  const found = [...page.matchAll(pattern)];
  if (found.length === 0) throw new Error("Cannot find a marker `<!-- generated: NAME -->` in the page");
  let text = page;
  for (const [whole, begin, name, end] of found) {
    const part = Object.hasOwn(PARTS, name!) ? PARTS[name!]! : null;
    if (part === null) throw new Error(`Cannot generate ${name}: there are ${Object.keys(PARTS).join(", ")}`);
    const generated = await part();
    text = text.replace(whole, () => `${begin}\n${generated.trim()}\n\n${end}`);
  }
  return text;
}

if (import.meta.main) {
  for (const page of GENERATED_PAGES) {
    const path = join(import.meta.dirname, "..", page);
    writeFileSync(path, await regenerated(readFileSync(path, "utf8")));
  }
}
