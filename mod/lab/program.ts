/**
 * Programs of the machine.
 *
 * @module
 */
import { accessSync, constants } from "node:fs";
import { join } from "node:path";

/** Where programs are looked for beside $PATH: root's shell need not have them. */
const SYSTEM_PATHS = ["/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/bin", "/bin", "/usr/local/nginx/sbin"];

/** Path of an installed program; null when there is none. */
export function findProgram(name: string): string | null {
  const folders = (process.env["PATH"] ?? "").split(":").filter((folder) => folder.startsWith("/"));
  return [...folders, ...SYSTEM_PATHS].map((folder) => join(folder, name)).find(isExecutable) ?? null;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
