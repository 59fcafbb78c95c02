import { expect, test } from "bun:test";
import { alloc, closeFd, EPOLLIN, receive, sendBytes, socketPair } from "../../../../lib/libc/mod.ts";
import type { Command } from "../../../../mod/bus/messages.ts";
import { ControlProcess } from "../../../../mod/engine/child.ts";
import { ControlKeeper } from "../../../../mod/engine/control.ts";
import { Outbox } from "../../../../mod/engine/outbox.ts";

const S = 1e9;

test("a control process that cannot be started is tried again with pauses, however long the one before lived", () => {
  const [ours, theirs] = socketPair();
  // No program takes an argument with a NUL in it.
  const control = new ControlProcess("a\0b", { fd: ours, pid: 0 }, 0);
  try {
    expect(control.backoff(60 * S)).toBe(0);
    expect(() => control.start(60 * S)).toThrow();
    const first = control.backoff(60 * S);
    expect(first).toBeGreaterThan(0);
    expect(() => control.start(75 * S)).toThrow();
    expect(control.backoff(75 * S)).toBeGreaterThan(first);
  } finally {
    control.hangUp();
    closeFd(theirs);
  }
});

test("a line from control that is no command costs the engine nothing but a word in the log", () => {
  const [ours, theirs] = socketPair();
  const process = new ControlProcess("x.yaml", { fd: ours, pid: 0 }, 0);
  const outbox = new Outbox();
  const heard: Command[] = [];
  let read = (_events: number) => {};
  const keeper = new ControlKeeper(process, {
    outbox,
    schedule: () => {},
    opened: (_fd, reader) => void (read = reader),
    closed: () => {},
    connected: (pipe) => outbox.connect(pipe, 0, null),
    heard: (command) => void heard.push(command),
    ended: () => false,
  });
  try {
    keeper.connect();
    sendBytes(theirs, new TextEncoder().encode('{"type":\n{"type":"alive"}\n'), 0);
    read(EPOLLIN);
    outbox.flush();
    const told = alloc(4096);
    const length = receive(theirs, told);
    expect(new TextDecoder().decode(told.subarray(0, length))).toContain(
      "cannot read what control told (8 characters): ",
    );
    expect(heard).toEqual([{ type: "alive" }]);
  } finally {
    process.hangUp();
    closeFd(theirs);
  }
});
