/**
 * Who may import whom: the rules that keep wire formats, decisions and I/O apart. Prints each import that breaks one
 * and exits 1.
 *
 * @module
 */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";

interface Import {
  readonly file: string;
  readonly line: number;
  /** Path from the root for our own files, the specifier as it is for others. */
  readonly target: string;
  readonly typeOnly: boolean;
}

/** One rule: which files it is about, and what they must not import. */
interface Rule {
  readonly files: RegExp;
  readonly forbidden: (entry: Import) => boolean;
  readonly why: string;
}

const PURE = /^mod\/[^/]+\/(model|step|diff|view)\.ts$/;
/** Libraries without I/O or state. */
const PURE_LIB = /^lib\/(packet|compare)\//;
const ENGINE_SIDE = /^mod\/(vrrp|group|address|announce|link|track|route|accept|vmac|heartbeat|engine)\//;
/** Features that both processes may know: plain data. */
const SHARED = /^mod\/(bus\/|(vrrp|address|route|tunnel|probe)\/config\.ts|vrrp\/timers\.ts)/;

function featureOf(path: string): string | null {
  return /^mod\/([^/]+)\//.exec(path)?.[1] ?? null;
}

const RULES: readonly Rule[] = [
  {
    files: /^lib\//,
    forbidden: ({ target }) => target.startsWith("mod/") || target === "main.ts",
    why: "lib knows nothing of the product",
  },
  {
    files: /^(?!lib\/(libc|runtime)\/)(lib|mod)\/|^main\.ts$/,
    forbidden: ({ target }) => target.startsWith("bun:") || target === "bun",
    why: "only lib/libc and lib/runtime name the runtime",
  },
  {
    files: /^lib\/packet\//,
    forbidden: ({ target }) =>
      !target.startsWith("lib/packet/") && target !== "ipaddr.js" && target !== "node:crypto",
    why: "packet codecs are pure and stand alone",
  },
  {
    files: /^lib\/compare\//,
    forbidden: ({ target }) => !target.startsWith("lib/compare/"),
    why: "comparing is pure and stands alone",
  },
  {
    files:
      /^lib\/netlink\/(builder|codec|link|link_message|link_request|address|route|rule|tunnel|event|family|nftables)\.ts$/,
    forbidden: ({ target, typeOnly }) =>
      !typeOnly && !target.startsWith("lib/packet/") && !target.startsWith("lib/netlink/"),
    why: "the netlink codec is pure: it adds only lib/packet",
  },
  {
    files: PURE,
    forbidden: ({ target, typeOnly, file }) =>
      !typeOnly && !PURE_LIB.test(target) && !target.startsWith(`${dirname(file)}/`) && !SHARED.test(target),
    why: "model, step, diff and view are pure: lib/packet, lib/compare, types and their own folder",
  },
  {
    files: /^mod\/(?!bus|engine|control|launch|cli)[^/]+\//,
    forbidden: ({ target, typeOnly, file }) => {
      const feature = featureOf(target);
      return !typeOnly && feature !== null && feature !== featureOf(file) && !SHARED.test(target);
    },
    why: "features meet only in bus, engine, control and launch",
  },
  {
    files: /^mod\/(status|probe|notify|cli|config|tunnel|doctor|lab)\//,
    forbidden: ({ target, typeOnly, file }) =>
      !typeOnly && target.startsWith("mod/engine/") && !/^mod\/cli\/(run|main)\.ts$/.test(file),
    why: "what is not real-time does not know the engine",
  },
  {
    files: ENGINE_SIDE,
    forbidden: ({ target }) => /^(node:timers|hono|zod|yaml|commander|@logtape)/.test(target),
    why: "the engine stays small and never waits",
  },
];

function sourceFiles(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(".ts"))
    .map((entry) => normalize(join(entry.parentPath, entry.name)));
}

function importsOf(file: string): Import[] {
  const text = readFileSync(file, "utf8");
  const found: Import[] = [];
  const pattern =
    /^(?:import|export)\s+(type\s)?[^;"']*?from\s+["']([^"']+)["']|\bimport\(\s*["']([^"']+)["']/gm;
  for (const match of text.matchAll(pattern)) {
    const specifier = match[2] ?? match[3]!;
    const clause = match[0];
    const named = /\{([^}]*)\}/.exec(clause)?.[1];
    const typeOnly = match[1] !== undefined ||
      (named !== undefined &&
        named.split(",").every((name) => name.trim() === "" || /^\s*type\s/.test(name)));
    found.push({
      file,
      line: text.slice(0, match.index).split("\n").length,
      target: specifier.startsWith(".") ? normalize(join(dirname(file), specifier)) : specifier,
      typeOnly,
    });
  }
  return found;
}

/** Cycles among files, type-only imports aside: each as the path that closes it. */
function cycles(imports: readonly Import[]): string[] {
  const next = new Map<string, string[]>();
  for (const { file, target, typeOnly } of imports) {
    if (!typeOnly && target.endsWith(".ts")) next.set(file, [...next.get(file) ?? [], target]);
  }
  const done = new Set<string>();
  const found: string[] = [];
  function visit(file: string, path: readonly string[]): void {
    const at = path.indexOf(file);
    if (at >= 0) {
      found.push([...path.slice(at), file].join(" → "));
      return;
    }
    if (done.has(file)) return;
    for (const target of next.get(file) ?? []) visit(target, [...path, file]);
    done.add(file);
  }
  for (const file of next.keys()) visit(file, []);
  return found;
}

const files = [...sourceFiles("lib"), ...sourceFiles("mod"), "main.ts"];
const imports = files.flatMap(importsOf);
const broken: string[] = [];
for (const rule of RULES) {
  for (const entry of imports) {
    if (rule.files.test(entry.file) && rule.forbidden(entry)) {
      broken.push(`${entry.file}:${entry.line}: must not import ${entry.target}: ${rule.why}`);
    }
  }
}
for (const file of files) {
  const text = readFileSync(file, "utf8").replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, "");
  if (!/^lib\/(libc|runtime)\//.test(file) && /\bBun\./.test(text)) {
    broken.push(`${file}: must not name Bun: only lib/libc and lib/runtime do`);
  }
  if (ENGINE_SIDE.test(file) && /\bawait\b|\bsetTimeout\b|\bsetInterval\b|\bconsole\b/.test(text)) {
    broken.push(`${file}: must not await, set timers or print: the engine never does`);
  }
}
for (const cycle of cycles(imports)) broken.push(`imports in a circle: ${cycle}`);

for (const line of broken) console.error(line);
console.log(`${files.length} files, ${imports.length} imports, ${broken.length} against the rules`);
process.exit(broken.length === 0 ? 0 : 1);
