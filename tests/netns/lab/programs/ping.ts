/**
 * `ping.ts ADDRESS INTERVAL_MS`: a line `A ARRIVAL_MS RTT_MS` for each answer, until it is killed or stdin ends. The address may
 * be of either family; a link-local one has its interface, `fe80::1%eth0`. A blocked loop, so that it is on time.
 */
import {
  AF_INET,
  AF_INET6,
  alloc,
  DeadlineTimer,
  EAGAIN,
  Epoll,
  interfaceIndex,
  IPPROTO_ICMP,
  IPPROTO_ICMPV6,
  monotonicNs,
  openSocket,
  realtimeMs,
  receive,
  sendTo,
  SOCK_RAW,
  sockaddrIn,
  sockaddrIn6,
  viewOf,
} from "../../../../lib/libc/mod.ts";
import { internetChecksum, parseAddress } from "../../../../lib/packet/mod.ts";
import { writeSync } from "node:fs";

const [address, interval] = process.argv.slice(2);
const [host, zone] = address!.split("%");
const bytes = parseAddress(host!)!;
const ipv4 = bytes.length === 4;
const target = ipv4
  ? sockaddrIn(bytes)
  : sockaddrIn6(bytes, 0, zone === undefined ? 0 : interfaceIndex(zone));
const intervalNs = Number(interval) * 1e6;
const identifier = process.pid & 0xffff;

const [ECHO_REQUEST, ECHO_REPLY] = ipv4 ? [8, 0] : [128, 129];

const socket = ipv4
  ? openSocket(AF_INET, SOCK_RAW, IPPROTO_ICMP, "open a socket for ping")
  : openSocket(AF_INET6, SOCK_RAW, IPPROTO_ICMPV6, "open a socket for ping");
const timer = new DeadlineTimer();
const epoll = new Epoll();
epoll.add(socket);
epoll.add(timer.fd);
epoll.add(0);

const request = alloc(16);
const requestView = viewOf(request);
const packet = alloc(2048);
const packetView = viewOf(packet);
const sentAt = new Float64Array(65536);
let sequence = 0;
let pending = "";
let flushAt = 0;

function ask(): void {
  sequence = (sequence + 1) & 0xffff;
  requestView.setUint8(0, ECHO_REQUEST);
  requestView.setUint16(2, 0);
  requestView.setUint16(4, identifier);
  requestView.setUint16(6, sequence);
  // The kernel computes that of IPv6.
  if (ipv4) requestView.setUint16(2, internetChecksum(request));
  sentAt[sequence] = realtimeMs();
  sendTo(socket, request, target);
}

function hear(): void {
  for (
    let length = receive(socket, packet);
    length !== -EAGAIN && length > 0;
    length = receive(socket, packet)
  ) {
    const at = ipv4 ? (packet[0]! & 15) * 4 : 0;
    if (length < at + 8 || packet[at] !== ECHO_REPLY || packetView.getUint16(at + 4) !== identifier) continue;
    const now = realtimeMs();
    pending += `A ${now.toFixed(3)} ${(now - sentAt[packetView.getUint16(at + 6)]!).toFixed(3)}\n`;
  }
}

let next = monotonicNs();
for (;;) {
  const now = monotonicNs();
  if (now >= next) {
    ask();
    next = Math.max(next + intervalNs, now);
    timer.fired();
  }
  if (pending !== "" && now >= flushAt) {
    writeSync(1, pending);
    pending = "";
    flushAt = now + 20e6;
  }
  timer.arm(next);
  const count = epoll.wait();
  for (let index = 0; index < count; index++) {
    if (epoll.fdAt(index) === socket) hear();
    if (epoll.fdAt(index) === 0) process.exit(0);
  }
}
