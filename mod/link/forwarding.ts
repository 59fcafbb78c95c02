/**
 * Whether this machine is a router on an interface, as neighbour advertisements have to say.
 *
 * @module
 */
import { readFileSync } from "node:fs";

/** Whether IPv6 packets are forwarded that arrive on this interface. */
export function isRouter(name: string): boolean {
  try {
    return readFileSync(`/proc/sys/net/ipv6/conf/${name}/forwarding`, "utf8").startsWith("1");
  } catch {
    return false;
  }
}
