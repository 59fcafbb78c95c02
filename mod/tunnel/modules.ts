/**
 * Kernel modules: which one a type of tunnel needs, and loading it.
 *
 * @module
 */
import { execFile } from "node:child_process";
import { isOverIpv6 } from "./diff.ts";
import type { TunnelType } from "./model.ts";

const TIMEOUT_MS = 5000;

/** The module that makes tunnels of this type. */
export function moduleOf(type: TunnelType): "ip_gre" | "ip6_gre" {
  return isOverIpv6(type) ? "ip6_gre" : "ip_gre";
}

/** Loads kernel modules, each at most once. */
export interface ModuleLoader {
  /** Resolves with null when the module is there now, else with why it is not, in words. Never rejects. */
  load(module: string): Promise<string | null>;
}

/** Why modprobe failed, in its own words where it has any. */
export function modprobeFailure(stderr: string, error: Error & { readonly code?: unknown }): string {
  const words = stderr.trim().split("\n")[0]?.replace(/^modprobe:\s*(FATAL|ERROR):\s*/, "").replace(
    /\.$/,
    "",
  );
  if (error.code === "ENOENT") return "there is no such program";
  return words || error.message.split("\n")[0]!;
}

function modprobe(module: string): Promise<string | null> {
  return new Promise((resolve) => {
    const options = { timeout: TIMEOUT_MS, env: { PATH: "/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin" } };
    try {
      execFile("modprobe", [module], options, (error, _, stderr) => {
        resolve(error === null ? null : modprobeFailure(stderr, error));
      });
    } catch (error) {
      resolve(`modprobe ${module} cannot be started: ${(error as Error).message}`);
    }
  });
}

/** A loader that calls modprobe, or where that is not allowed says so. */
export function createModuleLoader(allowed: boolean): ModuleLoader {
  const tried = new Map<string, Promise<string | null>>();
  return {
    load(module) {
      if (!allowed) return Promise.resolve("loading modules is not allowed");
      const before = tried.get(module);
      if (before !== undefined) return before;
      const attempt = modprobe(module);
      tried.set(module, attempt);
      return attempt;
    },
  };
}
