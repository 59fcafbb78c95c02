import { describe, expect, test } from "bun:test";
import type { SyscallError } from "../../../../lib/libc/mod.ts";
import {
  AttributeCursor,
  beginRequest,
  deleteTableRequest,
  endRequest,
  flushSetRequest,
  NetlinkConnection,
  type NetlinkRequest,
  newElementsRequests,
  newInputChainRequest,
  newRuleRequest,
  newSetRequest,
  newTableRequest,
  NLM_F_ACK,
  NLM_F_REQUEST,
} from "../../../../lib/netlink/mod.ts";
import { content, errorReply, FakeKernel } from "./fake_kernel.ts";

/** Bytes of struct nfgenmsg. */
const HEADER = 4;

/** Attributes as `type: value in hex`, nested ones in brackets. */
function show(bytes: Uint8Array, start = 0): string {
  const parts: string[] = [];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = start; at + 4 <= bytes.length;) {
    const length = view.getUint16(at, true);
    const type = view.getUint16(at + 2, true);
    const value = bytes.subarray(at + 4, at + length);
    parts.push(
      type & 0x8000 ? `${type & 0x3fff}[${show(value)}]` : `${type}:${Buffer.from(value).toString("hex")}`,
    );
    at += (length + 3) & ~3;
  }
  return parts.join(" ");
}

const text = (value: string) => Buffer.from(`${value}\0`).toString("hex");

describe("nftables requests", () => {
  test.each<[string, NetlinkRequest, number, string]>([
    ["an owned table", newTableRequest("t", true), 0xa00, `1:${text("t")} 2:00000002`],
    ["a table of nobody", newTableRequest("t", false), 0xa00, `1:${text("t")} 2:00000000`],
    ["no table", deleteTableRequest("t"), 0xa02, `1:${text("t")}`],
    [
      "a chain",
      newInputChainRequest("t", "c", -10),
      0xa03,
      `1:${text("t")} 3:${text("c")} 4[1:00000001 2:fffffff6] 5:00000001 7:${text("filter")}`,
    ],
    [
      "a set",
      newSetRequest("t", "s", "ipv6_addr . ifname", 3),
      0xa09,
      `1:${text("t")} 2:${text("s")} 3:00000000 4:00000229 5:00000020 10:00000003`,
    ],
    ["an empty set", flushSetRequest("t", "s"), 0xa0e, `1:${text("t")} 2:${text("s")}`],
    [
      "elements",
      newElementsRequests("t", "s", "ipv4_addr", [
        Uint8Array.of(10, 0, 0, 1),
        Uint8Array.of(10, 0, 0, 2),
      ])[0]!,
      0xa0c,
      `1:${text("t")} 2:${text("s")} 3[1[1[1:0a000001]] 1[1[1:0a000002]]]`,
    ],
    [
      "a rule",
      newRuleRequest("t", "c", [
        { type: "meta", key: "nfproto", register: 1 },
        { type: "compare", register: 1, by: "equal", value: Uint8Array.of(2) },
        { type: "payload", base: "network", offset: 16, length: 4, register: 1 },
        { type: "lookup", register: 1, set: "s" },
        { type: "verdict", verdict: "drop" },
      ]),
      0xa06,
      [
        `1:${text("t")} 2:${text("c")} 4[`,
        `1[1:${text("meta")} 2[1:00000001 2:0000000f]] `,
        `1[1:${text("cmp")} 2[1:00000001 2:00000000 3[1:02]]] `,
        `1[1:${text("payload")} 2[1:00000001 2:00000001 3:00000010 4:00000004]] `,
        `1[1:${text("lookup")} 2[1:${text("s")} 2:00000001]] `,
        `1[1:${text("immediate")} 2[1:00000000 2[2[1:00000000]]]]]`,
      ].join(""),
    ],
  ])("%s", (_, request, type, attributes) => {
    expect(request.type).toBe(type);
    // nfgenmsg: NFPROTO_INET, version 0, resource 0.
    expect([...request.payload.subarray(0, HEADER)]).toEqual([1, 0, 0, 0]);
    expect(show(request.payload, HEADER)).toBe(attributes);
    expect(new AttributeCursor(request.payload, HEADER).next()).toBe(true);
  });

  test("the marks name the subsystem", () => {
    expect(beginRequest("x")).toMatchObject({ type: 16, payload: Uint8Array.of(0, 0, 0, 10) });
    expect(endRequest("x")).toMatchObject({ type: 17, payload: Uint8Array.of(0, 0, 0, 10) });
  });

  test("many elements are split, none gets lost", () => {
    const elements = Array.from(
      { length: 2500 },
      (_, index) => Uint8Array.of(10, 0, index >> 8, index & 255),
    );
    const requests = newElementsRequests("t", "s", "ipv4_addr", elements);
    expect(requests).toHaveLength(3);
    const shown = requests.map(({ payload }) => show(payload, HEADER)).join("");
    for (const element of elements) expect(shown).toContain(`1:${Buffer.from(element).toString("hex")}]`);
    expect(newElementsRequests("t", "s", "ipv4_addr", [])).toEqual([]);
  });

  test("a key of another length is our mistake", () => {
    expect(() => newElementsRequests("t", "s", "ipv6_addr", [Uint8Array.of(10, 0, 0, 1)])).toThrow(
      RangeError,
    );
  });
});

describe("a transaction", () => {
  const one = deleteTableRequest("a");
  const two = deleteTableRequest("b");
  const perform = (kernel: FakeKernel) =>
    new NetlinkConnection(kernel, 50).transaction(beginRequest("filter"), [one, two], endRequest("filter"));

  test("stands between the marks in one datagram; the last request is acknowledged", () => {
    const kernel = new FakeKernel();
    perform(kernel);
    expect(kernel.datagrams).toHaveLength(1);
    expect(kernel.requests.map(({ type, flags }) => [type, flags])).toEqual([
      [16, NLM_F_REQUEST],
      [0xa02, NLM_F_REQUEST],
      [0xa02, NLM_F_REQUEST | NLM_F_ACK],
      [17, NLM_F_REQUEST],
    ]);
    const sequences = kernel.requests.map(({ sequence }) => sequence);
    expect(sequences).toEqual(sequences.map((_, index) => sequences[0]! + index));
  });

  function refusalOf(kernel: FakeKernel): SyscallError {
    try {
      perform(kernel);
    } catch (error) {
      return error as SyscallError;
    }
    throw new Error("it did not fail");
  }

  test("fails with the first refusal", () => {
    const kernel = new FakeKernel((request, index) => {
      if (index === 1) return [errorReply(request, 2, "no such table")];
      return index === 2 ? [errorReply(request, 16)] : content(request);
    });
    expect(refusalOf(kernel).message).toBe(
      "Cannot remove the nftables table a: no such table (no such file or directory)",
    );
  });

  test("fails as a whole when a mark is refused, and the connection goes on", () => {
    let angry = true;
    const kernel = new FakeKernel((request, index) =>
      angry ? (index === 0 ? [errorReply(request, 1)] : []) : content(request)
    );
    const connection = new NetlinkConnection(kernel, 50);
    const run = () => connection.transaction(beginRequest("filter"), [one], endRequest("filter"));
    expect(run).toThrow("Cannot filter: operation not permitted");
    angry = false;
    expect(run).not.toThrow();
  });

  test("of nothing sends nothing", () => {
    const kernel = new FakeKernel();
    new NetlinkConnection(kernel).transaction(beginRequest("filter"), [], endRequest("filter"));
    expect(kernel.requests).toEqual([]);
  });

  test("silence is an error", () => {
    expect(refusalOf(new FakeKernel(() => [])).code).toBe("ETIMEDOUT");
  });
});
