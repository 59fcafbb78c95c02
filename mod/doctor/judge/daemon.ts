/**
 * Who else on this machine holds virtual addresses, and how our own daemon fares. Pure.
 *
 * @module
 */
import { finding, instancesOf, list } from "../facts.ts";
import type { DoctorConfig, Facts, Finding, ProcessFact } from "../model.ts";

const STOP: Readonly<Record<string, string>> = {
  keepalived: "systemctl disable --now keepalived",
  vrrpd: "vrrpd=no in /etc/frr/daemons, then systemctl restart frr",
};

/** Findings about daemons. */
export function judgeDaemons(config: DoctorConfig | null, facts: Facts): Finding[] {
  return [...facts.processes.flatMap((process) => rival(process, config)), ...ownDaemon(facts)];
}

/** Numbers and addresses that another daemon's config has in common with ours, in words. */
function common({ config: theirs }: ProcessFact, config: DoctorConfig | null): string[] {
  if (theirs === null) return [];
  const text = theirs.text.replace(/[!#].*$/gm, "");
  const vrids = [...text.matchAll(/\bvirtual_router_id\s+(\d+)/g)].map(([, vrid]) => Number(vrid));
  const words = new Set(text.split(/[\s{}/]+/));
  const ours = instancesOf(config);
  return [
    ...new Set([
      ...ours.filter(({ vrid }) => vrids.includes(vrid)).map(({ vrid }) => `VRID ${vrid}`),
      ...ours.flatMap(({ addresses }) => addresses.map(({ address }) => address)).filter((address) =>
        words.has(address)
      ),
    ]),
  ];
}

function rival(process: ProcessFact, config: DoctorConfig | null): Finding[] {
  const { name, pid, here } = process;
  if (here === false) return [];
  const shared = common(process, config);
  const what = `${name} is running (process ${pid})`;
  const fix = [STOP[name] ?? `kill ${pid}   # and keep it from starting at boot`];
  if (here === null) {
    return [
      finding(
        "daemons",
        "warning",
        what,
        "It may be in another network namespace: this user may not know",
        fix,
      ),
    ];
  }
  if (shared.length > 0) {
    return [finding(
      "daemons",
      "error",
      what,
      `Its config ${process.config!.path} has ${
        list(shared)
      } too: both would hold the same addresses on this machine`,
      fix,
    )];
  }
  return [finding(
    "daemons",
    "warning",
    what,
    "Two daemons that hold virtual addresses do not know of each other; it may stay as long as its VRIDs and addresses " +
      "are others",
    fix,
  )];
}

function ownDaemon({ daemon, file }: Facts): Finding[] {
  if (daemon.type !== "running") return [];
  const who = daemon.pid === null ? daemon.node : `${daemon.node}, process ${daemon.pid}`;
  const other = file !== null && daemon.file !== null && daemon.file !== file;
  if (other) {
    return [finding(
      "daemons",
      "error",
      `The daemon that answers (${who}) runs another config: ${daemon.file}`,
      `A second daemon with ${file} could not open its socket`,
      ["runtime_dir: /run/appliance-2   # another one for each daemon of a machine"],
    )];
  }
  return [
    finding("daemons", "note", `appliance is running (${who}): its own state was asked`),
    ...daemon.problems.map((problem) =>
      finding("daemons", "warning", `The daemon says: ${problem}`, null, ["appliance explain"])
    ),
  ];
}
