import { expect, test } from "bun:test";
import { formatAddress, parseAddress } from "../../../../lib/packet/mod.ts";
import { advertTemplate } from "../../../../mod/vrrp/shell.ts";
import { config, SELF } from "./rig.ts";

test("advertisements go to the group, or to each peer but oneself", () => {
  const goingTo = (peers: readonly string[]) => {
    const { destinations } = advertTemplate({ ...config(), peers }, parseAddress(SELF)!, 2, false);
    return destinations.map(({ address }) => formatAddress(address));
  };
  expect(goingTo([])).toEqual(["224.0.0.18"]);
  expect(goingTo(["10.1.1.3", "10.1.1.4"])).toEqual(["10.1.1.3", "10.1.1.4"]);
  expect(goingTo(["10.1.1.3", SELF, "10.1.1.4"])).toEqual(["10.1.1.3", "10.1.1.4"]);
});
