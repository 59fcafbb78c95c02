/**
 * Labs that are left standing: what to try with them, and their removal.
 *
 * @module
 */
import { dismantle } from "./dismantle.ts";
import type { Lab } from "./lab.ts";
import { BRIDGE } from "./topology.ts";
import { listStates, ownerLives } from "./state.ts";
import { nginxArgv } from "./web.ts";

/** Something to try: what it is for, and the shell's command line. */
export interface Suggestion {
  readonly text: string;
  readonly command: string;
}

/** A word for the shell. */
export function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

/** What one may do with a lab that stands. `program` is how the shell calls this program. */
export function suggestions(lab: Lab, program: string): Suggestion[] {
  const { scenario, web } = lab;
  const [{ name: a }, { name: b }] = scenario.nodes;
  const files = lab.files(a);
  const inside = (machine: string) => `ip netns exec ${lab.namespace(machine)}`;
  const ports = (setting: string) =>
    lab.plugsOf(a).map(({ namespace, port }) => `ip -n ${namespace} link set ${port} ${setting}`).join("; ");
  const start = web.kind === "nginx"
    ? `setsid ${inside(a)} ${nginxArgv(files, web).map(quoted).join(" ")} &`
    : `setsid ${inside(a)} ${program} lab-child serve ${a} ${quoted(files.webPid)} ${
      quoted(scenario.page ?? a)
    } &`;
  return [
    { text: `How ${a} is`, command: `${program} status -c ${quoted(files.config)}` },
    { text: `How ${b} is`, command: `${program} status -c ${quoted(lab.files(b).config)}` },
    { text: `What happens on ${b}`, command: `${program} events --follow -c ${quoted(lab.files(b).config)}` },
    {
      text: "Who serves the client",
      command: `${inside(scenario.client)} curl -s${
        scenario.page === null ? "" : "i"
      } http://${scenario.vip}/`,
    },
    {
      text: "Who serves, each 500 ms",
      command: `${inside(scenario.client)} ${program} lab-child client ${scenario.vip} 500`,
    },
    // The master process leads a process group of its own; setsid sees to it for one that is started by hand.
    { text: `Kill ${lab.webTitle} on ${a}`, command: `kill -9 -$(cat ${quoted(files.webPid)})` },
    { text: "Start it again", command: start },
    { text: `Cut ${a} off`, command: ports("nomaster") },
    { text: "Undo that", command: ports(`master ${BRIDGE}`) },
    ...(scenario.tunnel === null ? [] : [{
      text: `Delete the tunnel on ${a}`,
      command: `ip -n ${lab.namespace(a)} link del ${scenario.tunnel}`,
    }]),
    { text: "Remove all", command: `${program} lab down` },
  ];
}

/** Suggestions as lines, the commands below each other. */
export function suggestionLines(list: readonly Suggestion[]): string[] {
  const width = Math.max(...list.map(({ text }) => text.length));
  return list.map(({ text, command }) => `  ${text.padEnd(width)}  ${command}`);
}

/** What `lab down` did. */
export interface Removal {
  /** Prefixes of the labs that were removed. */
  readonly removed: readonly string[];
  /** Labs that belong to a demo that still runs, by its process id. */
  readonly inUse: readonly { readonly prefix: string; readonly pid: number }[];
  /** What could not be removed. */
  readonly failures: readonly string[];
}

/** Removes every lab that was left standing. */
export async function removeStandingLabs(): Promise<Removal> {
  const removed: string[] = [];
  const inUse: { prefix: string; pid: number }[] = [];
  const failures: string[] = [];
  for (const state of listStates()) {
    if (state.owner !== null && ownerLives(state)) {
      inUse.push({ prefix: state.prefix, pid: state.owner.pid });
      continue;
    }
    try {
      await dismantle(state);
      removed.push(state.prefix);
    } catch (thrown) {
      failures.push((thrown as Error).message);
    }
  }
  return { removed, inUse, failures };
}
