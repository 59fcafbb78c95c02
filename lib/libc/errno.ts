/**
 * Error numbers by name, and the one exception that a failed system call becomes.
 *
 * @module
 */
import { errno } from "./symbols.ts";

/** Linux error numbers (asm-generic, so x64 and arm64 alike) with the words the kernel's manual has for them. */
const ERRORS: Readonly<Record<number, readonly [code: string, text: string]>> = {
  1: ["EPERM", "operation not permitted"],
  2: ["ENOENT", "no such file or directory"],
  3: ["ESRCH", "no such process"],
  4: ["EINTR", "interrupted system call"],
  5: ["EIO", "input/output error"],
  6: ["ENXIO", "no such device or address"],
  7: ["E2BIG", "argument list too long"],
  9: ["EBADF", "bad file descriptor"],
  10: ["ECHILD", "no child processes"],
  11: ["EAGAIN", "resource temporarily unavailable"],
  12: ["ENOMEM", "cannot allocate memory"],
  13: ["EACCES", "permission denied"],
  14: ["EFAULT", "bad address"],
  16: ["EBUSY", "device or resource busy"],
  17: ["EEXIST", "already exists"],
  19: ["ENODEV", "no such device"],
  20: ["ENOTDIR", "not a directory"],
  21: ["EISDIR", "is a directory"],
  22: ["EINVAL", "invalid argument"],
  24: ["EMFILE", "too many open files"],
  28: ["ENOSPC", "no space left on device"],
  32: ["EPIPE", "broken pipe"],
  33: ["EDOM", "argument out of domain"],
  34: ["ERANGE", "result out of range"],
  38: ["ENOSYS", "function not implemented"],
  40: ["ELOOP", "too many levels of symbolic links"],
  71: ["EPROTO", "protocol error"],
  88: ["ENOTSOCK", "not a socket"],
  89: ["EDESTADDRREQ", "destination address required"],
  90: ["EMSGSIZE", "message too long"],
  91: ["EPROTOTYPE", "wrong protocol type for socket"],
  92: ["ENOPROTOOPT", "protocol not available"],
  93: ["EPROTONOSUPPORT", "protocol not supported"],
  94: ["ESOCKTNOSUPPORT", "socket type not supported"],
  95: ["EOPNOTSUPP", "operation not supported"],
  97: ["EAFNOSUPPORT", "address family not supported"],
  98: ["EADDRINUSE", "address already in use"],
  99: ["EADDRNOTAVAIL", "cannot assign requested address"],
  100: ["ENETDOWN", "network is down"],
  101: ["ENETUNREACH", "network is unreachable"],
  103: ["ECONNABORTED", "connection aborted"],
  104: ["ECONNRESET", "connection reset by peer"],
  105: ["ENOBUFS", "no buffer space available"],
  106: ["EISCONN", "already connected"],
  107: ["ENOTCONN", "not connected"],
  110: ["ETIMEDOUT", "timed out"],
  111: ["ECONNREFUSED", "connection refused"],
  112: ["EHOSTDOWN", "host is down"],
  113: ["EHOSTUNREACH", "no route to host"],
  114: ["EALREADY", "operation already in progress"],
  115: ["EINPROGRESS", "operation now in progress"],
  132: ["ERFKILL", "blocked by rfkill"],
};

export const EPERM = 1;
export const ENOENT = 2;
export const ESRCH = 3;
export const EINTR = 4;
export const EIO = 5;
export const EAGAIN = 11;
export const EACCES = 13;
export const EBUSY = 16;
export const EEXIST = 17;
export const ENODEV = 19;
export const EINVAL = 22;
export const EPIPE = 32;
export const EBADFD = 77;
export const EMSGSIZE = 90;
export const EOPNOTSUPP = 95;
export const EADDRINUSE = 98;
export const EADDRNOTAVAIL = 99;
export const ENETDOWN = 100;
export const ENETUNREACH = 101;
export const ENOBUFS = 105;
export const EHOSTUNREACH = 113;

/** `ENODEV` for 19; `E<number>` for one that is not in the table. */
export function errnoCode(number: number): string {
  return ERRORS[number]?.[0] ?? `E${number}`;
}

/** "no such device" for 19. */
export function errnoText(number: number): string {
  return ERRORS[number]?.[1] ?? `error ${number}`;
}

/** A system call, or a netlink request, that the kernel refused. */
export class SyscallError extends Error {
  /** The call: `bind`, `ioctl SIOCADDTUNNEL`, `RTM_NEWADDR`. */
  readonly syscall: string;
  readonly errno: number;
  /** `ENODEV`. */
  readonly code: string;

  /**
   * @param doing What could not be done, as the rest of "Cannot …": `bind VRRP socket on eth9`.
   * @param detail The kernel's own words where it sent any (netlink extended acknowledgement).
   */
  constructor(syscall: string, errno: number, doing: string, detail?: string) {
    super(`Cannot ${doing}: ${detail ? `${detail} (${errnoText(errno)})` : errnoText(errno)}`);
    this.name = "SyscallError";
    this.syscall = syscall;
    this.errno = errno;
    this.code = errnoCode(errno);
  }
}

/** Passes a result on, or throws the {@link SyscallError} for errno when it is negative. Call it right around the call. */
export function check(result: number, syscall: string, doing: string): number {
  if (result < 0) throw new SyscallError(syscall, errno(), doing);
  return result;
}

/** A result, or the negated errno, for calls whose failures are ordinary (EAGAIN on a drained socket). */
export function resultOf(result: number): number {
  return result < 0 ? -errno() : result;
}
