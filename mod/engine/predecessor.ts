/**
 * The engine of a daemon that still runs, whose place this one takes.
 *
 * @module
 */
import {
  closeFd,
  Epoll,
  ESRCH,
  pidfdOpen,
  pidfdQueue,
  pidfdSignal,
  SIGKILL,
  SIGUSR2,
  SyscallError,
} from "../../lib/libc/mod.ts";

/** How long it has to end: it does nothing but end. */
const LIMIT_MS = 1000;

/**
 * Makes it end without a goodbye, its addresses left in place; one that hangs is killed. Blocks, for this engine has
 * nothing else to do yet: between the last word of the one and the first of the other nothing may come.
 *
 * @returns Whether it has ended. Throws SyscallError when that cannot be known.
 */
export function endPredecessor(pid: number): boolean {
  let pidfd: number;
  try {
    pidfd = pidfdOpen(pid);
  } catch (error) {
    // Only this says that it has ended: without a descriptor to spare nothing is known.
    if (error instanceof SyscallError && error.errno === ESRCH) return true;
    throw error;
  }
  const epoll = new Epoll();
  try {
    epoll.add(pidfd);
    // Queued: the signal by hand asks a supervised engine to be started anew, and there would be two.
    return [() => pidfdQueue(pidfd, SIGUSR2), () => pidfdSignal(pidfd, SIGKILL)]
      .some((send) => {
        // What reaches nobody because it has ended is seen at once; what was not permitted is not.
        send();
        return epoll.wait(LIMIT_MS) > 0;
      });
  } finally {
    epoll.close();
    closeFd(pidfd);
  }
}
