/**
 * What /proc and /sys tell of the machine.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import { release } from "node:os";
import { CAPABILITIES, type Facts } from "../model.ts";

/** Text of a file without its last line end; null when it cannot be read. */
export function readText(path: string): string | null {
  try {
    return readFileSync(path, "utf8").trimEnd();
  } catch {
    return null;
  }
}

/** Value of a sysctl, by its name with dots, or with slashes where a part has a dot in it; null = there is none. */
export function readSysctl(name: string): string | null {
  const path = name.includes("/") ? name : name.replaceAll(".", "/");
  return readText(`/proc/sys/${path}`);
}

/** Numbers of those capabilities that matter and that this process has. */
function capabilities(): number[] {
  const mask = BigInt(
    `0x${/^CapEff:\s*([0-9a-f]+)$/m.exec(readText("/proc/self/status") ?? "")?.[1] ?? "0"}`,
  );
  return Object.values(CAPABILITIES).filter((number) => (mask >> BigInt(number) & 1n) === 1n);
}

function limits(): Facts["limits"] {
  const text = readText("/proc/self/limits") ?? "";
  const soft = (name: string) => {
    const value = new RegExp(`^${name}\\s+(\\S+)`, "m").exec(text)?.[1];
    return value === undefined ? 0 : value === "unlimited" ? Infinity : Number(value);
  };
  return { rtprio: soft("Max realtime priority"), memlock: soft("Max locked memory") };
}

/** What never needs more than reading. */
export function readMachine(): Pick<
  Facts,
  "uid" | "kernel" | "capabilities" | "limits" | "clocksource" | "modulesLocked" | "sysctl"
> {
  const [major = 0, minor = 0] = release().split(/[.-]/).map(Number);
  return {
    uid: process.geteuid?.() ?? 0,
    kernel: { release: release(), major, minor },
    capabilities: capabilities(),
    limits: limits(),
    clocksource: readText("/sys/devices/system/clocksource/clocksource0/current_clocksource"),
    modulesLocked: readSysctl("kernel.modules_disabled") === "1",
    sysctl: readSysctl,
  };
}
