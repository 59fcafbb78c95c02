import { expect, test } from "bun:test";
import fc from "fast-check";
import {
  decodeVrrp,
  encodeVrrp,
  foldSum,
  pseudoHeaderSum,
  VRRP_CHECKSUM_FORMS,
  VRRP_DROP_REASONS,
  VRRP_IPV4_GROUP,
  type VrrpAdvert,
  type VrrpChecksumForm,
  type VrrpContext,
} from "../../../../lib/packet/mod.ts";
import { flipBit } from "./hex.ts";

interface Sample {
  readonly advert: VrrpAdvert;
  readonly context: VrrpContext;
  readonly checksum: VrrpChecksumForm;
}

const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });

function contextOf(family: "ipv4" | "ipv6"): fc.Arbitrary<VrrpContext> {
  const width = family === "ipv4" ? 4 : 16;
  const destination = family === "ipv4" ? fc.oneof(fc.constant(VRRP_IPV4_GROUP), bytes(4)) : bytes(16);
  return fc.record({ family: fc.constant(family), source: bytes(width), destination });
}

const v2 = fc.record({
  version: fc.constant(2 as const),
  vrid: fc.integer({ min: 1, max: 255 }),
  priority: fc.nat(255),
  addresses: fc.array(bytes(4), { maxLength: 20 }),
  intervalCs: fc.integer({ min: 1, max: 255 }).map((seconds) => seconds * 100),
});
const v2Auth = fc.oneof(
  fc.record({ authType: fc.constant(0) }),
  fc.record({ authType: fc.integer({ min: 1, max: 255 }), authData: bytes(8) }),
);
const v3 = (width: number) =>
  fc.record({
    version: fc.constant(3 as const),
    vrid: fc.integer({ min: 1, max: 255 }),
    priority: fc.nat(255),
    addresses: fc.array(bytes(width), { minLength: 1, maxLength: 20 }),
    intervalCs: fc.integer({ min: 1, max: 4095 }),
    authType: fc.constant(0),
  });
const rfc = fc.constant("rfc" as const);

const samples: fc.Arbitrary<Sample> = fc.oneof(
  fc.record({
    advert: fc.tuple(v2, v2Auth).map(([advert, auth]) => ({ ...advert, ...auth })),
    context: contextOf("ipv4"),
    checksum: rfc,
  }),
  fc.record({ advert: v3(4), context: contextOf("ipv4"), checksum: fc.constantFrom(...VRRP_CHECKSUM_FORMS) }),
  fc.record({ advert: v3(16), context: contextOf("ipv6"), checksum: rfc }),
);

/** The pseudo-header sums that are tried on version 3 over IPv4. */
function pseudoSums({ advert, context }: Sample, length: number): readonly number[] {
  if (advert.version === 2 || context.family === "ipv6") return [0];
  return [
    0,
    ...[context.destination, VRRP_IPV4_GROUP].map((to) => pseudoHeaderSum(context.source, to, 112, length)),
  ];
}

/**
 * Where two forms' sums are a power of two (mod 0xffff) apart, one flipped bit turns one form into another: the
 * price of accepting all. Such addresses are left out below; "equal" means that the forms cannot be told apart.
 */
function formsAreApart(sample: Sample, length: number): boolean {
  const sums = pseudoSums(sample, length);
  return sums.every((a) =>
    sums.every((b) => {
      const difference = foldSum(a + 0xffff - b) % 0xffff;
      const power = (value: number) => (value & (value - 1)) === 0;
      return difference === 0 || (!power(difference) && !power(0xffff - difference));
    })
  );
}

test("decode(encode(x)) = x", () => {
  fc.assert(
    fc.property(samples, (sample) => {
      const { advert, context, checksum } = sample;
      const payload = encodeVrrp(advert, { ...context, checksum });
      const decoded = decodeVrrp(payload, context);
      if (!decoded.ok) throw new Error(decoded.reason);
      expect(decoded.advert).toEqual(advert);
      // Another form is only told when it makes the very same bytes.
      if (decoded.checksumForm !== checksum) {
        expect(encodeVrrp(advert, { ...context, checksum: decoded.checksumForm })).toEqual(payload);
      }
    }),
    { numRuns: 1000 },
  );
});

test("no single flipped bit is accepted", () => {
  fc.assert(
    fc.property(samples, (sample) => {
      const payload = encodeVrrp(sample.advert, { ...sample.context, checksum: sample.checksum });
      fc.pre(formsAreApart(sample, payload.length));
      for (let bit = 0; bit < payload.length * 8; bit++) {
        const flipped = flipBit(payload, bit);
        const decoded = decodeVrrp(flipped, sample.context);
        if (decoded.ok) throw new Error(`bit ${bit} flipped and still accepted as ${decoded.checksumForm}`);
        expect(decoded.vrid).toBe(flipped[1] as number);
        expect(decoded.version).toBe((flipped[0] as number) >> 4);
      }
    }),
    { numRuns: 200 },
  );
});

test("a changed bit with the checksum made good shows in the decoded advert", () => {
  fc.assert(
    fc.property(samples, fc.nat(), (sample, at) => {
      const { advert, context, checksum } = sample;
      const payload = encodeVrrp(advert, { ...context, checksum });
      const bit = at % (payload.length * 8);
      // The checksum field, the reserved bits of version 3 and the unread data of type none carry no field.
      const byte = bit >> 3;
      fc.pre(byte !== 6 && byte !== 7);
      fc.pre(!(advert.version === 3 && byte === 4 && (bit & 7) < 4));
      fc.pre(!(advert.version === 2 && advert.authType === 0 && byte >= payload.length - 8));
      const changed = flipBit(payload, bit);
      const field = ((payload[6] as number) << 8) | (payload[7] as number);
      const weight = (0x80 >> (bit & 7)) << ((byte & 1) === 0 ? 8 : 0);
      const set = ((changed[byte] as number) & (0x80 >> (bit & 7))) !== 0;
      const good = foldSum(field + (set ? 0xffff - weight : weight));
      changed[6] = good >> 8;
      changed[7] = good & 0xff;
      const decoded = decodeVrrp(changed, context);
      if (decoded.ok) expect(decoded.advert).not.toEqual(advert);
      else expect(decoded.reason).not.toBe("checksum");
    }),
    { numRuns: 1000 },
  );
});

test("no input makes the decoder throw, and each refusal is of the list", () => {
  const mangled = fc.tuple(samples, fc.nat(), fc.nat(), fc.nat(2)).map(([sample, bit, end, kind]) => {
    const payload = encodeVrrp(sample.advert, { ...sample.context, checksum: sample.checksum });
    const flipped = kind === 0 ? payload : flipBit(payload, bit % (payload.length * 8));
    return {
      input: kind === 1 ? flipped : flipped.slice(0, end % (payload.length + 1)),
      context: sample.context,
    };
  });
  const random = fc.record({
    input: fc.uint8Array({ maxLength: 600 }),
    context: fc.oneof(contextOf("ipv4"), contextOf("ipv6")),
  });
  // Starts like an advert, so that it comes past the first checks.
  const likely = fc.tuple(random, fc.constantFrom(0x21, 0x31)).map(([{ input, context }, first]) => {
    if (input.length > 0) input[0] = first;
    if (input.length > 3) input[3] = (input.length - 8) >> (context.family === "ipv4" ? 2 : 4);
    return { input, context };
  });
  fc.assert(
    fc.property(fc.oneof(mangled, random, likely), ({ input, context }) => {
      const decoded = decodeVrrp(input, context);
      if (decoded.ok) return;
      expect(VRRP_DROP_REASONS).toContain(decoded.reason);
      expect(decoded.vrid).toBe(input.length >= 2 ? input[1] as number : null);
      expect(decoded.version).toBe(input.length >= 1 ? (input[0] as number) >> 4 : null);
    }),
    { numRuns: 5000 },
  );
});
