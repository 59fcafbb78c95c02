import { expect, test } from "bun:test";
import {
  acceptCaller,
  alloc,
  callAbstract,
  closeFd,
  EAGAIN,
  listenAbstract,
  peerCredentials,
  readFd,
  receiveWithDescriptors,
  sendWithDescriptors,
  socketPair,
  writeFd,
} from "../../../../lib/libc/mod.ts";

const NAME = `appliance-test-${process.pid}`;
const ECONNREFUSED = 111;

test("a message and descriptors beside it arrive together; bounds and end are kept", () => {
  const listener = listenAbstract(NAME, "test");
  const caller = callAbstract(NAME, "test");
  const called = acceptCaller(listener);
  const [ours, theirs] = socketPair();
  try {
    expect(receiveWithDescriptors(called)).toBe(-EAGAIN);
    expect(sendWithDescriptors(caller, "first", [])).toBe(5);
    expect(sendWithDescriptors(caller, "second", [theirs, ours])).toBe(6);
    expect(receiveWithDescriptors(called)).toEqual({ text: "first", descriptors: [] });
    const message = receiveWithDescriptors(called);
    if (message === null || typeof message === "number") throw new Error(`received ${message}`);
    expect(message.text).toBe("second");
    const [copy, other] = message.descriptors as [number, number];
    expect(message.descriptors).toHaveLength(2);
    closeFd(other);
    writeFd(copy, new TextEncoder().encode("through the copy"));
    const buffer = alloc(32);
    expect(readFd(ours, buffer)).toBe(16);
    closeFd(copy);
    expect(peerCredentials(called)).toEqual({ pid: process.pid, uid: process.getuid!() });
    closeFd(caller);
    expect(receiveWithDescriptors(called)).toBeNull();
  } finally {
    for (const fd of [listener, called, ours, theirs]) closeFd(fd);
  }
});

test("a name is somebody's alone, and nobody's when it is closed", () => {
  const listener = listenAbstract(NAME, "test");
  expect(() => listenAbstract(NAME, "listen twice")).toThrow("Cannot listen twice: address already in use");
  closeFd(listener);
  expect(callAbstract(NAME, "test")).toBe(-ECONNREFUSED);
});
