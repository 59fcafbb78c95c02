import { expect, test } from "bun:test";
import { closeFd, Epoll, sendBytes, socketPair } from "../../../../lib/libc/mod.ts";

test("all descriptors that are ready are told at once, however many; those being read stay while others are added", () => {
  const epoll = new Epoll();
  const pairs = Array.from({ length: 300 }, socketPair);
  try {
    for (const [ours, theirs] of pairs) {
      epoll.add(ours);
      sendBytes(theirs, Uint8Array.of(1));
    }
    const readable = () => Array.from({ length: epoll.wait(0) }, (_, index) => epoll.fdAt(index));
    const wanted = pairs.map(([ours]) => ours);
    expect(new Set(readable())).toEqual(new Set(wanted));

    epoll.remove(wanted[0]!);
    const count = epoll.wait(0);
    expect(count).toBe(wanted.length - 1);
    for (const [, theirs] of pairs) epoll.add(theirs);
    const told = Array.from({ length: count }, (_, index) => epoll.fdAt(index));
    expect(new Set(told)).toEqual(new Set(wanted.slice(1)));
  } finally {
    epoll.close();
    for (const fd of pairs.flat()) closeFd(fd);
  }
});
