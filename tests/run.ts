/**
 * Runs every suite and adds up what they say: the last line is `N passed, N failed[, N skipped]`.
 *
 *     bun tests/run.ts [SUITE...]
 *
 * Tests in real time that fail run once more, and the end of the output names them: nobody has a machine to himself.
 *
 * @module
 */
import { stripVTControlCharacters } from "node:util";

interface Suite {
  readonly name: string;
  readonly command: readonly string[];
  /** What the command is given: a folder of tests or a file. */
  readonly files: string;
  /** Bound on the whole suite, in seconds. */
  readonly limitS: number;
  /** Whether others at work on this machine can make a test of it fail: such a file runs once more before it counts. */
  readonly inRealTime?: boolean;
}

interface Outcome {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  /** What each failed test said, told again at the end: logs are often cut to their last lines. */
  readonly failures: readonly string[];
  /** The files that have failed tests, as the runner names them. */
  readonly failedFiles: readonly string[];
}

const BUN = process.execPath;

const SUITES: readonly Suite[] = [
  { name: "unit", command: [BUN, "test"], files: "tests/unit", limitS: 240 },
  { name: "golden", command: [BUN, "test"], files: "tests/golden", limitS: 60 },
  { name: "simulation", command: [BUN, "test"], files: "tests/sim", limitS: 240 },
  {
    name: "namespaces",
    command: [BUN, "test", "--timeout", "30000"],
    files: "tests/netns",
    limitS: 960,
    inRealTime: true,
  },
  { name: "lab", command: [BUN, "test"], files: "tests/kernel/run_test.ts", limitS: 120, inRealTime: true },
  // Inside a Linux of our own, with the GRE and IPVS that this machine's kernel may lack.
  {
    name: "kernel",
    command: [BUN, "tests/kernel/suite.ts"],
    files: "tests/kernel/guest",
    limitS: 160,
    inRealTime: true,
  },
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

/** The failed tests by name, each after its first error; and the files that they are in. */
function readFailures(text: string): { failures: string[]; failedFiles: string[] } {
  const failures = new Map<string, string>();
  const failedFiles = new Set<string>();
  let file: string | null = null;
  let said: string[] = [];
  for (const line of text.split("\n")) {
    const header = /^(\S+_test\.ts):$/.exec(line);
    if (header !== null) file = header[1]!;
    const end = /^\((pass|fail|skip|todo)\) /.exec(line);
    if (end === null) {
      if (said.length > 0 || /^\S*error: /i.test(line)) said.push(line);
      continue;
    }
    // A long run lists its failures once more at its end.
    if (end[1] === "fail" && !failures.has(line)) {
      failures.set(line, [...said.slice(0, FAILURE_LINES), line].join("\n"));
      if (file !== null) failedFiles.add(file);
    }
    said = [];
  }
  return { failures: [...failures.values()], failedFiles: [...failedFiles] };
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
  return { passed, failed, skipped, ...readFailures(text) };
}

async function runSuite(suite: Suite, files: readonly string[] = [suite.files]): Promise<Outcome> {
  const child = Bun.spawn([...suite.command, ...files], { stdio: ["ignore", "pipe", "pipe"] });
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
    return { passed: 0, failed: 0, skipped: 1, failures: [], failedFiles: [] };
  }
  const died = `the suite ${suite.name} ended with exit code ${exitCode}`;
  if (outcome === null) {
    const { failures } = readFailures(text);
    return { passed: 0, failed: 1, skipped: 0, failures: [...failures, died], failedFiles: [] };
  }
  // A suite that ended badly without a failed test (a crash, the limit) has failed all the same.
  return exitCode !== 0 && outcome.failed === 0
    ? { ...outcome, failed: 1, failures: [died], failedFiles: [] }
    : outcome;
}

/** More files than this do not fail by accident. */
const FILES_AGAIN = 2;

/** What was said at the first try of tests that passed at the second. */
const unsteady: string[] = [];

/**
 * Runs the failed files of a suite in real time once more, alone: a machine that was taken away for some milliseconds fails a
 * test once, a fault of ours twice. What passes then is counted as passed, and told.
 */
async function runAgain(suite: Suite, first: Outcome): Promise<Outcome> {
  const files = first.failedFiles;
  if (suite.inRealTime !== true || files.length === 0 || files.length > FILES_AGAIN) return first;
  if (first.failures.length !== first.failed) return first;
  console.log(`\n=== ${suite.name}, once more: ${files.join(", ")}`);
  const again = await runSuite(suite, files);
  if (again.failed > 0 || again.passed < first.failed) return first;
  unsteady.push(...first.failures);
  return { ...first, passed: first.passed + first.failed, failed: 0, failures: [], failedFiles: [] };
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
  const { passed, failed, skipped, failures: found } = await runAgain(suite, await runSuite(suite));
  const seconds = ((performance.now() - started) / 1000).toFixed(0);
  lines.push(
    `${suite.name.padEnd(12)} ${passed} passed, ${failed} failed, ${skipped} skipped in ${seconds} s`,
  );
  total.passed += passed;
  total.failed += failed;
  total.skipped += skipped;
  failures.push(...found);
}
if (unsteady.length > 0) console.log(`\n=== passed at the second try only\n${unsteady.join("\n\n")}`);
if (failures.length > 0) console.log(`\n=== failures\n${failures.join("\n\n")}`);
console.log(`\n${lines.join("\n")}\n`);
console.log(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
process.exit(total.failed === 0 && total.passed > 0 ? 0 : 1);
