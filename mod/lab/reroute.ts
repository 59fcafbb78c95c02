/**
 * `appliance lab-child reroute NAMESPACE ADDRESS GATEWAY`: points a router's route to an address at another gateway. It
 * stands for what moves such routes outside of a lab: a routing protocol, or the API of a cloud's route tables.
 *
 * @module
 */
import { inNetns } from "../../lib/libc/mod.ts";
import { addRoute, NETLINK_ROUTE, NetlinkConnection } from "../../lib/netlink/mod.ts";
import { selfCommand } from "../../lib/runtime/mod.ts";
import { familyOf, parseAddress } from "../../lib/packet/address.ts";
import { findProgram } from "./program.ts";

/**
 * The command that does it: `ip`, as an operator would write it, or where that is not installed this program. Starting
 * the smaller one costs less.
 */
export function rerouteCommand(namespace: string, address: string, gateway: string): readonly string[] {
  const ip = findProgram("ip");
  return ip === null
    ? selfCommand(["lab-child", "reroute", namespace, address, gateway])
    : [ip, "-n", namespace, "route", "replace", address, "via", gateway];
}

function bytesOf(text: string): Uint8Array {
  const bytes = parseAddress(text);
  if (bytes === null) throw new RangeError(`Cannot route ${text}: not an address`);
  return bytes;
}

/** Sets the route of the router in a namespace, whatever it was. Returns the exit code. Throws Error. */
export function reroute(namespace: string, address: string, gateway: string): number {
  const destination = bytesOf(address);
  const connection = inNetns(namespace, () => new NetlinkConnection(NETLINK_ROUTE));
  try {
    addRoute(connection, {
      family: familyOf(destination),
      destination: { address: destination, prefix: destination.length * 8 },
      gateway: bytesOf(gateway),
      replace: true,
    });
  } finally {
    connection.close();
  }
  return 0;
}
