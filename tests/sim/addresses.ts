/**
 * Addresses of simulated clusters, which are few and come again and again.
 *
 * @module
 */
import { parseAddress } from "../../lib/packet/mod.ts";

const known = new Map<string, Uint8Array>();

/** The bytes of an address, the same array each time. */
export function addressOf(text: string): Uint8Array {
  let bytes = known.get(text);
  if (bytes === undefined) known.set(text, bytes = parseAddress(text)!);
  return bytes;
}
