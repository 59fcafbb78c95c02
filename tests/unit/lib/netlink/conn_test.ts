import { describe, expect, test } from "bun:test";
import { SyscallError } from "../../../../lib/libc/mod.ts";
import {
  addAddress,
  addAddressRequest,
  getLink,
  NetlinkConnection,
  NetlinkListener,
  type NetlinkRequest,
  NLM_F_ACK,
  NLM_F_DUMP,
  NLM_F_DUMP_INTR,
  NLM_F_MULTI,
  NLM_F_REQUEST,
  removeAddress,
  resolveFamily,
} from "../../../../lib/netlink/mod.ts";
import { content, datagram, doneReply, errorReply, FakeKernel, joined, type Reply } from "./fake_kernel.ts";

const ENOBUFS = 105;
const request: NetlinkRequest = {
  type: 30,
  flags: 0x400,
  name: "RTM_TEST",
  doing: "do it",
  payload: Uint8Array.of(1, 2, 3),
};

function entry(value: number, sequence: number, flags: number = NLM_F_MULTI): Uint8Array {
  return datagram(31, flags, sequence, Uint8Array.of(value));
}

function failure(action: () => unknown): SyscallError {
  try {
    action();
  } catch (error) {
    expect(error).toBeInstanceOf(SyscallError);
    return error as SyscallError;
  }
  throw new Error("it did not fail");
}

describe("request", () => {
  test("asks for an acknowledgement and returns what came before it", () => {
    const kernel = new FakeKernel((each) => [entry(9, each.sequence, 0), errorReply(each, 0)]);
    const replies = new NetlinkConnection(kernel).request(request);
    expect(kernel.requests).toMatchObject([{
      type: 30,
      flags: 0x400 | NLM_F_REQUEST | NLM_F_ACK,
      payload: request.payload,
    }]);
    expect(replies).toMatchObject([{ type: 31, payload: Uint8Array.of(9) }]);
  });

  test("a refusal carries the kernel's text", () => {
    const connection = new NetlinkConnection(
      new FakeKernel((each) => [errorReply(each, 17, "already assigned", 24)]),
    );
    const error = failure(() => connection.request(request));
    expect(error).toMatchObject({ syscall: "RTM_TEST", errno: 17, code: "EEXIST" });
    expect(error.message).toBe("Cannot do it: already assigned (already exists)");
  });

  test("answers to others are dropped, in the same datagram too", () => {
    const connection = new NetlinkConnection(
      new FakeKernel((each) => [
        errorReply({ ...each, sequence: each.sequence - 1 }, 1),
        joined(errorReply({ ...each, sequence: each.sequence + 1 }, 1), entry(5, 0), errorReply(each, 0)),
      ]),
    );
    expect(connection.request(request)).toEqual([]);
  });

  test("numbers differ from request to request", () => {
    const kernel = new FakeKernel();
    const connection = new NetlinkConnection(kernel);
    for (let i = 0; i < 5; i++) connection.request(request);
    expect(new Set(kernel.requests.map((each) => each.sequence)).size).toBe(5);
    expect(kernel.requests.every((each) => each.sequence !== 0)).toBe(true);
  });

  test("silence, a socket error, a cut or malformed answer each fail in words", () => {
    const cases: [Reply[], string, RegExp][] = [
      [[], "ETIMEDOUT", /the kernel did not answer/],
      [[-ENOBUFS], "ENOBUFS", /replies were lost/],
      [[new Uint8Array(70_000)], "EMSGSIZE", /70000 bytes was cut/],
      [[Uint8Array.of(1, 2, 3)], "EPROTO", /malformed reply/],
    ];
    for (const [replies, code, text] of cases) {
      const error = failure(() => new NetlinkConnection(new FakeKernel(() => replies), 50).request(request));
      expect(error.code).toBe(code);
      expect(error.message).toMatch(text);
    }
    const kernel = new FakeKernel();
    kernel.refuse = 90;
    expect(failure(() => new NetlinkConnection(kernel).request(request)).code).toBe("EMSGSIZE");
  });

  test("an endless stream of answers to others ends in a time-out", () => {
    const kernel = new FakeKernel(() => []);
    kernel.receive = (buffer) => {
      buffer.set(entry(1, 0));
      return 20;
    };
    expect(failure(() => new NetlinkConnection(kernel, 20).request(request)).code).toBe("ETIMEDOUT");
  });

  test("what an abandoned request left behind is thrown away before the next", () => {
    const kernel = new FakeKernel((each, index) =>
      index === 0 ? [-ENOBUFS, entry(1, each.sequence), doneReply(each)] : content(each)
    );
    const connection = new NetlinkConnection(kernel);
    failure(() => connection.dump(request, () => 1));
    expect(kernel.queue).toHaveLength(2);
    kernel.send = new Proxy(kernel.send, {
      apply(target, self, args) {
        expect(kernel.queue).toHaveLength(0);
        return Reflect.apply(target, self, args);
      },
    });
    expect(connection.request(request)).toEqual([]);
  });
});

describe("dump", () => {
  test("joins the parts and leaves out what decode refuses", () => {
    const kernel = new FakeKernel((each) => [
      joined(entry(1, each.sequence), entry(2, each.sequence)),
      entry(7, each.sequence + 1),
      entry(3, each.sequence),
      doneReply(each),
    ]);
    const values = new NetlinkConnection(kernel).dump(
      request,
      ({ payload }) => payload[0] === 2 ? null : payload[0]!,
    );
    expect(values).toEqual([1, 3]);
    expect(kernel.requests[0]!.flags).toBe(0x400 | NLM_F_REQUEST | NLM_F_DUMP);
  });

  test("is begun anew when the table changed, and given up after ten times", () => {
    const flaky = (failures: number) =>
      new FakeKernel((each, index) => [
        entry(index, each.sequence),
        doneReply(each, index < failures ? NLM_F_DUMP_INTR : 0),
      ]);
    expect(new NetlinkConnection(flaky(2)).dump(request, ({ payload }) => payload[0]!)).toEqual([2]);
    const kernel = flaky(1000);
    const error = failure(() => new NetlinkConnection(kernel).dump(request, () => 1));
    expect(error.code).toBe("EAGAIN");
    expect(error.message).toContain("kept changing");
    expect(kernel.requests).toHaveLength(10);
  });

  test("the mark may stand on any part", () => {
    const kernel = new FakeKernel((each, index) => [
      entry(1, each.sequence, index === 0 ? NLM_F_MULTI | NLM_F_DUMP_INTR : NLM_F_MULTI),
      doneReply(each),
    ]);
    expect(new NetlinkConnection(kernel).dump(request, () => 1)).toEqual([1]);
    expect(kernel.requests).toHaveLength(2);
  });

  test("fails by an error message and by an error at its end", () => {
    const early = new FakeKernel((each) => [errorReply(each, 2, "no table")]);
    expect(failure(() => new NetlinkConnection(early).dump(request, () => 1)).message).toContain("no table");
    const late = new FakeKernel((each) => [entry(1, each.sequence), doneReply(each, 0, 19)]);
    expect(failure(() => new NetlinkConnection(late).dump(request, () => 1)).code).toBe("ENODEV");
  });
});

describe("batch", () => {
  const many = (count: number): NetlinkRequest[] =>
    Array.from(
      { length: count },
      (_, i) => ({ ...request, doing: `do ${i}`, payload: Uint8Array.of(i & 255, i >> 8) }),
    );

  test("goes in one datagram, the last alone acknowledged", () => {
    const kernel = new FakeKernel();
    expect(new NetlinkConnection(kernel).batch(many(100))).toEqual(new Array(100).fill(null));
    expect(kernel.datagrams).toHaveLength(1);
    expect(kernel.requests.filter((each) => each.flags & NLM_F_ACK)).toEqual([kernel.requests[99]!]);
    expect(kernel.requests.map((each) => each.payload[0])).toEqual(Array.from({ length: 100 }, (_, i) => i));
  });

  test("each failure is told of its own request", () => {
    const kernel = new FakeKernel((each, index) =>
      index % 10 === 3 || index === 99 ? [errorReply(each, 17, `it is ${index}`)] : content(each)
    );
    const results = new NetlinkConnection(kernel).batch(many(100));
    for (const [index, result] of results.entries()) {
      if (index % 10 === 3 || index === 99) {
        expect(result?.message).toBe(`Cannot do ${index}: it is ${index} (already exists)`);
      } else expect(result).toBeNull();
    }
  });

  test("is split by the size of the send buffer and by the room for replies", () => {
    const bySize = new FakeKernel(content, 250);
    expect(new NetlinkConnection(bySize).batch(many(100))).toEqual(new Array(100).fill(null));
    // 16 + 2 bytes, padded to 20: twelve in 250.
    expect(bySize.datagrams).toEqual([240, 240, 240, 240, 240, 240, 240, 240, 80]);
    const byReplies = new FakeKernel(content, 1e6, 30);
    new NetlinkConnection(byReplies).batch(many(100));
    expect(byReplies.datagrams).toEqual([600, 600, 600, 200]);
  });

  test("a request larger than the buffer goes alone and fails alone", () => {
    const kernel = new FakeKernel(content, 100);
    const send = kernel.send.bind(kernel);
    kernel.send = (bytes) => bytes.length > 100 ? -90 : send(bytes);
    const list = many(3);
    list[1] = { ...list[1]!, payload: new Uint8Array(200) };
    const results = new NetlinkConnection(kernel).batch(list);
    expect(results.map((each) => each?.code ?? null)).toEqual([null, "EMSGSIZE", null]);
  });

  test("lost replies make unknown what was not told", () => {
    const kernel = new FakeKernel((each, index) =>
      index === 1 ? [errorReply(each, 17, "known")] : index === 2 ? [-ENOBUFS] : []
    );
    const results = new NetlinkConnection(kernel).batch(many(3));
    expect(results.map((each) => each?.code)).toEqual(["ENOBUFS", "EEXIST", "ENOBUFS"]);
  });

  test("of nothing sends nothing", () => {
    const kernel = new FakeKernel();
    expect(new NetlinkConnection(kernel).batch([])).toEqual([]);
    expect(kernel.datagrams).toEqual([]);
  });
});

describe("tolerance", () => {
  const spec = { ifindex: 3, address: Uint8Array.of(10, 0, 0, 1), prefix: 24, device: "eth1" };
  test("there already and gone already are success only where the caller says so", () => {
    const exists = new NetlinkConnection(new FakeKernel((each) => [errorReply(each, 17)]));
    expect(addAddress(exists, spec, { existing: "ok" })).toBe(false);
    expect(failure(() => addAddress(exists, spec)).message).toBe(
      "Cannot add 10.0.0.1/24 to eth1: already exists",
    );
    const absent = new NetlinkConnection(new FakeKernel((each) => [errorReply(each, 99)]));
    expect(removeAddress(absent, spec, { missing: "ok" })).toBe(false);
    expect(failure(() => removeAddress(absent, spec)).code).toBe("EADDRNOTAVAIL");
    const denied = new NetlinkConnection(new FakeKernel((each) => [errorReply(each, 1)]));
    expect(failure(() => addAddress(denied, spec, { existing: "ok" })).code).toBe("EPERM");
    expect(addAddress(new NetlinkConnection(new FakeKernel()), spec)).toBe(true);
  });

  test("a link that is not there is null", () => {
    expect(getLink(new NetlinkConnection(new FakeKernel((each) => [errorReply(each, 19)])), "eth9"))
      .toBeNull();
    expect(resolveFamily(new NetlinkConnection(new FakeKernel((each) => [errorReply(each, 2)])), "IPVS"))
      .toBeNull();
  });
});

describe("listener", () => {
  test("hands on every event and says how it ended", () => {
    const kernel = new FakeKernel();
    const listener = new NetlinkListener(kernel);
    const seen: number[] = [];
    const drain = () => listener.drain((message) => seen.push(message.payload[0]!));
    expect(drain()).toBe("drained");
    kernel.queue.push(joined(entry(1, 0), entry(2, 0)), entry(3, 9));
    expect(drain()).toBe("drained");
    expect(seen).toEqual([1, 2, 3]);
    kernel.queue.push(entry(4, 0), -ENOBUFS, entry(5, 0));
    expect(drain()).toBe("overrun");
    expect(seen).toEqual([1, 2, 3, 4, 5]);
    expect(drain()).toBe("drained");
  });

  test("an event that was cut or malformed counts as lost", () => {
    const kernel = new FakeKernel();
    const listener = new NetlinkListener(kernel);
    for (
      const bad of [Uint8Array.of(1, 2, 3), joined(entry(1, 0), Uint8Array.of(1)), new Uint8Array(70_000)]
    ) {
      kernel.queue.push(bad);
      expect(listener.drain(() => {})).toBe("overrun");
    }
  });

  test("a flood is left for the next time", () => {
    const kernel = new FakeKernel();
    kernel.queue.push(...Array.from({ length: 5000 }, () => entry(1, 0)));
    const listener = new NetlinkListener(kernel);
    let count = 0;
    expect(listener.drain(() => count++)).toBe("more");
    expect(count).toBe(4096);
    expect(listener.drain(() => count++)).toBe("drained");
    expect(count).toBe(5000);
  });

  test("a broken socket is an exception", () => {
    const kernel = new FakeKernel();
    kernel.queue.push(-9);
    expect(failure(() => new NetlinkListener(kernel).drain(() => {})).code).toBe("EBADF");
  });
});

test("a kept request may be sent again", () => {
  const kernel = new FakeKernel();
  const connection = new NetlinkConnection(kernel);
  const renewal = addAddressRequest({
    ifindex: 2,
    address: Uint8Array.of(10, 0, 0, 1),
    prefix: 32,
    validS: 3,
    replace: true,
  });
  connection.batch([renewal, renewal]);
  connection.batch([renewal]);
  expect(kernel.requests.map((each) => each.payload)).toEqual([
    renewal.payload,
    renewal.payload,
    renewal.payload,
  ]);
  connection.close();
  expect(kernel.closed).toBe(true);
});
