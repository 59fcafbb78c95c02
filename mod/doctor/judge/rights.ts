/**
 * May this process do what the daemon has to do? Pure.
 *
 * @module
 */
import { finding, list } from "../facts.ts";
import { CAPABILITIES, type DoctorConfig, type Facts, type Finding } from "../model.ts";

const NEEDED = [
  ["CAP_NET_ADMIN", "to add virtual addresses and to hear of interfaces"],
  ["CAP_NET_RAW", "to send and receive VRRP, ARP and neighbour packets"],
] as const;
/** Private memory of both processes, with room. */
const MEMLOCK_ENOUGH = 64 << 20;

function has(facts: Facts, name: keyof typeof CAPABILITIES): boolean {
  return facts.capabilities.includes(CAPABILITIES[name]);
}

/** Findings about capabilities and limits. */
export function judgeRights(config: DoctorConfig | null, facts: Facts): Finding[] {
  const found: Finding[] = [];
  // What this user may not do says nothing about a daemon that runs already.
  if (facts.daemon.type !== "running") found.push(...neededRights(facts));
  const realtime = config?.engine.realtime ?? "auto";
  const missesRealtime = realtime !== "off" && !has(facts, "CAP_SYS_NICE") && facts.limits.rtprio < 1;
  if (missesRealtime && facts.uid === 0) {
    found.push(finding(
      "rights",
      realtime === "auto" ? "note" : "warning",
      "CAP_SYS_NICE is missing: no real-time scheduling",
      "On a machine whose processors are all busy, advertisements may leave some milliseconds late",
      ["AmbientCapabilities=CAP_SYS_NICE in the unit, --cap-add SYS_NICE for a container"],
    ));
  }
  if (!has(facts, "CAP_IPC_LOCK") && facts.limits.memlock < MEMLOCK_ENOUGH && facts.uid === 0) {
    found.push(finding(
      "rights",
      "note",
      "CAP_IPC_LOCK is missing: memory cannot be locked",
      "On a machine that swaps, the engine may wait for a disk",
      ["AmbientCapabilities=CAP_IPC_LOCK or LimitMEMLOCK=infinity in the unit, --cap-add IPC_LOCK for a container"],
    ));
  }
  return found;
}

function neededRights(facts: Facts): Finding[] {
  const missing = NEEDED.filter(([name]) => !has(facts, name));
  if (missing.length === 0) return [];
  const names = missing.map(([name]) => name);
  const why = `Needed ${missing.map(([, purpose]) => purpose).join(", and ")}`;
  if (facts.uid !== 0) {
    return [finding("rights", "warning", `User ${facts.uid} cannot run it: ${list(names)} missing`, why, [
      "sudo appliance doctor   # looks at everything",
      `AmbientCapabilities=${names.join(" ")} in a unit that runs it as this user`,
    ])];
  }
  const options = names.map((name) => `--cap-add ${name.slice("CAP_".length)}`).join(" ");
  return [finding("rights", "error", `${list(names)} missing, although this is root`, why, [
    `${options}   # for a container`,
    `CapabilityBoundingSet=${names.join(" ")} in the unit`,
  ])];
}
