import { expect, test } from "bun:test";
import { parseAddress } from "../../../../lib/packet/mod.ts";
import type { Guarded } from "../../../../mod/accept/model.ts";
import { DROP_SETS, guardKey } from "../../../../mod/accept/step.ts";

const guarded = (text: string, name = "eth0"): Guarded => ({ address: parseAddress(text)!, interface: name });

function elements(list: readonly Guarded[]): Record<string, string[]> {
  return Object.fromEntries(
    DROP_SETS.map((set) => [set.name, set.elements(list).map((key) => Buffer.from(key).toString("hex"))]),
  );
}

test("each address is in the set of its kind, once", () => {
  expect(elements([guarded("10.0.0.2"), guarded("10.0.0.1"), guarded("10.0.0.2", "eth1")])).toEqual({
    ipv4: ["0a000001", "0a000002"],
    ipv6: [],
    link: [],
    link4: [],
  });
  const six = elements([guarded("2001:db8::1"), guarded("fe80::1"), guarded("fe80::1", "eth1")]);
  expect(six["ipv6"]).toEqual(["20010db8000000000000000000000001"]);
  // A link-local address is another host's on another link: the interface belongs to the key.
  const name = (text: string) => Buffer.from(text).toString("hex").padEnd(32, "0");
  expect(six["link"]).toEqual([
    `fe800000000000000000000000000001${name("eth0")}`,
    `fe800000000000000000000000000001${name("eth1")}`,
  ]);
  const four = elements([guarded("169.254.0.1"), guarded("169.254.0.1", "eth1"), guarded("10.0.0.1")]);
  expect(four["ipv4"]).toEqual(["0a000001"]);
  expect(four["link4"]).toEqual([`a9fe0001${name("eth0")}`, `a9fe0001${name("eth1")}`]);
});

test("only IPv6 has packets that pass: neighbour discovery, before the drop", () => {
  const verdicts = DROP_SETS.map(({ rules }) =>
    rules.map((rule) => rule.flatMap((step) => step.type === "verdict" ? [step.verdict] : []).join())
  );
  expect(verdicts).toEqual([["drop"], ["accept", "drop"], ["accept", "drop"], ["drop"]]);
});

test("the order of addresses makes no difference, anything else does", () => {
  const a = guarded("10.0.0.1");
  const b = guarded("10.0.0.2");
  expect(guardKey([a, b])).toBe(guardKey([b, a]));
  expect(guardKey([a])).not.toBe(guardKey([a, b]));
  expect(guardKey([a])).not.toBe(guardKey([guarded("10.0.0.1", "eth1")]));
});
