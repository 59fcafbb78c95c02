import { expect, test } from "bun:test";
import { type Route, RT_TABLE_MAIN } from "../../../../lib/netlink/mod.ts";
import { interfacesOf, isDefaultRoute } from "../../../../mod/route/default_route.ts";

function route(part: Partial<Route> = {}): Route {
  return {
    family: "ipv4",
    destination: null,
    from: null,
    gateway: Uint8Array.of(10, 0, 0, 9),
    ifindex: 7,
    metric: null,
    table: RT_TABLE_MAIN,
    source: null,
    scope: 0,
    protocol: 3,
    type: "unicast",
    onlink: false,
    mtu: null,
    nexthops: [],
    ...part,
  };
}

const PREFIX = { address: new Uint8Array(4), prefix: 1 };

test.each<[string, Partial<Route>, boolean]>([
  ["a gateway", {}, true],
  ["only an interface", { gateway: null }, true],
  ["several ways", { gateway: null, ifindex: null }, true],
  ["a metric and any protocol", { metric: 1024, protocol: 9 }, true],
  ["half of all addresses", { destination: PREFIX }, false],
  ["one source only", { from: PREFIX }, false],
  ["another table", { table: 100 }, false],
  ["nowhere to go", { type: "unreachable" }, false],
  ["a black hole", { type: "blackhole" }, false],
])("a default route with %s", (_, part, expected) => {
  expect(isDefaultRoute(route(part))).toBe(expected);
});

test("the interfaces are those of all ways", () => {
  expect(interfacesOf(route())).toEqual([7]);
  const hop = { gateway: null, weight: 1, onlink: false };
  const nexthops = [{ ...hop, ifindex: 3 }, { ...hop, ifindex: null }, { ...hop, ifindex: 5 }];
  expect(interfacesOf(route({ ifindex: null, nexthops }))).toEqual([3, 5]);
});
