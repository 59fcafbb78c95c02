import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import {
  AttributeCursor,
  decodeAcknowledgement,
  decodeFamily,
  MessageBuilder,
  parseGeneric,
  parseMessages,
  parseRouteEvent,
} from "../../../../lib/netlink/mod.ts";

function hex(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from<string>(
    text.replaceAll(/[^0-9a-f]/g, "").match(/../g) ?? [],
    (pair) => parseInt(pair, 16),
  );
}

describe("messages", () => {
  test("a datagram of two is split, the padding of the first skipped", () => {
    const parsed = parseMessages(hex(`
      11000000 1400 0200 07000000 2a000000 ff 000000
      10000000 0300 0200 07000000 00000000`));
    expect(parsed).toEqual({
      ok: true,
      messages: [
        { type: 20, flags: 2, sequence: 7, port: 42, payload: Uint8Array.of(0xff) },
        { type: 3, flags: 2, sequence: 7, port: 0, payload: new Uint8Array(0) },
      ],
    });
  });

  test("what comes before a malformed one is kept", () => {
    const good = "10000000 0300 0200 07000000 00000000";
    const short = parseMessages(hex(good + "100000"));
    expect(short).toMatchObject({ ok: false, reason: "short-header" });
    expect(short.messages).toHaveLength(1);
    for (const length of ["0f000000", "11000000", "ffffffff", "00000000"]) {
      const bad = parseMessages(hex(good + length + "0300 0200 07000000 00000000"));
      expect(bad).toMatchObject({ ok: false, reason: "bad-length" });
      expect(bad.messages).toHaveLength(1);
    }
  });

  test("written, read and written again, they are the same bytes", () => {
    const message = fc.record({
      type: fc.nat(0xffff),
      flags: fc.nat(0xffff),
      sequence: fc.nat(0xffff_ffff),
      port: fc.nat(0xffff_ffff),
      payload: fc.uint8Array({ maxLength: 100 }),
    });
    fc.assert(fc.property(fc.array(message, { maxLength: 8 }), (messages) => {
      const write = (list: typeof messages) => {
        const builder = new MessageBuilder(16);
        for (const { type, flags, sequence, payload, port } of list) {
          builder.message(type, flags, sequence, payload, port);
        }
        return builder.finish();
      };
      const bytes = write(messages);
      const parsed = parseMessages(bytes);
      expect(parsed.ok).toBe(true);
      expect(parsed.messages).toEqual(messages);
      expect(write([...parsed.messages] as typeof messages)).toEqual(bytes);
    }));
  });
});

describe("attributes", () => {
  test("are written as the kernel wants them", () => {
    const bytes = new MessageBuilder(4).u8(2).u8(24).u16(0x0102).attrU8(1, 5).attrU16(2, 0x0102)
      .attrBe32(3, 0x01020304).attrText(4, "lo").attrFlag(5).nest(6).attrBe16(7, 0x0102).end()
      .nest(8, false).u8(9).end().finish();
    expect(bytes).toEqual(hex(`
      02 18 0201
      0500 0100 05000000
      0600 0200 02010000
      0800 0300 01020304
      0700 0400 6c6f0000
      0400 0500
      0c00 0680 0600 0700 01020000
      0500 0800 09000000`));
  });

  test("are read in straight lines", () => {
    const cursor = new AttributeCursor(
      hex(`ffff
      0000`).subarray(0, 4),
      4,
    );
    expect(cursor.next()).toBe(false);
    expect(cursor.ok).toBe(true);
    const bytes = new MessageBuilder().attrU8(1, 200).attrU16(2, 60000).attrU32(3, 4e9).attrBe16(4, 258)
      .attrBe32(5, 0xfffefdfc).attrText(6, "eth0").attrBytes(7, Uint8Array.of(1, 2, 3, 0, 0, 1, 0, 0))
      .finish();
    const reader = new AttributeCursor(bytes);
    const values: unknown[] = [];
    while (reader.next()) {
      if (reader.type === 1) values.push(reader.u8());
      if (reader.type === 2) values.push(reader.u16());
      if (reader.type === 3) values.push(reader.u32());
      if (reader.type === 4) values.push(reader.be16());
      if (reader.type === 5) values.push(reader.be32());
      if (reader.type === 6) values.push(reader.text());
      if (reader.type === 7) values.push(reader.u64(), reader.bytes(5));
    }
    expect(values).toEqual([
      200,
      60000,
      4e9,
      258,
      0xfffefdfc,
      "eth0",
      0x0000_0100_0003_0201,
      Uint8Array.of(1, 0, 0),
    ]);
    expect(reader.ok).toBe(true);
  });

  test("an error sticks: nothing more is read", () => {
    const reader = new AttributeCursor(hex("0500 0100 05000000 0800 0200 01000000"));
    expect(reader.next()).toBe(true);
    expect(reader.u32()).toBe(0);
    expect(reader.ok).toBe(false);
    expect(reader.u8()).toBe(0);
    expect(reader.text()).toBe("");
    expect(reader.bytes()).toHaveLength(0);
    expect(reader.next()).toBe(false);
  });

  test("an error in a nest sticks to what it is in", () => {
    const reader = new AttributeCursor(hex("0c00 0180 0c00 0100 00000000"));
    expect(reader.next()).toBe(true);
    const inner = reader.nested();
    expect(inner.next()).toBe(false);
    expect(inner.ok).toBe(false);
    expect(reader.ok).toBe(false);
  });

  test("a length that is too small, too large, or a struct that is too short is an error", () => {
    for (const bytes of ["0300 0100", "0000 0100", "0900 0100 00000000"]) {
      const reader = new AttributeCursor(hex(bytes));
      expect(reader.next()).toBe(false);
      expect(reader.ok).toBe(false);
    }
    expect(new AttributeCursor(new Uint8Array(7), 8).ok).toBe(false);
  });

  test("values that do not fit are a RangeError", () => {
    const builder = new MessageBuilder();
    expect(() => builder.attrU8(1, 256)).toThrow(RangeError);
    expect(() => builder.attrU8(1, -1)).toThrow(RangeError);
    expect(() => builder.attrU16(1, 65536)).toThrow(RangeError);
    expect(() => builder.attrU32(1, 2 ** 32)).toThrow(RangeError);
    expect(() => builder.attrU32(1, 1.5)).toThrow(RangeError);
    expect(() => builder.attrU32(1, NaN)).toThrow(RangeError);
    expect(() => builder.attrBytes(1, new Uint8Array(65532))).toThrow(RangeError);
    expect(() => builder.attrText(1, "a\0b")).toThrow(RangeError);
    expect(() => new MessageBuilder().end()).toThrow(RangeError);
    expect(() => new MessageBuilder().nest(1).finish()).toThrow(RangeError);
    const large = new MessageBuilder().nest(1).attrBytes(1, new Uint8Array(40000)).attrBytes(
      2,
      new Uint8Array(40000),
    );
    expect(() => large.end()).toThrow(RangeError);
  });

  test("reset memory holds no rest of what was there", () => {
    const builder = new MessageBuilder(64).attrBytes(1, new Uint8Array(20).fill(255)).reset().attrU8(1, 1);
    expect(builder.finish()).toEqual(hex("0500 0100 01000000"));
  });

  interface Tree {
    readonly type: number;
    readonly value: Uint8Array | readonly Tree[];
  }
  const tree = fc.letrec<{ tree: Tree; list: Tree[] }>((tie) => ({
    list: fc.array(tie("tree"), { maxLength: 4 }),
    tree: fc.record({
      type: fc.nat(0x3fff),
      value: fc.oneof({ maxDepth: 4 }, fc.uint8Array({ maxLength: 20 }), tie("list")),
    }) as fc.Arbitrary<Tree>,
  }));
  function write(builder: MessageBuilder, list: readonly Tree[]): MessageBuilder {
    for (const { type, value } of list) {
      if (value instanceof Uint8Array) builder.attrBytes(type, value);
      else write(builder.nest(type), value).end();
    }
    return builder;
  }
  function read(cursor: AttributeCursor, shape: readonly Tree[]): Tree[] {
    const list: Tree[] = [];
    while (cursor.next()) {
      const { type } = cursor;
      const expected = shape[list.length]?.value;
      list.push({
        type,
        value: expected instanceof Uint8Array ? cursor.bytes() : read(cursor.nested(), expected ?? []),
      });
    }
    return list;
  }

  test("trees are written, read and written again alike", () => {
    fc.assert(fc.property(tree.list, (list) => {
      const bytes = write(new MessageBuilder(8), list).finish();
      const cursor = new AttributeCursor(bytes);
      const again = read(cursor, list);
      expect(cursor.ok).toBe(true);
      expect(again).toEqual(list);
      expect(write(new MessageBuilder(), again).finish()).toEqual(bytes);
    }));
  });
});

describe("acknowledgements", () => {
  // Taken from a kernel: RTM_NEWADDR of an address that is there, CAP_ACK and EXT_ACK on.
  const capped = `
    48000000 0200 0003 05000000 ba520000
    efffffff 28000000 1400 0506 05000000 00000000
    2300 0100 697076343a204164647265737320616c72656164792061737369676e656400 00`;

  function only(text: string) {
    const parsed = parseMessages(hex(text.replaceAll("\n", "")));
    expect(parsed.ok).toBe(true);
    return parsed.messages[0]!;
  }

  test("an error carries the kernel's text", () => {
    expect(decodeAcknowledgement(only(capped))).toEqual({
      errno: 17,
      text: "ipv4: Address already assigned",
      offset: null,
    });
  });

  test("the attributes stand behind the request when it is repeated", () => {
    const repeated = `
      30000000 0200 0002 05000000 00000000
      eaffffff 13000000 1400 0506 05000000 00000000 aabbcc00
      0800 0200 18000000`;
    expect(decodeAcknowledgement(only(repeated))).toEqual({ errno: 22, text: null, offset: 24 });
  });

  test("success and the end of a dump are errno 0; a dump's failure is not", () => {
    const ack = "24000000 0200 0001 05000000 00000000 00000000 28000000 1400 0506 05000000 00000000";
    expect(decodeAcknowledgement(only(ack))).toEqual({ errno: 0, text: null, offset: null });
    const done = "14000000 0300 0200 05000000 00000000";
    expect(decodeAcknowledgement(only(done + "00000000"))).toMatchObject({ errno: 0 });
    expect(decodeAcknowledgement(only("10000000 0300 0200 05000000 00000000"))).toMatchObject({ errno: 0 });
    expect(decodeAcknowledgement(only(done + "edffffff"))).toMatchObject({ errno: 19 });
  });

  test("anything else, or a short one, is none", () => {
    expect(decodeAcknowledgement(only("14000000 1400 0200 05000000 00000000 00000000"))).toBeNull();
    expect(decodeAcknowledgement(only("14000000 0200 0200 05000000 00000000 00000000"))).toBeNull();
  });

  test("a hostile request length does not lead astray", () => {
    const hostile =
      "2c000000 0200 0002 05000000 00000000 eaffffff ffffffff 1400 0506 05000000 00000000 0800 0200 01000000";
    expect(decodeAcknowledgement(only(hostile))).toEqual({ errno: 22, text: null, offset: null });
  });
});

describe("garbage", () => {
  const types = [0, 1, 2, 3, 4, 16, 17, 20, 21, 24, 25, 32, 33];
  function readAll(bytes: Uint8Array): void {
    for (const message of parseMessages(bytes).messages) {
      decodeAcknowledgement(message);
      parseRouteEvent(message);
      decodeFamily(message);
      const attributes = parseGeneric(message)?.attributes;
      while (attributes?.next()) {
        attributes.u64();
        attributes.text();
        const nested = attributes.nested();
        while (nested.next()) nested.be32();
      }
    }
  }

  test("random bytes never throw", () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => readAll(bytes)), { numRuns: 2000 });
  });

  test("random attributes behind a good header never throw", () => {
    const attribute = fc.record({ type: fc.nat(40), value: fc.uint8Array({ maxLength: 40 }) });
    const input = fc.record({
      type: fc.constantFrom(...types),
      flags: fc.constantFrom(0, 2, 0x100, 0x200, 0x300),
      family: fc.constantFrom(0, 2, 7, 10),
      head: fc.uint8Array({ minLength: 3, maxLength: 19 }),
      attributes: fc.array(attribute, { maxLength: 6 }),
      cut: fc.nat(12),
    });
    fc.assert(
      fc.property(input, ({ type, flags, family, head, attributes, cut }) => {
        const payload = new MessageBuilder().u8(family).bytes(head);
        for (const { type, value } of attributes) payload.attrBytes(type, value);
        const whole = payload.finish();
        readAll(new MessageBuilder().message(type, flags, 1, whole.subarray(0, whole.length - cut)).finish());
      }),
      { numRuns: 5000 },
    );
  });
});
