/**
 * What the kernel lab needs of the machine it runs on.
 *
 * @module
 */
import { accessSync, constants, existsSync, readFileSync, statfsSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";

/** Where Debian's package keeps the modules of its kernels. */
const MODULES_FOLDER = "/usr/lib/uml/modules";
/** Its name in Debian's package, and its usual one. */
const KERNEL_NAMES = ["linux.uml", "linux"];
const SYSTEM_FOLDERS = ["/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/bin", "/bin"];
/** Programs that init.sh calls, by the Debian package that has them. */
const PROGRAMS = {
  bash: "bash",
  timeout: "coreutils",
  mount: "mount",
  modprobe: "kmod",
  ip: "iproute2",
} as const;

/** The kernel, coreutils' `timeout`, and a folder for the guest's memory; or why there is none. */
export type KernelHost =
  | { readonly ok: true; readonly program: string; readonly timeout: string; readonly memoryFolder: string }
  | { readonly ok: false; readonly reason: string };

/**
 * Finds what is needed to boot a guest.
 *
 * @param memoryBytes How much memory the guest gets.
 */
export function findKernel(memoryBytes: number): KernelHost {
  if (process.platform !== "linux") return { ok: false, reason: `user-mode Linux runs on Linux only` };
  const program = KERNEL_NAMES.map(findProgram).find((path) => path !== null) ?? null;
  if (program === null || !existsSync(MODULES_FOLDER)) return missing("user-mode Linux", "user-mode-linux");
  for (const [name, packageName] of Object.entries(PROGRAMS)) {
    if (findProgram(name) === null) return missing(name, packageName);
  }
  const memoryFolder = ["/dev/shm", tmpdir()].find((folder) => canHoldMemory(folder, memoryBytes));
  if (memoryFolder === undefined) {
    const size = `${Math.ceil(memoryBytes / 2 ** 20)} MiB`;
    return { ok: false, reason: `neither /dev/shm nor ${tmpdir()} can hold ${size} of executable memory` };
  }
  return { ok: true, program, timeout: findProgram("timeout")!, memoryFolder };
}

function missing(what: string, packageName: string): KernelHost {
  return { ok: false, reason: `${what} is not installed (on Debian: apt-get install ${packageName})` };
}

function findProgram(name: string): string | null {
  const folders = [...(process.env.PATH ?? "").split(delimiter), ...SYSTEM_FOLDERS];
  return folders.filter((folder) => folder !== "").map((folder) => join(folder, name)).find(isExecutable) ??
    null;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** The guest's memory is a file that it maps executable; containers often forbid that in a small /dev/shm. */
function canHoldMemory(folder: string, bytes: number): boolean {
  try {
    accessSync(folder, constants.W_OK);
    const { bavail, bsize } = statfsSync(folder);
    return bavail * bsize >= bytes && !isNoExec(folder);
  } catch {
    return false;
  }
}

function isNoExec(folder: string): boolean {
  const mounts = readFileSync("/proc/self/mounts", "utf8").split("\n").map((line) => line.split(" "));
  return mounts.some(([, point, , flags]) => point === folder && (flags ?? "").split(",").includes("noexec"));
}

/** Bytes in a size as the kernel's `mem=` takes it ("512M", "1G"). Throws RangeError when it is none. */
export function parseMemory(text: string): number {
  const match = /^([1-9][0-9]*)([kKmMgG])$/.exec(text);
  if (match === null) throw new RangeError(`Not an amount of memory: ${text} (write for example 512M or 1G)`);
  return Number(match[1]) *
    { k: 2 ** 10, m: 2 ** 20, g: 2 ** 30 }[match[2]!.toLowerCase() as "k" | "m" | "g"];
}
