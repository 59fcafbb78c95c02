/**
 * Reading the config file for the daemon: at start, and again at a reload.
 *
 * @module
 */
import { listLinks, NETLINK_ROUTE, NetlinkConnection } from "../../lib/netlink/mod.ts";
import { BRIEF, runForOutput, SELF_PATH, selfCommand } from "../../lib/runtime/mod.ts";
import { readFailure, readTextFile } from "../config/files.ts";
import {
  type Config,
  formatProblem,
  type Loaded,
  type NamedInterface,
  type Problem,
} from "../config/model.ts";
import { nearest } from "../config/names.ts";

/** The largest files take a second; whatever takes longer hangs, and must not hold up later reloads for ever. */
const READ_TIMEOUT_MS = 20_000;

/** Reads and checks the file, in a process of its own. */
export async function readConfig(path: string): Promise<Loaded> {
  try {
    return await readConfigText(readTextFile(path), path);
  } catch (error) {
    return { ok: false, problems: [`Cannot read ${path}: ${readFailure(error)}`] };
  }
}

/** Checks the text of a config file. Throws Error when that fails. */
async function readConfigText(text: string, path: string): Promise<Loaded> {
  const [argv0, ...args] = selfCommand(["read-config", path]);
  const { exitCode, output } = await runForOutput({
    path: SELF_PATH,
    argv: [argv0!, ...args],
    input: text,
    timeoutMs: READ_TIMEOUT_MS,
    settings: BRIEF,
  });
  if (exitCode !== 0) throw new Error(`reading the config ended with ${exitCode}`);
  return JSON.parse(output) as Loaded;
}

/** Names of the interfaces that this machine has now. */
function existingInterfaces(): string[] {
  const connection = new NetlinkConnection(NETLINK_ROUTE);
  try {
    return listLinks(connection).map(({ name }) => name);
  } finally {
    connection.close();
  }
}

/**
 * What is wrong with the interfaces that a changed file names: one that does not exist is most likely a slip, while one
 * that ran before may just be away for a moment and is waited for.
 */
export function missingInterfaces(
  loaded: Extract<Loaded, { ok: true }>,
  before: readonly NamedInterface[],
): string[] {
  return absentInterfaces(loaded, before).map(formatProblem);
}

/** Where a file names an interface that this machine does not have, and that was not named before. */
export function absentInterfaces(
  { interfaces, config }: { readonly interfaces: readonly NamedInterface[]; readonly config: Config },
  before: readonly NamedInterface[] = [],
): Problem[] {
  // Those that the daemon makes itself come with the file.
  const made = [
    ...config.tunnels.map(({ name }) => name),
    ...config.vrrp.flatMap(({ vmac }) => vmac === null ? [] : [vmac.name]),
  ];
  const existing = existingInterfaces();
  const known = new Set([...existing, ...made, ...before.map(({ name }) => name)]);
  return interfaces.filter(({ name }) => !known.has(name)).map(({ name, ...place }) => {
    const close = nearest(name, existing);
    const instead = close === null ? `this machine has ${existing.join(", ")}` : `did you mean ${close}?`;
    return { severity: "error", ...place, what: `interface ${name} does not exist`, instead };
  });
}
