/**
 * Warns of programs that this machine cannot run; the file may be for another one.
 *
 * @module
 */
import type { Path } from "../document.ts";
import type { RawConfig } from "../schema.ts";
import type { Argv } from "../schema/command.ts";
import type { Check } from "./context.ts";

/** @param user What fails without it: "probe". */
function checkProgram(check: Check, path: Path, [program]: Argv, user: string): void {
  // Any other is looked for by the daemon, in an environment of its own.
  const fault = program.startsWith("/") ? check.judgeProgram(program) : null;
  if (fault === null) return;
  const [why, cure] = fault === "missing"
    ? [`this machine has no ${program}`, "install it"]
    : [`${program} is not executable on this machine`, "chmod +x it"];
  check.report({
    path,
    what: `cannot be run: ${why}`,
    instead: `${cure}, or the ${user} will fail`,
    severity: "warning",
  });
}

/** Checks the programs of exec probes and of notify commands. */
export function checkPrograms(check: Check, raw: RawConfig): void {
  for (const [name, probe] of Object.entries(raw.probes ?? {})) {
    if (probe?.type !== "exec" || probe.command === undefined) continue;
    checkProgram(check, ["probes", name, "command"], probe.command, "probe");
  }
  for (const section of ["vrrp", "groups"] as const) {
    for (const [name, owner] of Object.entries(raw[section] ?? {})) {
      const hooks: Readonly<Record<string, readonly Argv[] | undefined>> = owner?.notify ?? {};
      for (const [state, commands] of Object.entries(hooks)) {
        const path = [section, name, "notify", state];
        for (const command of commands ?? []) checkProgram(check, path, command, "command");
      }
    }
  }
}
