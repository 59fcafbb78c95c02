/**
 * Measures our daemon and keepalived side by side and holds ours against the performance budget:
 *
 *     bun tests/bench/main.ts [--quick] [ROW...]       or       make bench [ROWS="ROW ..."]
 *
 * Prints a table and writes dist/bench.json. Exits with 1 when a row could not be measured; a missed budget is told, and
 * is no failure of the bench.
 *
 * @module
 */
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { cpus, loadavg, release, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { appliancePath } from "../netns/lab/appliance.ts";
import { run } from "../netns/lab/command.ts";
import { missing } from "../netns/lab/need.ts";
import { Patience } from "./machine.ts";
import { type Bench, judge, type Outcome, type Row, show, table, toJson } from "./measure.ts";
import { ROWS } from "./rows.ts";

const OUTPUT = join(import.meta.dir, "../../dist/bench.json");

interface CommandLine {
  readonly rows: readonly Row[];
  readonly quick: boolean;
}

function readCommandLine(): CommandLine {
  const { values, positionals } = parseArgs({
    options: { quick: { type: "boolean", default: false } },
    allowPositionals: true,
  });
  const names = [...positionals, ...(process.env["ROWS"] ?? "").split(/[\s,]+/)].filter((name) =>
    name !== ""
  );
  const unknown = names.filter((name) => !ROWS.some((row) => row.name === name));
  if (unknown.length > 0) {
    console.error(
      `There is no row ${unknown.join(", ")}; there are: ${ROWS.map(({ name }) => name).join(", ")}`,
    );
    process.exit(2);
  }
  return {
    rows: names.length === 0 ? ROWS : ROWS.filter(({ name }) => names.includes(name)),
    quick: values.quick,
  };
}

async function measure(row: Row, bench: Bench): Promise<Outcome> {
  const startedMs = performance.now();
  const outcome = { row, lines: [], failure: null };
  const tookS = () => (performance.now() - startedMs) / 1000;
  const reason = missing(row.needs ?? []);
  if (reason !== null) return { ...outcome, tookS: tookS(), failure: reason };
  try {
    return { ...outcome, lines: (await row.run(bench)).map(judge), tookS: tookS() };
  } catch (error) {
    const failure = error instanceof Error ? error.message : String(error);
    return { ...outcome, tookS: tookS(), failure };
  }
}

const { rows, quick } = readCommandLine();
const reason = missing(["keepalived", "tcpdump"]);
if (reason !== null) {
  console.error(`Cannot measure: ${reason}`);
  process.exit(1);
}
// A copy: whoever builds meanwhile changes nothing that is measured.
const directory = mkdtempSync(join(tmpdir(), "aplbench-"));
process.on("exit", () => rmSync(directory, { recursive: true, force: true }));
const binary = join(directory, "appliance");
copyFileSync(appliancePath(), binary);
process.env["APPLIANCE"] = binary;
const started = new Date();
const about = {
  measured: started.toISOString(),
  quick,
  appliance: run([binary, "version"]).stdout.trim(),
  keepalived: /Keepalived v\S+/.exec(run(["keepalived", "--version"]).stderr)?.[0] ?? "keepalived",
  machine: { kernel: release(), processors: cpus().length, model: cpus()[0]?.model ?? "?", load: loadavg() },
};
console.log(
  `${about.appliance.split("\n")[0]} beside ${about.keepalived} on ${about.machine.processors} processors, ` +
    `Linux ${about.machine.kernel}, load ${about.machine.load[0]!.toFixed(2)}\n`,
);

const patience = new Patience(quick ? 5000 : 40_000);
const outcomes: Outcome[] = [];
for (const row of rows) {
  const say = (text: string) => console.log(`  ${row.name}: ${text}`);
  console.log(`measuring ${row.title} …`);
  const outcome = await measure(row, {
    rounds: (many, few) => quick ? few : many,
    calm: () => patience.calm(),
    say,
  });
  if (outcome.failure !== null) console.log(`  FAILED: ${outcome.failure}`);
  outcomes.push(outcome);
}

const judged = outcomes.flatMap(({ lines }) => lines);
const misses = judged.filter(({ verdict }) => verdict === "misses");
const failed = outcomes.filter(({ failure }) => failure !== null);
const tookS = (Date.now() - started.getTime()) / 1000;
console.log(`\n${table(outcomes)}\n`);
for (const { line, ours } of misses) {
  console.log(`misses: ${line.what}: ${show(ours, line.unit)} > ${show(line.budget, line.unit)}`);
}
const held = judged.filter(({ verdict }) => verdict === "ok").length;
console.log(
  `${held} within the budget, ${misses.length} not, ${failed.length} rows failed; ${tookS.toFixed(0)} s`,
);
mkdirSync(join(OUTPUT, ".."), { recursive: true });
writeFileSync(OUTPUT, toJson(outcomes, { ...about, took_s: Math.round(tookS) }));
// Whoever reads the table from a pipe gets all of it.
process.stdout.write("", () => process.exit(failed.length === 0 ? 0 : 1));
