/**
 * Schema of `vrrp.NAME.vmac`.
 *
 * @module
 */
import * as z from "zod/mini";
import { interfaceName, mapping, oneOf, readBoolean, shorthand } from "./base.ts";

const full = mapping("A virtual MAC address, and how it is used.", {
  name: interfaceName(
    "Name of the macvlan that bears it. Default: vrrp.VRID, for IPv6 addresses vrrp6.VRID.",
  ),
  name6: interfaceName(
    "Name of the one for the IPv6 addresses where there are addresses of both versions. Default: vrrp6.VRID.",
  ),
  advertise: oneOf(
    "Whether advertisements come from the virtual MAC address, as the RFCs want it, or from the interface's own. " +
      "Default: vmac; with `peers` base.",
    ["vmac", "base"],
  ),
});

/** `true`, `false` or a mapping; absent and `false` are the same. */
export const vmac = shorthand(
  {
    description:
      "Whether the addresses have a MAC address of their own, which moves with them: neighbours need not learn another.",
    short: { type: "boolean", default: false },
  },
  (short, fail) =>
    readBoolean(short, (what) => fail(what, "write true, false or a mapping")) ? {} : undefined,
  z.optional(full),
);
