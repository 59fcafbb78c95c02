/**
 * Hearing at once that a process has ended, whoever its parent is.
 *
 * @module
 */
import { closeFd } from "../libc/file.ts";
import { pidfdOpen } from "../libc/process.ts";

/**
 * Calls `onEnd` once, from the event loop, as soon as the process has ended (a zombie has). Returns the function that
 * stops watching, or null when the process cannot be watched: it is gone already, or the kernel is older than 5.3.
 * Watching does not keep the event loop alive. A pid may have been reused before the call: check afterwards who it is.
 */
export function watchProcessEnd(pid: number, onEnd: () => void): (() => void) | null {
  let fd: number;
  try {
    fd = pidfdOpen(pid);
  } catch {
    return null;
  }
  // The runtime cannot wait for a pidfd as such, but it adopts any descriptor as a socket: the pidfd becomes readable
  // at the end of the process, reading it as a socket fails, and the socket is closed, which is what we hear.
  let watching = true;
  const ended = () => {
    if (!watching) return;
    watching = false;
    onEnd();
  };
  let socket: { unref(): void; terminate(): void } | null = null;
  try {
    const options = { fd, socket: { open: adopt, data() {}, error: ended, close: ended } };
    Bun.connect(options as unknown as Bun.TCPSocketConnectOptions<undefined>).catch(() => watching = false);
  } catch {
    closeFd(fd);
    return null;
  }
  function adopt(opened: { unref(): void; terminate(): void }): void {
    socket = opened;
    if (watching) opened.unref();
    else opened.terminate();
  }
  return () => {
    watching = false;
    socket?.terminate();
  };
}
