import { describe, expect, test } from "bun:test";
import { conditionsOf } from "../../../../mod/engine/conditions.ts";
import { NO_LINKS } from "../../../../mod/link/model.ts";
import { linkFault } from "../../../../mod/link/step.ts";
import type { VrrpConfig } from "../../../../mod/vrrp/config.ts";
import { config } from "../../../router_config.ts";

/** The faults of a router on a machine without interfaces. */
function faults(part: Partial<VrrpConfig>): readonly string[] {
  return conditionsOf(config(part), {
    links: NO_LINKS,
    link: (name) => {
      const fault = linkFault(NO_LINKS, name);
      return { fault, seen: fault, due: Infinity };
    },
    tracked: () => ({ value: "unknown", error: null }),
    isVirtual: () => false,
  }).faults;
}

describe("an interface that is not there", () => {
  test("is told", () => expect(faults({})).toEqual(["interface eth0 does not exist"]));

  test("is told once where it is tracked as well", () => {
    const track = ["eth0", "eth1"].map((
      name,
    ) => ({ kind: "interface", name, weight: null, reverse: false } as const));
    expect(faults({ track })).toEqual(["interface eth0 does not exist", "interface eth1 does not exist"]);
  });

  test("is about to come where it is a tunnel of ours", () => {
    expect(faults({ interface: "gretap1", onTunnel: true })).toEqual([
      "interface gretap1 does not exist yet",
    ]);
  });
});
