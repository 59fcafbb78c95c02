import { expect, test } from "bun:test";
import { closeFd, socketPair } from "../../../../lib/libc/mod.ts";
import { ControlProcess } from "../../../../mod/engine/child.ts";

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
