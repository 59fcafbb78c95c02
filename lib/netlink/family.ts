/** Address families by number and by name. Pure. */
import type { AddressFamily } from "../packet/address.ts";

/** AF_INET and AF_INET6. */
export const AF: Readonly<Record<AddressFamily, number>> = { ipv4: 2, ipv6: 10 };

/** The family with this AF_… number; null for every other. */
export function familyFromNumber(number: number | undefined): AddressFamily | null {
  return number === 2 ? "ipv4" : number === 10 ? "ipv6" : null;
}
