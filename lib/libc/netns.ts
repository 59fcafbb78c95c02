/**
 * Network namespaces, in the way `ip netns` keeps them: a bind mount of the namespace under /run/netns.
 *
 * @module
 */
import { closeSync, existsSync, mkdirSync, openSync, unlinkSync } from "node:fs";
import { check } from "./errno.ts";
import { closeFd, O_CLOEXEC, O_RDONLY, openFile } from "./file.ts";
import { cString } from "./memory.ts";
import { c } from "./symbols.ts";

const CLONE_NEWNET = 0x40000000;
const MS_BIND = 0x1000;
const MS_REC = 0x4000;
const MS_SHARED = 1 << 20;
const MNT_DETACH = 2;
const NETNS_DIR = "/run/netns";
const OWN_NETNS = "/proc/thread-self/ns/net";

/** The path of a named namespace. */
export function netnsPath(name: string): string {
  return `${NETNS_DIR}/${name}`;
}

/** Opens a named namespace as a descriptor. Throws SyscallError. */
export function openNetns(name: string): number {
  return openFile(netnsPath(name), O_RDONLY | O_CLOEXEC);
}

function enter(fd: number, doing: string): void {
  check(c.setns(fd, CLONE_NEWNET), "setns", doing);
}

/**
 * Moves the calling thread into a named namespace, for good. Call it first thing, before other threads matter.
 * Throws SyscallError.
 */
export function joinNetns(name: string): void {
  const fd = openNetns(name);
  try {
    enter(fd, `enter network namespace ${name}`);
  } finally {
    closeFd(fd);
  }
}

/** Runs a synchronous function with the calling thread inside a namespace, and comes back whatever happens. */
export function inNetns<T>(name: string, body: () => T): T {
  const home = openFile(OWN_NETNS, O_RDONLY | O_CLOEXEC);
  try {
    joinNetns(name);
    try {
      return body();
    } finally {
      enter(home, "return to the own network namespace");
    }
  } finally {
    closeFd(home);
  }
}

/**
 * Runs a synchronous function with the calling thread inside a new, empty namespace that nobody else can enter and that
 * goes with it. Throws SyscallError: EPERM without CAP_SYS_ADMIN.
 */
export function inNewNetns<T>(body: () => T): T {
  const home = openFile(OWN_NETNS, O_RDONLY | O_CLOEXEC);
  try {
    check(c.unshare(CLONE_NEWNET), "unshare", "create a network namespace");
    try {
      return body();
    } finally {
      enter(home, "return to the own network namespace");
    }
  } finally {
    closeFd(home);
  }
}

/** Makes a named namespace that lasts until {@link deleteNetns}. Throws when the name is taken. */
export function createNetns(name: string): void {
  const path = netnsPath(name);
  if (existsSync(path)) throw new Error(`Cannot create network namespace ${name}: it already exists`);
  mkdirSync(NETNS_DIR, { recursive: true, mode: 0o755 });
  // The same steps as `ip netns add`: the directory becomes a shared mount so that others see the new namespace.
  const directory = cString(NETNS_DIR);
  if (c.mount(cString(""), directory, cString("none"), MS_SHARED | MS_REC, null) !== 0) {
    check(
      c.mount(directory, directory, cString("none"), MS_BIND | MS_REC, null),
      "mount",
      `mount ${NETNS_DIR}`,
    );
    check(
      c.mount(cString(""), directory, cString("none"), MS_SHARED | MS_REC, null),
      "mount",
      `share ${NETNS_DIR}`,
    );
  }
  closeSync(openSync(path, "wx", 0o000));
  const home = openFile(OWN_NETNS, O_RDONLY | O_CLOEXEC);
  try {
    check(c.unshare(CLONE_NEWNET), "unshare", "create a network namespace");
    check(
      c.mount(cString(OWN_NETNS), cString(path), cString("none"), MS_BIND, null),
      "mount",
      `mount ${path}`,
    );
  } catch (error) {
    unlinkSync(path);
    throw error;
  } finally {
    enter(home, "return to the own network namespace");
    closeFd(home);
  }
}

/** Removes a named namespace; what is inside goes with it once no process is left in it. */
export function deleteNetns(name: string): void {
  const path = netnsPath(name);
  if (!existsSync(path)) return;
  c.umount2(cString(path), MNT_DETACH);
  unlinkSync(path);
}
