/**
 * Runs every suite and adds up what they say: the last line is `N passed, N failed[, N skipped]`.
 *
 *     bun tests/run.ts [SUITE...]
 *
 * @module
 */
import { stripVTControlCharacters } from "node:util";

interface Suite {
  readonly name: string;
  readonly command: readonly string[];
  /** Bound on the whole suite, in seconds. */
  readonly limitS: number;
}

interface Outcome {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  /** What each failed test said, told again at the end: logs are often cut to their last lines. */
  readonly failures: readonly string[];
}

const BUN = process.execPath;

const SUITES: readonly Suite[] = [
  { name: "unit", command: [BUN, "test", "tests/unit"], limitS: 240 },
  { name: "golden", command: [BUN, "test", "tests/golden"], limitS: 60 },
  { name: "simulation", command: [BUN, "test", "tests/sim"], limitS: 240 },
  { name: "namespaces", command: [BUN, "test", "--timeout", "30000", "tests/netns"], limitS: 960 },
  { name: "lab", command: [BUN, "test", "tests/kernel/run_test.ts"], limitS: 120 },
  // Inside a Linux of our own, with the GRE and IPVS that this machine's kernel may lack.
  { name: "kernel", command: [BUN, "tests/kernel/suite.ts"], limitS: 160 },
];

/** Copies a stream to standard output and returns its text. */
async function tee(stream: ReadableStream<Uint8Array>): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of stream) {
    process.stdout.write(chunk);
    text += decoder.decode(chunk, { stream: true });
  }
  return text;
}

/** So many lines of what a failed test said are told again. */
const FAILURE_LINES = 12;

/** The failed tests by name, each after its first error. */
function readFailures(text: string): string[] {
  const failures = new Map<string, string>();
  let said: string[] = [];
  for (const line of text.split("\n")) {
    const end = /^\((pass|fail|skip|todo)\) /.exec(line);
    if (end === null) {
      if (said.length > 0 || /^\S*error: /i.test(line)) said.push(line);
      continue;
    }
    // A long run lists its failures once more at its end.
    if (end[1] === "fail" && !failures.has(line)) {
      failures.set(line, [...said.slice(0, FAILURE_LINES), line].join("\n"));
    }
    said = [];
  }
  return [...failures.values()];
}

/** The counts of a test run's closing lines; null when it did not get as far as printing them. */
function readSummary(text: string): Outcome | null {
  const count = (word: string) => {
    const found = [...text.matchAll(new RegExp(`^\\s*(\\d+) ${word}$`, "gm"))].at(-1);
    return found === undefined ? null : Number(found[1]);
  };
  const passed = count("pass");
  const failed = count("fail");
  if (passed === null || failed === null) return null;
  const skipped = (count("skip") ?? 0) + (count("todo") ?? 0);
  return { passed, failed, skipped, failures: readFailures(text) };
}

async function runSuite(suite: Suite): Promise<Outcome> {
  const child = Bun.spawn([...suite.command], { stdio: ["ignore", "pipe", "pipe"] });
  const limit = setTimeout(() => {
    console.log(`the suite took longer than ${suite.limitS} s and is ended`);
    child.kill("SIGTERM");
    setTimeout(() => child.kill("SIGKILL"), 10_000).unref();
  }, suite.limitS * 1000);
  const texts = await Promise.all([tee(child.stdout), tee(child.stderr)]);
  const exitCode = await child.exited;
  clearTimeout(limit);
  const text = stripVTControlCharacters(texts.join("\n"));
  const outcome = readSummary(text);
  if (outcome === null && exitCode === 0 && /^skipped: /m.test(text)) {
    return { passed: 0, failed: 0, skipped: 1, failures: [] };
  }
  const died = `the suite ${suite.name} ended with exit code ${exitCode}`;
  if (outcome === null) {
    return { passed: 0, failed: 1, skipped: 0, failures: [...readFailures(text), died] };
  }
  // A suite that ended badly without a failed test (a crash, the limit) has failed all the same.
  return exitCode !== 0 && outcome.failed === 0 ? { ...outcome, failed: 1, failures: [died] } : outcome;
}

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !SUITES.some((suite) => suite.name === name));
if (unknown.length > 0) {
  console.error(
    `There is no suite ${unknown.join(", ")}; there are ${SUITES.map(({ name }) => name).join(", ")}`,
  );
  process.exit(2);
}
const total = { passed: 0, failed: 0, skipped: 0 };
const lines: string[] = [];
const failures: string[] = [];
for (const suite of SUITES) {
  if (wanted.length > 0 && !wanted.includes(suite.name)) continue;
  console.log(`\n=== ${suite.name}`);
  const started = performance.now();
  const { passed, failed, skipped, failures: found } = await runSuite(suite);
  const seconds = ((performance.now() - started) / 1000).toFixed(0);
  lines.push(
    `${suite.name.padEnd(12)} ${passed} passed, ${failed} failed, ${skipped} skipped in ${seconds} s`,
  );
  total.passed += passed;
  total.failed += failed;
  total.skipped += skipped;
  failures.push(...found);
}
if (failures.length > 0) console.log(`\n=== failures\n${failures.join("\n\n")}`);
console.log(`\n${lines.join("\n")}\n`);
console.log(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
process.exit(total.failed === 0 && total.passed > 0 ? 0 : 1);
