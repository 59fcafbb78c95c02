/**
 * Advertisements between the routers of a simulation: real bytes, authenticated where they are to be.
 *
 * @module
 */
import {
  AH_LENGTH,
  ahSpi,
  decodeVrrp,
  encodeAhInto,
  encodeIpv4Into,
  encodeVrrp,
  encodeVrrpInto,
  IP_PROTOCOL,
  IPV4_HEADER_LENGTH,
  signAh,
  VRRP_AUTH,
  VRRP_IPV4_GROUP,
  VRRP_IPV6_GROUP,
  type VrrpAdvert,
  vrrpAuthData,
  type VrrpEncodeContext,
  vrrpLength,
} from "../../lib/packet/mod.ts";
import type { Family, VrrpConfig } from "../../mod/vrrp/config.ts";
import type { ReceivedPacket, VrrpState } from "../../mod/vrrp/model.ts";
import { addressOf } from "./addresses.ts";

/** An advertisement on its way. */
export interface Datagram {
  readonly family: Family;
  readonly source: Uint8Array;
  readonly destination: Uint8Array;
  readonly payload: Uint8Array;
  readonly ah?: ReceivedPacket["ah"];
}

interface Prepared {
  readonly addresses: readonly Uint8Array[];
  readonly destinations: readonly Uint8Array[];
  readonly authData: Uint8Array | null;
}

const prepared = new WeakMap<VrrpConfig, Prepared>();

function prepare(config: VrrpConfig): Prepared {
  let ready = prepared.get(config);
  if (ready !== undefined) return ready;
  const { family, peers, auth } = config;
  const group = family === "ipv4" ? VRRP_IPV4_GROUP : VRRP_IPV6_GROUP;
  ready = {
    addresses: config.addresses.map(({ address }) => addressOf(address)),
    destinations: peers.length === 0 ? [group] : peers.map((peer) => addressOf(peer)),
    authData: auth.type === "none" ? null : vrrpAuthData(auth.key),
  };
  prepared.set(config, ready);
  return ready;
}

/** What the engine would put on the wire, once for each destination; nothing while there is no address to send from. */
export function encodeAdverts(state: VrrpState, priority: number, ahSequence: number): Datagram[] {
  const { config, conditions: { source }, checksum } = state;
  if (source === null) return [];
  const { addresses, destinations, authData } = prepare(config);
  const { family, version, vrid, intervalCs, auth } = config;
  const advert: VrrpAdvert = {
    version,
    vrid,
    priority,
    addresses,
    intervalCs,
    authType: version === 2 ? VRRP_AUTH[auth.type] : VRRP_AUTH.none,
    ...(auth.type === "pass" && authData !== null ? { authData } : {}),
  };
  return destinations.map((destination) => {
    const context = { family, source, destination, checksum };
    if (auth.type === "ah") return authenticated(advert, context, authData!, ahSequence);
    return { family, source, destination, payload: encodeVrrp(advert, context) };
  });
}

function authenticated(
  advert: VrrpAdvert,
  context: VrrpEncodeContext,
  key: Uint8Array,
  sequence: number,
): Datagram {
  const { family, source, destination } = context;
  const header = IPV4_HEADER_LENGTH + AH_LENGTH;
  const length = vrrpLength(advert.version, family, advert.addresses.length);
  const packet = new Uint8Array(header + length);
  const at = encodeIpv4Into(packet, 0, {
    tos: 0xc0,
    identification: 1,
    dontFragment: false,
    moreFragments: false,
    fragmentOffset: 0,
    ttl: 255,
    protocol: IP_PROTOCOL.ah,
    source,
    destination,
  }, AH_LENGTH + length);
  encodeAhInto(packet, at, { nextHeader: IP_PROTOCOL.vrrp, spi: ahSpi(source), sequence });
  encodeVrrpInto(packet, header, advert, context);
  signAh(packet, key);
  return { family, source, destination, payload: packet.subarray(header), ah: { sequence, packet } };
}

const received = new WeakMap<Datagram, ReceivedPacket>();

/** What the engine would hand to the step. */
export function decodeDatagram(datagram: Datagram): ReceivedPacket {
  let packet = received.get(datagram);
  if (packet !== undefined) return packet;
  const { family, source, destination, payload, ah } = datagram;
  const decode = decodeVrrp(payload, { family, source, destination });
  packet = { source, destination, ttl: 255, decode, ...(ah && { ah }) };
  received.set(datagram, packet);
  return packet;
}
