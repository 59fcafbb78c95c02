/**
 * Can the daemon open what it listens on, and write where it must? Pure.
 *
 * @module
 */
import { finding } from "../facts.ts";
import type { DoctorConfig, Facts, Finding } from "../model.ts";

/** Findings about the API and the runtime directory. */
export function judgeApi(config: DoctorConfig | null, facts: Facts): Finding[] {
  if (config === null) return [];
  const found: Finding[] = [];
  const { api, runtimeDir } = config;
  if (facts.runtimeDir !== null) {
    const root = facts.uid === 0;
    found.push(finding(
      "api",
      root ? "error" : "warning",
      `${runtimeDir} cannot be used: ${facts.runtimeDir}`,
      root
        ? "The daemon keeps its socket and state there"
        : "A daemon that runs as this user keeps its socket and state there",
      [
        `install -d -m 0750 ${root ? "" : `-o ${facts.uid} `}${runtimeDir}   # as root`,
        "runtime_dir: another one",
      ],
    ));
  }
  if (facts.daemon.type === "trouble") {
    found.push(
      finding("api", "error", `${api.socket}: ${facts.daemon.why}`, "No command reaches the daemon", [
        `ls -l ${api.socket}`,
      ]),
    );
  }
  if (facts.portHolder !== null && api.listen !== null) {
    const { pid, parent, name } = facts.portHolder;
    // The API is served by a child of the daemon.
    const ours = facts.daemon.type === "running" &&
      (pid === null || facts.daemon.pid === pid || facts.daemon.pid === parent);
    if (!ours) {
      const who = name === null ? "another program" : `${name} (process ${pid})`;
      found.push(finding(
        "api",
        "error",
        `Port ${api.listen.port} of ${api.listen.host} is taken by ${who}`,
        "The API cannot be opened there",
        [
          `ss -ltnp 'sport = :${api.listen.port}'`,
          `listen: ${api.listen.host}:${api.listen.port + 1}   # in api`,
        ],
      ));
    }
  }
  return found;
}
