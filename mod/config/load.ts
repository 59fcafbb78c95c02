/**
 * Loads a config file: every problem at once, each at its line and column, or the config.
 *
 * @module
 */
import { dirname, resolve } from "node:path";
import { buildConfig } from "./build.ts";
import { checkAcross } from "./check/across.ts";
import { checkGroups } from "./check/group.ts";
import { checkStaticAddresses } from "./check/address.ts";
import { checkNames } from "./check/context.ts";
import type { Check } from "./check/context.ts";
import { checkFiles, secretOf } from "./check/files.ts";
import { checkLinks } from "./check/link.ts";
import { checkNode } from "./check/node.ts";
import { checkRoutes } from "./check/route.ts";
import { checkProbes } from "./check/probe.ts";
import { checkPrograms } from "./check/program.ts";
import { checkCircles } from "./check/track.ts";
import { checkTunnels } from "./check/tunnel.ts";
import { checkVmacs, vmacNames } from "./check/vmac.ts";
import { checkInstances, checkPasswords } from "./check/vrrp.ts";
import { offsetOf, parseConfigDocument } from "./document.ts";
import type { ConfigDocument, Path } from "./document.ts";
import { diskJudge, diskReader } from "./files.ts";
import type { FileReader, ProgramJudge } from "./files.ts";
import { KEEPALIVED, keepalivedAt } from "./foreign.ts";
import type { Config, NamedInterface, Problem } from "./model.ts";
import { newReporter, pathText, readSchema } from "./read.ts";
import type { RawConfig } from "./schema.ts";
import type { RawRoute } from "./schema/route.ts";

export { formatProblem } from "./model.ts";
export type { Config, NamedInterface, Problem } from "./model.ts";

/** A config, or every reason why there is none, in the order of the file. */
export type LoadResult =
  | {
    readonly ok: true;
    readonly config: Config;
    readonly warnings: readonly Problem[];
    /** Every network interface that the file names and does not make, in the order of the file. */
    readonly interfaces: readonly NamedInterface[];
  }
  | { readonly ok: false; readonly problems: readonly Problem[] };

/** Every interface that the file names. */
function interfacesNamed(document: ConfigDocument, raw: RawConfig, file: string): NamedInterface[] {
  const found: NamedInterface[] = [];
  const add = (name: string | undefined, path: Path) => {
    if (name === undefined) return;
    found.push({
      name,
      file,
      ...document.position(offsetOf(document.root, path, "value")),
      path: pathText(path),
    });
  };
  const routesNamed = (routes: readonly (RawRoute | undefined)[] = [], path: Path) =>
    routes.forEach((route, i) => {
      add(route?.dev, [...path, "routes", i, "dev"]);
      route?.nexthops?.forEach((hop, j) => add(hop?.dev, [...path, "routes", i, "nexthops", j, "dev"]));
    });
  for (const [name, instance] of Object.entries(raw.vrrp ?? {})) {
    const path = ["vrrp", name];
    add(instance?.interface, [...path, "interface"]);
    instance?.addresses?.forEach((vip, i) => add(vip?.dev, [...path, "addresses", i, "dev"]));
    instance?.extra?.forEach((vip, i) => add(vip?.dev, [...path, "extra", i, "dev"]));
    routesNamed(instance?.routes, path);
    instance?.track?.forEach((track, i) => add(track?.interface, [...path, "track", i, "interface"]));
  }
  raw.static?.addresses?.forEach((entry, i) => add(entry?.dev, ["static", "addresses", i, "dev"]));
  routesNamed(raw.static?.routes, ["static"]);
  for (const [name, group] of Object.entries(raw.groups ?? {})) {
    group?.track?.forEach((track, i) => add(track?.interface, ["groups", name, "track", i, "interface"]));
  }
  for (const [name, tunnel] of Object.entries(raw.tunnels ?? {})) add(tunnel?.dev, ["tunnels", name, "dev"]);
  // Interfaces of tunnels and of virtual MAC addresses are made, so they need not be there.
  const made = new Set([...Object.keys(raw.tunnels ?? {}), ...vmacNames(raw)]);
  return found.filter(({ name }) => !made.has(name)).sort((a, b) => a.line - b.line || a.column - b.column);
}

/** Tells of everything that is not YAML, and returns the lines where its structure is in doubt. */
function reportSyntax(check: Check): ReadonlySet<number> {
  const lines = new Set<number>();
  for (const problem of check.document.problems) {
    const { line, column } = check.document.position(problem.at);
    // One slip of the pen makes several errors on its line: the first says it.
    if (problem.structural && lines.has(line)) continue;
    if (problem.structural) lines.add(line);
    const { what, instead } = problem;
    check.problems.push({ severity: "error", file: check.file, line, column, path: "", what, instead });
  }
  return lines;
}

function runChecks(check: Check, raw: RawConfig): void {
  checkNode(check, raw);
  checkNames(check, "probes");
  checkNames(check, "vrrp");
  checkNames(check, "groups");
  checkFiles(check, raw);
  checkProbes(check, raw);
  checkInstances(check, raw);
  checkPasswords(check, raw, secretOf);
  checkStaticAddresses(check, raw);
  checkRoutes(check, raw);
  checkTunnels(check, raw);
  checkAcross(check, raw);
  checkVmacs(check, raw);
  checkGroups(check, raw);
  checkCircles(check, raw);
  checkLinks(check, raw);
  checkPrograms(check, raw);
}

function inOrder(problems: readonly Problem[]): Problem[] {
  const seen = new Set<string>();
  return problems.toSorted((a, b) => a.line - b.line || a.column - b.column).filter((problem) => {
    const key = `${problem.line}:${problem.column}:${problem.what}`;
    if (seen.has(key)) return false;
    seen.add(key);
    return true;
  });
}

/**
 * Loads a config from its text. `fileName` appears in messages; files that the config names by a relative path are
 * looked for beside it. Never throws.
 */
export function loadConfig(
  text: string,
  fileName: string,
  readFile: FileReader = diskReader,
  judgeProgram: ProgramJudge = diskJudge,
): LoadResult {
  const document = parseConfigDocument(text);
  const keepalived = keepalivedAt(text, document);
  if (keepalived !== null) {
    const place = { file: fileName, ...document.position(keepalived), path: "" };
    return { ok: false, problems: [{ severity: "error", ...place, ...KEEPALIVED }] };
  }
  const check: Check = {
    ...newReporter(document, fileName),
    readFile: (path) => readFile(resolve(dirname(fileName), path)),
    judgeProgram,
    contents: new Map(),
  };
  const broken = reportSyntax(check);
  const before = check.problems.length;
  const raw = readSchema(check);
  if (raw !== null) runChecks(check, raw);
  else if (before === 0 && check.problems.length === 0) {
    const what = "the file is empty";
    check.report({
      path: [],
      what,
      instead: "write at least one instance under `vrrp:`",
      at: "key",
      whole: true,
    });
  }
  if (broken.size > 0) {
    // A broken structure echoes: a key or name may only seem to be missing, and its line says nothing reliable.
    const told = check.problems.splice(before);
    check.problems.push(
      ...told.filter((problem) => !check.doubtful.has(problem) && !broken.has(problem.line)),
    );
  }
  const problems = inOrder(check.problems);
  const errors = problems.filter((problem) => problem.severity === "error");
  if (errors.length > 0 || raw === null) return { ok: false, problems: errors };
  return {
    ok: true,
    config: buildConfig(raw, check.contents),
    warnings: problems,
    interfaces: interfacesNamed(document, raw, fileName),
  };
}
