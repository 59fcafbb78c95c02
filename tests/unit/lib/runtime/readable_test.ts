import { expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { alloc, closeFd, readFd, setNonBlocking, socketPair, writeFd } from "../../../../lib/libc/mod.ts";
import { ReadableWatch } from "../../../../lib/runtime/readable.ts";
import { waitFor } from "../../../netns/lab/wait.ts";

function openDescriptors(): number {
  return readdirSync("/proc/self/fd").length;
}

function readAll(fd: number): number {
  const buffer = alloc(64);
  let total = 0;
  for (let size; (size = readFd(fd, buffer)) > 0;) total += size;
  return total;
}

test("calls whoever waits for what can be read, again and again, and leaves no descriptor behind", async () => {
  const before = openDescriptors();
  const pairs = [socketPair(), socketPair()];
  const watch = new ReadableWatch();
  const got = [0, 0];
  pairs.forEach(([near], index) => {
    setNonBlocking(near);
    watch.add(near, () => got[index]! += readAll(near));
  });
  for (let round = 1; round <= 50; round++) {
    writeFd(pairs[round % 2]![1], alloc(3));
    await waitFor(() => got[0]! + got[1]! === 3 * round, { timeoutMs: 1000, what: "the bytes", everyMs: 0 });
  }
  expect(got).toEqual([75, 75]);
  watch.remove(pairs[0]![0]);
  writeFd(pairs[0]![1], alloc(3));
  writeFd(pairs[1]![1], alloc(3));
  await waitFor(() => got[1] === 78, { timeoutMs: 1000, what: "the bytes" });
  expect(got[0]).toBe(75);
  watch.close();
  for (const fd of pairs.flat()) closeFd(fd);
  await waitFor(() => openDescriptors() <= before, { timeoutMs: 1000, what: "all descriptors to be closed" });
});

test("one that does not read all is called again", async () => {
  const [near, far] = socketPair();
  setNonBlocking(near);
  const watch = new ReadableWatch();
  let calls = 0;
  watch.add(near, () => {
    calls++;
    readFd(near, alloc(1));
  });
  writeFd(far, alloc(5));
  await waitFor(() => calls === 5, { timeoutMs: 1000, what: "a call for each byte" });
  watch.close();
  closeFd(near);
  closeFd(far);
});
