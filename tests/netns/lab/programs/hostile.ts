/**
 * `hostile.ts DEVICE SOURCE VICTIM VRID COUNT SEED PER_MS`: floods a segment with VRRP packets of version 3 that nobody may
 * believe; all of them claim priority 255. Prints how many of each kind left, as JSON.
 */
import {
  AF_PACKET,
  monotonicNs,
  openSocket,
  sendTo,
  SOCK_RAW,
  sockaddrLl,
} from "../../../../lib/libc/mod.ts";
import { internetChecksum, parseAddress } from "../../../../lib/packet/mod.ts";
import { readFileSync } from "node:fs";

const [device, sourceText, victimText, vridText, countText, seedText, perMsText] = process.argv.slice(2);
const source = parseAddress(sourceText!)!;
const victim = parseAddress(victimText!)!;
const group = Uint8Array.of(224, 0, 0, 18);
const vrid = Number(vridText);
const count = Number(countText);
const perMs = Number(perMsText);

let seed = Number(seedText) >>> 0 || 1;
/** xorshift: a whole number below `limit`. */
function random(limit: number): number {
  seed ^= seed << 13;
  seed >>>= 0;
  seed ^= seed >>> 17;
  seed ^= seed << 5;
  seed >>>= 0;
  return seed % limit;
}

const frame = new Uint8Array(new ArrayBuffer(1514));
const view = new DataView(frame.buffer);
const mac = readFileSync(`/sys/class/net/${device}/address`, "utf8").trim().split(":").map((hex) =>
  parseInt(hex, 16)
);
const MULTICAST_MAC = [0x01, 0x00, 0x5e, 0, 0, 0x12];
const BROADCAST_MAC = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
const BODY = 34;

interface Shape {
  length: number;
  ttl: number;
  fragment: number;
  destination: Uint8Array;
}

/** A good advert of priority 255 in the frame's body; each kind then spoils one thing. */
function goodBody(): Shape {
  frame.fill(0, BODY);
  frame.set([0x31, vrid, 255, 1, 0, 10, 0, 0, 10, 0, 0, 100], BODY);
  return { length: 12, ttl: 255, fragment: 0, destination: group };
}

function sum(length: number): void {
  view.setUint16(BODY + 6, 0);
  view.setUint16(BODY + 6, internetChecksum(frame, 0, BODY, BODY + length));
}

const KINDS: Readonly<Record<string, (shape: Shape) => void>> = {
  empty: (shape) => shape.length = 0,
  short: (shape) => shape.length = 1 + random(7),
  "cut in the addresses": (shape) => {
    shape.length = 8 + random(4);
    sum(shape.length);
  },
  "count too high": (shape) => {
    frame[BODY + 3] = 2 + random(254);
    sum(shape.length);
  },
  "count zero": (shape) => {
    frame[BODY + 3] = 0;
    sum(shape.length);
  },
  "longer than its count": (shape) => {
    shape.length = 13 + random(1400);
    sum(shape.length);
  },
  "255 addresses, one short": (shape) => {
    frame[BODY + 3] = 255;
    shape.length = 8 + 4 * 254;
    sum(shape.length);
  },
  "other version": (shape) => {
    frame[BODY] = [0x01, 0x11, 0x41, 0xf1][random(4)]!;
    sum(shape.length);
  },
  "version 2": (shape) => {
    frame.set([0x21, vrid, 255, 1, 0, 1, 0, 0], BODY);
    shape.length = 20;
    sum(shape.length);
  },
  "other type": (shape) => {
    frame[BODY] = 0x30 | [0, 2, 15][random(3)]!;
    sum(shape.length);
  },
  "bad checksum": (shape) => {
    sum(shape.length);
    frame[BODY + 6]! ^= 1 + random(255);
  },
  "ttl 254": (shape) => {
    shape.ttl = 1 + random(254);
    sum(shape.length);
  },
  "vrid 0": (shape) => {
    frame[BODY + 1] = 0;
    sum(shape.length);
  },
  "other vrid": (shape) => {
    frame[BODY + 1] = vrid === 255 ? 1 : vrid + 1;
    sum(shape.length);
  },
  "interval 0": (shape) => {
    frame[BODY + 5] = 0;
    sum(shape.length);
  },
  "by unicast": (shape) => {
    shape.destination = victim;
    sum(shape.length);
  },
  noise: (shape) => {
    shape.length = random(200);
    for (let index = 0; index < shape.length; index++) frame[BODY + index] = random(256);
  },
  // The kernel waits for the rest, which never comes.
  fragment: (shape) => {
    shape.fragment = random(2) === 0 ? 0x2000 : 1 + random(100);
    sum(shape.length);
  },
};

const names = Object.keys(KINDS);
const sent = Object.fromEntries(names.map((name) => [name, 0]));
const socket = openSocket(AF_PACKET, SOCK_RAW, 0, "open a packet socket");
const index = Number(readFileSync(`/sys/class/net/${device}/ifindex`, "utf8"));
const target = sockaddrLl(index, 0x0800);

let identification = 0;
function build(name: string): number {
  const shape = goodBody();
  KINDS[name]!(shape);
  frame.set(shape.destination === group ? MULTICAST_MAC : BROADCAST_MAC, 0);
  frame.set(mac, 6);
  view.setUint16(12, 0x0800);
  frame[14] = 0x45;
  frame[15] = 0xc0;
  view.setUint16(16, 20 + shape.length);
  view.setUint16(18, identification++ & 0xffff);
  view.setUint16(20, shape.fragment);
  frame[22] = shape.ttl;
  frame[23] = 112;
  view.setUint16(24, 0);
  frame.set(source, 26);
  frame.set(shape.destination, 30);
  view.setUint16(24, internetChecksum(frame, 0, 14, BODY));
  return BODY + shape.length;
}

const sleeper = new Int32Array(new SharedArrayBuffer(4));
const start = monotonicNs();
let done = 0;
const limit = start + 60e9;
while (done < count && monotonicNs() < limit) {
  const due = Math.min(count, Math.floor((monotonicNs() - start) / 1e6 * perMs));
  while (done < due) {
    const name = names[random(names.length)]!;
    const result = sendTo(socket, frame.subarray(0, build(name)), target);
    done++;
    if (result >= 0) sent[name]!++;
  }
  Atomics.wait(sleeper, 0, 0, 1);
}
console.log(JSON.stringify({ done, tookMs: Math.round((monotonicNs() - start) / 1e6), sent }));
