import { expect, test } from "bun:test";
import { closeFd, sendBytes, setNonBlocking, socketPair } from "../../../../lib/libc/mod.ts";
import { LinePipe } from "../../../../mod/engine/pipe.ts";

test("half a character of a writer that died is not taken for the next one's", () => {
  const first = socketPair();
  const second = socketPair();
  [first, second].forEach(([ours]) => setNonBlocking(ours));
  const [before, after] = [new LinePipe(first[0]), new LinePipe(second[0])];
  try {
    sendBytes(first[1], new TextEncoder().encode("ö").subarray(0, 1));
    closeFd(first[1]);
    expect(before.read().lines).toEqual([]);
    expect(before.read().closed).toBeTrue();
    sendBytes(second[1], new TextEncoder().encode('{"type":"alive"}\n'));
    expect(after.read()).toEqual({ lines: ['{"type":"alive"}'], closed: false });
  } finally {
    before.close();
    after.close();
    closeFd(second[1]);
  }
});
