/**
 * The engine's end of the pipe to control: lines in, lines out, never blocking.
 *
 * @module
 */
import { closeFd, EAGAIN, readFd, sendBytes } from "../../lib/libc/mod.ts";
import { alloc } from "../../lib/libc/mod.ts";

const READ_SIZE = 64 << 10;
/** Beyond this much unread output control is hung or dead: what can be told again later is left out. */
const QUEUE_LIMIT = 4 << 20;

const encoder = new TextEncoder();

/** One connected stream socket that carries a JSON object a line. */
export class LinePipe {
  readonly fd: number;
  #rest = "";
  /** Of this pipe alone: a writer that died may have left half a character behind. */
  readonly #decoder = new TextDecoder();
  readonly #buffer = alloc(READ_SIZE);
  #queue: Uint8Array[] = [];
  #queued = 0;

  constructor(fd: number) {
    this.fd = fd;
  }

  /** Whether output waits for room, so that the descriptor is to be watched for EPOLLOUT. */
  get blocked(): boolean {
    return this.#queue.length > 0;
  }

  /** Whether the reader is so far behind that only the indispensable is to be sent. */
  get congested(): boolean {
    return this.#queued > QUEUE_LIMIT;
  }

  /** The lines that arrived, and whether the other side has closed. */
  read(): { readonly lines: string[]; readonly closed: boolean } {
    let closed = false;
    let text = this.#rest;
    for (;;) {
      const length = readFd(this.fd, this.#buffer);
      if (length === -EAGAIN) break;
      if (length <= 0) {
        closed = true;
        break;
      }
      text += this.#decoder.decode(this.#buffer.subarray(0, length), { stream: true });
      if (length < READ_SIZE) break;
    }
    const lines = text.split("\n");
    this.#rest = lines.pop()!;
    return { lines, closed };
  }

  /** Sends lines, or queues what the socket does not take now. */
  write(lines: string): void {
    const bytes = encoder.encode(lines);
    if (this.#queue.length > 0) return this.#enqueue(bytes);
    this.#send(bytes);
  }

  /** Sends what was queued, as far as there is room. */
  flush(): void {
    const queue = this.#queue;
    this.#queue = [];
    this.#queued = 0;
    queue.forEach((bytes) => this.#queue.length > 0 ? this.#enqueue(bytes) : this.#send(bytes));
  }

  close(): void {
    closeFd(this.fd);
  }

  #send(bytes: Uint8Array): void {
    const sent = sendBytes(this.fd, bytes);
    // A closed pipe is told by the next read; what was to be said is lost with its reader.
    if (sent < 0 && sent !== -EAGAIN) return;
    const done = Math.max(sent, 0);
    if (done < bytes.length) this.#enqueue(bytes.subarray(done));
  }

  #enqueue(bytes: Uint8Array): void {
    this.#queue.push(bytes);
    this.#queued += bytes.length;
  }
}
