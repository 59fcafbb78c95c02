/**
 * The kernel suite: all tests of `guest/`, in two guests side by side, because a guest has one processor. One takes the
 * tests of the binary (`guest/appliance/`), whose time is that of the protocols, the other one the rest.
 *
 *     bun tests/kernel/suite.ts [FILE|FOLDER...]
 *
 * What a guest's tests say is printed when it is done; the last lines are the sums. Where the lab cannot be had it prints
 * "skipped: " and the reason.
 *
 * @module
 */
import { readdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { stripVTControlCharacters } from "node:util";
import { type KernelResult, runInKernel } from "./lab.ts";

const GUEST = join(import.meta.dirname, "guest");
/** `make test-kernel` promises three minutes, and other tests of the lab come before. */
const TIMEOUT_MS = 140_000;

interface Sums {
  pass: number;
  fail: number;
  skip: number;
}

function testFiles(folder: string): string[] {
  return readdirSync(folder).filter((name) => name.endsWith("_test.ts")).sort().map((name) =>
    join(folder, name)
  );
}

function countOf(output: string, word: string): number | null {
  const text = stripVTControlCharacters(output);
  const found = [...text.matchAll(new RegExp(`^\\s*(\\d+) ${word}$`, "gm"))].at(-1);
  return found === undefined ? null : Number(found[1]);
}

/** A guest that ended badly without a failed test (it died, its time was over) has failed all the same. */
function add(sums: Sums, { exitCode, output }: KernelResult): void {
  const fail = countOf(output, "fail") ?? 0;
  sums.pass += countOf(output, "pass") ?? 0;
  sums.fail += exitCode !== 0 && fail === 0 ? 1 : fail;
  sums.skip += countOf(output, "skip") ?? 0;
}

/** What of the tests is asked for; all when nothing is. */
const wanted = process.argv.slice(2).map((path) => resolve(path));
const isWanted = (file: string) =>
  wanted.length === 0 || wanted.some((path) => file === path || file.startsWith(`${path}/`));

const groups = { appliance: testFiles(join(GUEST, "appliance")), kernel: testFiles(GUEST) };
if (!Object.values(groups).flat().some(isWanted)) {
  console.error(`There are no tests of the kernel in ${process.argv.slice(2).join(", ")}`);
  process.exit(2);
}
const started = performance.now();
const runs = Object.entries(groups).map(async ([name, all]) => {
  const files = all.filter(isWanted);
  if (files.length === 0) return null;
  const command = [process.execPath, "test", ...files];
  const result = await runInKernel(command, { timeoutMs: TIMEOUT_MS, memory: "768M" });
  const seconds = ((performance.now() - started) / 1000).toFixed(0);
  if (result.skipped === null) console.log(`--- guest ${name}, ${seconds} s\n${result.output}`);
  return result;
});
const results = (await Promise.all(runs)).filter((result) => result !== null);
const skipped = results.map((result) => result.skipped).find((reason) => reason !== null);
if (skipped !== undefined) {
  console.log(`skipped: ${skipped}`);
  process.exit(0);
}
const sums: Sums = { pass: 0, fail: 0, skip: 0 };
for (const result of results) add(sums, result);
console.log(Object.entries(sums).map(([word, count]) => ` ${count} ${word}`).join("\n"));
process.exit(sums.fail === 0 ? 0 : 1);
