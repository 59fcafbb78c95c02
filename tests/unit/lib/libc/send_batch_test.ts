import { afterAll, expect, test } from "bun:test";
import {
  AF_INET,
  alloc,
  bindSocket,
  closeFd,
  EMSGSIZE,
  openSocket,
  SendBatch,
  SlotBatch,
  SOCK_DGRAM,
  sockaddrIn,
} from "../../../../lib/libc/mod.ts";

const LOOPBACK = Uint8Array.of(127, 0, 0, 1);
const sender = openSocket(AF_INET, SOCK_DGRAM, 0, "send");
const receivers = [0, 1].map(() => openSocket(AF_INET, SOCK_DGRAM, 0, "receive"));
const addresses = receivers.map((fd, index) => {
  const address = sockaddrIn(LOOPBACK, 20_000 + (process.pid * 2 + index) % 40_000);
  bindSocket(fd, address, "bind");
  return address;
});
afterAll(() => [sender, ...receivers].forEach(closeFd));

function datagram(text: string): Uint8Array {
  const bytes = alloc(text.length);
  bytes.set(new TextEncoder().encode(text));
  return bytes;
}

function received(fd: number): string[] {
  const batch = new SlotBatch(8, 64);
  const count = Math.max(batch.receive(fd), 0);
  return Array.from({ length: count }, (_, slot) => {
    const start = slot * batch.slotSize;
    return new TextDecoder().decode(batch.memory.subarray(start, start + batch.receivedLength(slot)));
  });
}

test("each datagram goes to its own destination, and the batch can be filled anew", () => {
  const batch = new SendBatch(4);
  for (const round of ["1", "2"]) {
    batch.add(datagram(`a${round}`), addresses[0]!);
    batch.add(datagram(`b${round}`), addresses[1]!);
    batch.add(datagram(`c${round}`), addresses[0]!);
    expect(batch.length).toBe(3);
    const told: number[][] = [];
    batch.send(sender, (...done) => void told.push(done));
    expect(told).toEqual([[0, 0], [1, 0], [2, 0]]);
    expect(batch.length).toBe(0);
    expect(receivers.map(received)).toEqual([[`a${round}`, `c${round}`], [`b${round}`]]);
  }
});

test("one that cannot be sent does not hold up those behind it", () => {
  const batch = new SendBatch(3);
  batch.add(datagram("first"), addresses[0]!);
  batch.add(alloc(70_000), addresses[0]!);
  batch.add(datagram("last"), addresses[0]!);
  const told: number[][] = [];
  batch.send(sender, (...done) => void told.push(done));
  expect(told).toEqual([[0, 0], [1, EMSGSIZE], [2, 0]]);
  expect(received(receivers[0]!)).toEqual(["first", "last"]);
});

test("a full batch takes no more", () => {
  const batch = new SendBatch(1);
  batch.add(datagram("x"), addresses[0]!);
  expect(() => batch.add(datagram("y"), addresses[0]!)).toThrow(RangeError);
});
