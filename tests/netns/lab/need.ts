/**
 * What a test needs of the machine. A test file without it is skipped, and says why.
 *
 * @module
 */
import { describe } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";

const SEARCH = [
  "/usr/sbin",
  "/usr/bin",
  "/sbin",
  "/bin",
  "/usr/local/sbin",
  "/usr/local/bin",
  "/usr/lib/frr",
];

/** Debian packages that have the programs. */
const PACKAGES: Readonly<Record<string, string>> = {
  ip: "iproute2",
  keepalived: "keepalived",
  nginx: "nginx",
  tcpdump: "tcpdump",
  tshark: "tshark",
  vrrpd: "frr",
  zebra: "frr",
  vtysh: "frr",
  curl: "curl",
  nft: "nftables",
  taskset: "util-linux",
};

/** The path of an installed program, or null. */
export function findProgram(name: string): string | null {
  return SEARCH.map((directory) => join(directory, name)).find((path) => existsSync(path)) ?? null;
}

/** What is missing, in words; null when nothing is. */
export function missing(programs: readonly string[]): string | null {
  if (process.getuid?.() !== 0) return "network namespaces need root";
  for (const name of ["ip", ...programs]) {
    if (findProgram(name) === null) {
      return `${name} is not installed (Debian package ${PACKAGES[name] ?? name})`;
    }
  }
  return null;
}

/** `describe` of a file's tests, skipped with a printed reason where the machine lacks something. */
export function describeLab(theme: string, programs: readonly string[], body: () => void): void {
  const reason = missing(programs);
  if (reason !== null) console.warn(`skipping ${theme}: ${reason}`);
  describe.skipIf(reason !== null)(theme, body);
}
