/** The end of the engine whose place this one takes. */
import { expect, test } from "bun:test";
import { endPredecessor } from "../../../../mod/engine/predecessor.ts";

test("one that has ended has ended; where nobody can know, that is said", async () => {
  const gone = Bun.spawn(["true"]);
  await gone.exited;
  expect(endPredecessor(gone.pid)).toBe(true);
  expect(() => endPredecessor(-1)).toThrow("Cannot watch process -1");
});

test("one that hears nothing is killed", async () => {
  const deaf = Bun.spawn(["sh", "-c", "trap '' USR2; echo ready; exec sleep 60"], { stdout: "pipe" });
  await deaf.stdout.getReader().read();
  expect(endPredecessor(deaf.pid)).toBe(true);
  await deaf.exited;
  expect(deaf.signalCode).toBe("SIGKILL");
});
