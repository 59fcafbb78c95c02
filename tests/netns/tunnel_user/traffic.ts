/**
 * Traffic through a network, one role a process:
 *
 *     bun traffic.ts receive PORT                         counts datagrams until its input ends, then prints JSON
 *     bun traffic.ts send ADDRESS PORT BYTES SECONDS      sends datagrams as fast as it can, then prints JSON
 *     bun traffic.ts echo PORT | ask ADDRESS PORT COUNT   round trips, one at a time
 *     bun traffic.ts sink PORT | pour ADDRESS PORT SECONDS  one TCP connection
 *
 * @module
 */
import { connect, createServer } from "node:net";
import {
  AF_INET,
  alloc,
  bindSocket,
  connectSocket,
  EAGAIN,
  Epoll,
  EPOLLOUT,
  monotonicNs,
  openSocket,
  readFd,
  receive,
  receiveFrom,
  sendBytes,
  sendTo,
  setIntOption,
  setNonBlocking,
  SlotBatch,
  SO_RCVBUFFORCE,
  SOCK_DGRAM,
  sockaddrIn,
  SOL_SOCKET,
} from "../../../lib/libc/mod.ts";
import { parseAddress } from "../../../lib/packet/address.ts";

const ANY = Uint8Array.of(0, 0, 0, 0);
const BATCH = 64;

function print(document: unknown): void {
  process.stdout.write(`${JSON.stringify(document)}\n`);
}

function bound(port: number): number {
  const fd = openSocket(AF_INET, SOCK_DGRAM, 0, "open a socket");
  setIntOption(fd, SOL_SOCKET, SO_RCVBUFFORCE, 16 << 20, "size a buffer");
  bindSocket(fd, sockaddrIn(ANY, port), `bind port ${port}`);
  return fd;
}

function connected(address: string, port: number): number {
  const fd = openSocket(AF_INET, SOCK_DGRAM, 0, "open a socket");
  const result = connectSocket(fd, sockaddrIn(parseAddress(address)!, port));
  if (result < 0) throw new Error(`Cannot connect to ${address}: error ${-result}`);
  return fd;
}

/** Runs `body` whenever the descriptor is readable, until standard input ends. */
function serve(fd: number, body: () => void): void {
  const epoll = new Epoll();
  const input = alloc(16);
  setNonBlocking(0);
  epoll.add(fd);
  epoll.add(0);
  print({ ready: true });
  for (;;) {
    const count = epoll.wait(1000);
    for (let index = 0; index < count; index++) {
      if (epoll.fdAt(index) === fd) body();
      else if (readFd(0, input) === 0) return;
    }
  }
}

function countDatagrams(port: number): void {
  const fd = bound(port);
  const batch = new SlotBatch(BATCH, 2048);
  let packets = 0;
  let firstNs = 0;
  let lastNs = 0;
  serve(fd, () => {
    const count = batch.receive(fd);
    if (count <= 0) return;
    lastNs = monotonicNs();
    firstNs ||= lastNs;
    packets += count;
  });
  print({ packets, seconds: (lastNs - firstNs) / 1e9 });
}

function sendDatagrams(address: string, port: number, bytes: number, seconds: number): void {
  const fd = connected(address, port);
  const batch = new SlotBatch(BATCH, 2048);
  for (let slot = 0; slot < BATCH; slot++) batch.setLength(slot, bytes);
  const epoll = new Epoll();
  epoll.add(fd, EPOLLOUT);
  const start = monotonicNs();
  let packets = 0;
  while (monotonicNs() - start < seconds * 1e9) {
    const sent = batch.send(fd, 0, BATCH);
    if (sent > 0) packets += sent;
    else if (sent === -EAGAIN) epoll.wait(100);
  }
  print({ packets, seconds: (monotonicNs() - start) / 1e9 });
}

function echo(port: number): void {
  const fd = bound(port);
  const buffer = alloc(2048);
  const from = alloc(16);
  serve(fd, () => {
    for (let length; (length = receiveFrom(fd, buffer, from)) > 0;) {
      sendTo(fd, buffer.subarray(0, length), from);
    }
  });
}

function ask(address: string, port: number, count: number): void {
  const fd = connected(address, port);
  const epoll = new Epoll();
  epoll.add(fd);
  const question = alloc(64);
  const buffer = alloc(2048);
  const times: number[] = [];
  while (times.length < count) {
    const start = monotonicNs();
    sendBytes(fd, question);
    if (epoll.wait(1000) === 0 || receive(fd, buffer) <= 0) continue;
    times.push((monotonicNs() - start) / 1e3);
  }
  times.sort((a, b) => a - b);
  print({ p50Us: times[count >> 1], p99Us: times[Math.floor(count * 0.99)] });
}

function sink(port: number): void {
  let bytes = 0;
  let firstNs = 0;
  let lastNs = 0;
  createServer((socket) => {
    socket.on("data", (data) => {
      lastNs = monotonicNs();
      firstNs ||= lastNs;
      bytes += data.length;
    });
    socket.on("error", () => {});
  }).listen(port, "0.0.0.0", () => print({ ready: true }));
  process.stdin.on("data", () => {}).on("end", () => {
    print({ bytes, seconds: (lastNs - firstNs) / 1e9 });
    process.exit(0);
  });
}

function pour(address: string, port: number, seconds: number): void {
  const data = alloc(256 << 10);
  const end = monotonicNs() + seconds * 1e9;
  const socket = connect(port, address, () => {
    const more = () => {
      while (monotonicNs() < end) {
        if (!socket.write(data)) return void socket.once("drain", more);
      }
      socket.end(() => process.exit(0));
    };
    more();
  });
}

const [role, ...words] = process.argv.slice(2);
switch (role) {
  case "receive":
    countDatagrams(Number(words[0]));
    break;
  case "send":
    sendDatagrams(words[0]!, Number(words[1]), Number(words[2]), Number(words[3]));
    break;
  case "echo":
    echo(Number(words[0]));
    break;
  case "ask":
    ask(words[0]!, Number(words[1]), Number(words[2]));
    break;
  case "sink":
    sink(Number(words[0]));
    break;
  case "pour":
    pour(words[0]!, Number(words[1]), Number(words[2]));
    break;
  default:
    throw new Error(`Unknown role ${role}`);
}
