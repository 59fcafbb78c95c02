/**
 * Unix sockets with names that are no files and live in a network namespace (unix(7), "abstract"), and descriptors
 * passed over them from one process to another.
 *
 * @module
 */
import { check, resultOf } from "./errno.ts";
import { closeFd } from "./file.ts";
import { addressOf, alloc, viewOf } from "./memory.ts";
import { alignedControl, CMSGHDR, IOVEC, MSGHDR } from "./msghdr.ts";
import {
  AF_UNIX,
  bindSocket,
  connectSocket,
  MSG_DONTWAIT,
  MSG_NOSIGNAL,
  openSocket,
  readOption,
  SOL_SOCKET,
} from "./socket.ts";
import { c } from "./symbols.ts";

const SOCK_SEQPACKET = 5;
const SOCK_NONBLOCK_CLOEXEC = 0o2004000;
const SO_PEERCRED = 17;
const SCM_RIGHTS = 1;
const MSG_CMSG_CLOEXEC = 0x40000000;
const MAX_DESCRIPTORS = 16;
const CONTROL_SIZE = CMSGHDR.size + 4 * MAX_DESCRIPTORS;

/** struct sockaddr_un; the name stands behind a NUL. */
function sockaddrAbstract(name: string): Uint8Array<ArrayBuffer> {
  const text = new TextEncoder().encode(name);
  const buffer = alloc(3 + text.length);
  viewOf(buffer).setUint16(0, AF_UNIX, true);
  buffer.set(text, 3);
  return buffer;
}

/** Waits for callers under a name, without blocking. Messages keep their bounds. Throws SyscallError (EADDRINUSE). */
export function listenAbstract(name: string, doing: string): number {
  const fd = openSocket(AF_UNIX, SOCK_SEQPACKET, 0, doing);
  try {
    bindSocket(fd, sockaddrAbstract(name), doing);
    check(c.listen(fd, 4), "listen", doing);
    return fd;
  } catch (error) {
    closeFd(fd);
    throw error;
  }
}

/** The next caller's socket, or the negated errno. */
export function acceptCaller(fd: number): number {
  return resultOf(c.accept4(fd, null, null, SOCK_NONBLOCK_CLOEXEC));
}

/** Calls whoever listens under a name: a socket, or the negated errno (ECONNREFUSED: nobody). */
export function callAbstract(name: string, doing: string): number {
  const fd = openSocket(AF_UNIX, SOCK_SEQPACKET, 0, doing);
  const result = connectSocket(fd, sockaddrAbstract(name));
  if (result >= 0) return fd;
  closeFd(fd);
  return result;
}

/** Who is at the other end of a unix socket: as it was when it connected, or began to listen. */
export interface PeerCredentials {
  readonly pid: number;
  readonly uid: number;
}

/** Null when the kernel does not tell. */
export function peerCredentials(fd: number): PeerCredentials | null {
  const credentials = alloc(12);
  if (readOption(fd, SOL_SOCKET, SO_PEERCRED, credentials) < 0) return null;
  const view = viewOf(credentials);
  return { pid: view.getInt32(0, true), uid: view.getUint32(4, true) };
}

/** What the last message header points at: the kernel reads and writes it while nobody else refers to it. */
const referenced: { buffers: readonly Uint8Array[] } = { buffers: [] };

/** struct msghdr over one buffer and room for control messages, good until the next call. */
function messageHeader(bytes: Uint8Array, control: Uint8Array, controlLength: number) {
  const vector = alloc(IOVEC.size);
  const vectorView = viewOf(vector);
  vectorView.setBigUint64(IOVEC.base, BigInt(addressOf(bytes)), true);
  vectorView.setBigUint64(IOVEC.length, BigInt(bytes.byteLength), true);
  const header = alloc(MSGHDR.size);
  const view = viewOf(header);
  view.setBigUint64(MSGHDR.vectors, BigInt(addressOf(vector)), true);
  view.setBigUint64(MSGHDR.vectorCount, 1n, true);
  if (controlLength > 0) {
    view.setBigUint64(MSGHDR.control, BigInt(addressOf(control)), true);
    view.setBigUint64(MSGHDR.controlLength, BigInt(controlLength), true);
  }
  referenced.buffers = [vector, bytes, control];
  return { header, view };
}

/**
 * Sends a message and, beside it, descriptors (16 at most), which the receiver gets copies of: bytes sent, or the
 * negated errno.
 */
export function sendWithDescriptors(fd: number, text: string, descriptors: readonly number[]): number {
  if (descriptors.length > MAX_DESCRIPTORS) throw new RangeError("Cannot send more than 16 descriptors");
  const encoded = new TextEncoder().encode(text);
  const bytes = alloc(encoded.length);
  bytes.set(encoded);
  const control = alloc(CONTROL_SIZE);
  const controlView = viewOf(control);
  const length = CMSGHDR.size + 4 * descriptors.length;
  controlView.setBigUint64(CMSGHDR.length, BigInt(length), true);
  controlView.setInt32(CMSGHDR.level, SOL_SOCKET, true);
  controlView.setInt32(CMSGHDR.type, SCM_RIGHTS, true);
  descriptors.forEach((one, index) => controlView.setInt32(CMSGHDR.size + 4 * index, one, true));
  const { header } = messageHeader(bytes, control, descriptors.length === 0 ? 0 : alignedControl(length));
  return resultOf(c.sendmsg(fd, header, MSG_DONTWAIT | MSG_NOSIGNAL));
}

/** A message as it was received, and the descriptors that came with it: they are the receiver's to close. */
export interface ReceivedMessage {
  readonly text: string;
  readonly descriptors: readonly number[];
}

/** The next message; null at the end, or the negated errno (EAGAIN: none yet). Longer ones than `limit` are cut. */
export function receiveWithDescriptors(fd: number, limit: number = 16384): ReceivedMessage | number | null {
  const bytes = alloc(limit);
  const control = alloc(CONTROL_SIZE);
  const { header, view } = messageHeader(bytes, control, CONTROL_SIZE);
  const length = resultOf(c.recvmsg(fd, header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC));
  if (length < 0) return length;
  if (length === 0) return null;
  const descriptors: number[] = [];
  const controlView = viewOf(control);
  const total = Math.min(view.getUint32(MSGHDR.controlLength, true), CONTROL_SIZE);
  for (let at = 0; at + CMSGHDR.size <= total;) {
    const size = controlView.getUint32(at + CMSGHDR.length, true);
    if (size < CMSGHDR.size || at + size > total) break;
    const rights = controlView.getInt32(at + CMSGHDR.level, true) === SOL_SOCKET &&
      controlView.getInt32(at + CMSGHDR.type, true) === SCM_RIGHTS;
    for (let field = at + CMSGHDR.size; rights && field + 4 <= at + size; field += 4) {
      descriptors.push(controlView.getInt32(field, true));
    }
    at += alignedControl(size);
  }
  return { text: new TextDecoder().decode(bytes.subarray(0, length)), descriptors };
}
