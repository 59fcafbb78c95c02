/**
 * Is this packet for us, and may we believe it? The checks of RFC 5798 §7.1 and RFC 3768 §7.1 in the order that
 * keepalived has them, each refusal with a reason that is counted.
 *
 * @module
 */
import type { DropReason } from "../bus/messages.ts";
import {
  equalBytes,
  formatAddress,
  isMulticast,
  verifyAh,
  VRRP_AUTH,
  type VrrpAdvert,
  vrrpAuthData,
  type VrrpChecksumForm,
} from "../../lib/packet/mod.ts";
import type { ReceivedPacket } from "./model.ts";
import type { VrrpConfig } from "./config.ts";

export type Verdict =
  | { readonly ok: true; readonly advert: VrrpAdvert; readonly checksum: VrrpChecksumForm }
  | { readonly ok: false; readonly reason: DropReason };

function refuse(reason: DropReason): Verdict {
  return { ok: false, reason };
}

/** Compares in constant time, so that the time of an answer tells nothing of the key. */
function sameSecret(a: Uint8Array, b: Uint8Array): boolean {
  let difference = a.length ^ b.length;
  for (let index = 0; index < a.length; index++) difference |= a[index]! ^ (b[index] ?? 0);
  return difference === 0;
}

function isPeer(config: VrrpConfig, source: Uint8Array): boolean {
  return config.peers.includes(formatAddress(source));
}

/**
 * Whether the packet proves that it is from a router that knows the key, and no repetition of an old one: keepalived
 * wants a number that is strictly greater than any that was sent or accepted.
 */
function authenticates(
  config: VrrpConfig,
  advert: VrrpAdvert,
  ah: ReceivedPacket["ah"],
  lastSequence: number,
): boolean {
  if ((ah !== undefined) !== (config.auth.type === "ah")) return false;
  if (config.version === 3) return true;
  switch (config.auth.type) {
    case "none":
      return advert.authType === VRRP_AUTH.none;
    case "pass":
      return advert.authType === VRRP_AUTH.pass && advert.authData !== undefined &&
        sameSecret(vrrpAuthData(config.auth.key), advert.authData);
    case "ah":
      return advert.authType === VRRP_AUTH.ah && ah !== undefined && ah.sequence > lastSequence &&
        verifyAh(ah.packet, vrrpAuthData(config.auth.key));
  }
}

/**
 * Judges one packet for the virtual router `config`.
 *
 * @param own The address that we advertise from; null while there is none.
 * @param lastSequence Last sequence number of the authentication header, of version 2 with AH.
 */
export function judge(
  config: VrrpConfig,
  own: Uint8Array | null,
  packet: ReceivedPacket,
  lastSequence: number = 0,
): Verdict {
  const multicast = isMulticast(packet.destination);
  // A unicast packet has crossed routers lawfully; only link-local multicast must come with 255 (RFC 5798 §5.1.1.3).
  if (multicast && packet.ttl !== 255) return refuse("ttl");
  const { decode } = packet;
  if (!decode.ok) {
    return refuse(decode.version !== null && decode.version !== config.version ? "version" : decode.reason);
  }
  const { advert } = decode;
  if (advert.version !== config.version) return refuse("version");
  if (advert.vrid !== config.vrid) return refuse("vrid");
  if (own !== null && equalBytes(packet.source, own)) return refuse("own");
  if (multicast !== (config.peers.length === 0)) return refuse("mode");
  if (!multicast && !isPeer(config, packet.source)) return refuse("peer");
  if (!authenticates(config, advert, packet.ah, lastSequence)) return refuse("auth");
  if (config.version === 2 && advert.intervalCs !== config.intervalCs) return refuse("interval");
  // Two owners of one address is a mistake of the configuration that no election can mend.
  if (config.priority === 255 && advert.priority === 255) return refuse("owner");
  return { ok: true, advert, checksum: decode.checksumForm };
}

/**
 * Whether a packet that {@link judge} refused is from a router that knows the key all the same, with a number that is not
 * new: a repetition, or one that crossed a packet of ours on the way.
 */
export function isRepeated(
  config: VrrpConfig,
  { decode, ah }: ReceivedPacket,
  lastSequence: number,
): boolean {
  return config.version === 2 && config.auth.type === "ah" && decode.ok &&
    decode.advert.vrid === config.vrid &&
    ah !== undefined && ah.sequence <= lastSequence && verifyAh(ah.packet, vrrpAuthData(config.auth.key));
}
