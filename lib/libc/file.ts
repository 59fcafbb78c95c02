/**
 * Descriptors: the few plain file calls that are needed on numbers rather than on streams.
 *
 * @module
 */
import { check, resultOf } from "./errno.ts";
import { cString } from "./memory.ts";
import { c } from "./symbols.ts";

export const O_RDONLY = 0;
export const O_RDWR = 2;
export const O_NONBLOCK = 0o4000;
export const O_CLOEXEC = 0o2000000;

const F_GETFD = 1;
const F_SETFD = 2;
const F_GETFL = 3;
const F_SETFL = 4;
const FD_CLOEXEC = 1;

/** Opens a path. Throws SyscallError. */
export function openFile(path: string, flags: number, mode: number = 0o644): number {
  return check(c.open(cString(path), flags, mode), "open", `open ${path}`);
}

/** Closes a descriptor; an error here has no remedy and is not told. */
export function closeFd(fd: number): void {
  c.close(fd);
}

/** Bytes read, 0 at the end, or the negated errno. */
export function readFd(fd: number, buffer: Uint8Array): number {
  return resultOf(c.read(fd, buffer, buffer.byteLength));
}

/** Bytes written, or the negated errno. */
export function writeFd(fd: number, buffer: Uint8Array): number {
  return resultOf(c.write(fd, buffer, buffer.byteLength));
}

/** Makes reads and writes return EAGAIN instead of blocking. */
export function setNonBlocking(fd: number): void {
  const flags = check(c.fcntl(fd, F_GETFL, 0), "fcntl", `read the flags of descriptor ${fd}`);
  check(c.fcntl(fd, F_SETFL, flags | O_NONBLOCK), "fcntl", `set descriptor ${fd} non-blocking`);
}

/** Says whether a descriptor survives exec. */
export function setCloseOnExec(fd: number, closeOnExec: boolean): void {
  const flags = check(c.fcntl(fd, F_GETFD, 0), "fcntl", `read the flags of descriptor ${fd}`);
  const wanted = closeOnExec ? flags | FD_CLOEXEC : flags & ~FD_CLOEXEC;
  check(c.fcntl(fd, F_SETFD, wanted), "fcntl", `set close-on-exec on descriptor ${fd}`);
}
