/**
 * `appliance lab`: a whole cluster in network namespaces on this machine.
 *
 * @module
 */
import { writeSync } from "node:fs";
import { CAP, hasCapability } from "../../lib/libc/mod.ts";
import { selfCommand } from "../../lib/runtime/mod.ts";
import { runClient } from "./client.ts";
import { Cluster, Unmet } from "./cluster.ts";
import { bringUp, playDemo } from "./demo.ts";
import { dismantleAbandoned } from "./dismantle.ts";
import type { Scenario } from "./model.ts";
import { orderedByTime } from "./order.ts";
import { PAIR } from "./pair.ts";
import { reportDocument, summaryLines, type TimelineEntry, timelineLine } from "./report.ts";
import { reroute } from "./reroute.ts";
import { serve } from "./serve.ts";
import { quoted, removeStandingLabs, suggestionLines, suggestions } from "./stand.ts";
import { TWO_SITES } from "./two_sites.ts";
import { findWebServer } from "./web.ts";

/** What to do. */
export interface LabOptions {
  readonly verb: "demo" | "up" | "down";
  /** Print one JSON document instead of text. */
  readonly json: boolean;
  /** The scenario of two servers joined by a GRE tunnel. */
  readonly gre: boolean;
  /** Leave the demo's cluster standing. */
  readonly keep: boolean;
}

const EXIT_GOOD = 0;
const EXIT_BAD = 1;
/** As shells count: 128 and the signal's number. */
const EXIT_SIGNAL = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const;

/** A signal arrived, or the time is up. */
class Interrupted extends Error {
  constructor(message: string, readonly exitCode: number) {
    super(message);
  }
}

function say(line: string): void {
  write(1, `${line}\n`);
}

function complain(line: string): void {
  write(2, `${line}\n`);
}

/** Writes all at once; a reader that has gone away must not keep us from cleaning up. */
function write(fd: number, text: string): void {
  try {
    writeSync(fd, text);
  } catch {
    // Nobody reads.
  }
}

/** Runs a lab command; returns the exit code. Never rejects; everything it made is removed or left on purpose. */
export async function runLab(options: LabOptions): Promise<number> {
  const missing = missingRights();
  if (missing !== null) return fail(missing, options);
  try {
    if (options.verb === "down") return await down(options);
    await dismantleAbandoned();
    return await withCluster(options.gre ? TWO_SITES : PAIR, options);
  } catch (thrown) {
    fail((thrown as Error).message, options);
    return thrown instanceof Interrupted ? thrown.exitCode : EXIT_BAD;
  }
}

/** Says what went wrong, to programs too. */
function fail(error: string, { json }: LabOptions): number {
  complain(error);
  if (json) say(JSON.stringify({ ok: false, error }));
  return EXIT_BAD;
}

/** Runs a program of the lab that is started inside a namespace; see `serve.ts`, `client.ts` and `reroute.ts`. */
export async function runLabChild(role: string, args: readonly string[]): Promise<number> {
  const [first = "", second = "", third = ""] = args;
  try {
    if (role === "serve") return await serve(first, second, third);
    if (role === "client") return await runClient(first, Number(second));
    if (role === "reroute") return reroute(first, second, third);
    complain(`Cannot run a lab child named ${role}: write serve, client or reroute`);
  } catch (thrown) {
    complain((thrown as Error).message);
  }
  return EXIT_BAD;
}

function missingRights(): string | null {
  const needed = ["SYS_ADMIN", "NET_ADMIN", "NET_RAW"] as const;
  const missing = needed.filter((name) => !hasCapability(CAP[name])).map((name) => `CAP_${name}`);
  if (process.getuid?.() === 0 && missing.length === 0) return null;
  const what = missing.length === 0
    ? ""
    : ` (${missing.join(", ")} ${missing.length === 1 ? "is" : "are"} missing)`;
  return `Cannot make network namespaces: run it as root${what}`;
}

/** Builds a cluster, does what the verb says, and cleans up whatever happens. */
async function withCluster(scenario: Scenario, options: LabOptions): Promise<number> {
  const stop = new AbortController();
  const interrupt = (message: string, exitCode: number) => stop.abort(new Interrupted(message, exitCode));
  const handlers = Object.entries(EXIT_SIGNAL).map(([signal, exitCode]) => {
    const handler = () => interrupt(`Interrupted by ${signal}; everything was cleaned up`, exitCode);
    process.on(signal as NodeJS.Signals, handler);
    return { signal, handler };
  });
  const { totalMs } = scenario.pace;
  const limit = `Gave up after ${totalMs / 1000} s; everything was cleaned up`;
  const timer = setTimeout(interrupt, totalMs, limit, EXIT_BAD);
  const web = findWebServer();
  const timeline = orderedByTime(timelinePrinter(scenario, options));
  let cluster: Cluster | null = null;
  let left = false;
  try {
    if (!options.json) { for (const line of scenario.summary(web)) say(line); }
    cluster = new Cluster(scenario, web, stop.signal, timeline.add);
    const perform = options.verb === "demo" ? demo : up;
    const good = await perform(cluster, options, timeline.flush);
    left = options.verb === "up" ? good : options.keep;
    if (left) cluster.leave();
    return good ? EXIT_GOOD : EXIT_BAD;
  } finally {
    clearTimeout(timer);
    timeline.flush();
    if (!left) await cluster?.close();
    // Only now: a second Ctrl-C must not break off the cleaning.
    for (const { signal, handler } of handlers) process.off(signal, handler);
  }
}

function timelinePrinter({ topology }: Scenario, { json }: LabOptions): (entry: TimelineEntry) => void {
  if (json) return () => {};
  const width = Math.max(...topology.machines.map(({ name }) => name.length));
  return (entry) => say(timelineLine(entry, width, hasColours()));
}

function hasColours(): boolean {
  return process.stdout.isTTY === true && !process.env["NO_COLOR"] && process.env["TERM"] !== "dumb";
}

async function demo(cluster: Cluster, { json, keep }: LabOptions, flush: () => void): Promise<boolean> {
  const report = await playDemo(cluster, !keep);
  flush();
  if (!report.ok) { for (const line of cluster.lab.logTails()) complain(line); }
  if (json) {
    const standing = keep ? standingDocument(cluster) : {};
    say(JSON.stringify({ ...reportDocument(report), ...standing }, null, 2));
  } else {
    for (const line of summaryLines(report, hasColours())) say(line);
    if (keep) printStanding(cluster);
  }
  return report.ok;
}

async function up(cluster: Cluster, options: LabOptions, flush: () => void): Promise<boolean> {
  try {
    await bringUp(cluster);
    flush();
  } catch (thrown) {
    if (!(thrown instanceof Unmet)) throw thrown;
    for (const line of cluster.lab.logTails()) complain(line);
    fail(`Cannot bring the cluster up: ${thrown.message}`, options);
    return false;
  }
  if (options.json) say(JSON.stringify(standingDocument(cluster), null, 2));
  else printStanding(cluster);
  return true;
}

/** How the shell calls this program. */
function program(): string {
  return selfCommand([]).map(quoted).join(" ");
}

function printStanding({ lab }: Cluster): void {
  say(`\nThe cluster stands (${lab.prefix}, files in ${lab.directory}). Things to try:`);
  for (const line of suggestionLines(suggestions(lab, program()))) say(line);
}

function standingDocument({ lab }: Cluster): Record<string, unknown> {
  const { nodes, topology } = lab.scenario;
  const machines = [...topology.switches, ...topology.machines.map(({ name }) => name)];
  return {
    lab: lab.prefix,
    directory: lab.directory,
    namespaces: Object.fromEntries(machines.map((name) => [name, lab.namespace(name)])),
    nodes: nodes.map(({ name }) => ({ name, config: lab.files(name).config, socket: lab.socket(name) })),
    commands: suggestions(lab, program()),
  };
}

async function down({ json }: LabOptions): Promise<number> {
  const { removed, inUse, failures } = await removeStandingLabs();
  if (json) {
    say(JSON.stringify({ removed, in_use: inUse, failures }, null, 2));
  } else {
    for (const prefix of removed) say(`Removed ${prefix}`);
    for (const { prefix, pid } of inUse) say(`Left ${prefix} alone: process ${pid} is using it`);
    if (removed.length + inUse.length + failures.length === 0) say("There is no lab to remove");
  }
  for (const failure of failures) complain(failure);
  return failures.length === 0 ? EXIT_GOOD : EXIT_BAD;
}
