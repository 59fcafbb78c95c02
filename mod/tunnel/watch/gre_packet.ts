/**
 * The GRE keepalive of routers. A router wraps a packet that is addressed to itself, from its peer, and sends it through
 * the tunnel; the peer unwraps it and routes it back like any other. Innermost is an empty GRE packet of protocol type
 * 0. Nothing in it tells one from the next, so the question's number travels in the IP identification, which routing
 * keeps. Pure.
 *
 * @module
 */
import {
  decodeGre,
  decodeIpv4,
  encodeGre,
  encodeIpv4,
  GRE_PROTOCOL,
  IP_PROTOCOL,
  TOS_INTERNET_CONTROL,
} from "../../../lib/packet/mod.ts";
import { bytesOf } from "../diff.ts";
import type { TunnelConfig } from "../model.ts";

type Ends = Pick<TunnelConfig, "local" | "remote" | "ikey" | "checksum">;

/**
 * The packet to send through the tunnel: IPv4, from the peer to us. Its GRE header has the key that the tunnel demands
 * of what comes in, so that the kernel here takes it for what it is.
 */
export function encodeKeepalive(ends: Ends, sequence: number): Uint8Array {
  const header = {
    protocol: GRE_PROTOCOL.keepalive,
    checksum: ends.checksum,
    key: ends.ikey,
    sequence: null,
  };
  return encodeIpv4({
    tos: TOS_INTERNET_CONTROL,
    identification: sequence,
    dontFragment: true,
    moreFragments: false,
    fragmentOffset: 0,
    ttl: 255,
    protocol: IP_PROTOCOL.gre,
    source: bytesOf(ends.remote),
    destination: bytesOf(ends.local),
  }, encodeGre(header, new Uint8Array(0)));
}

/** What a packet of protocol 47 from the peer is to a keeper. */
export type KeepaliveSeen =
  /** Our own question came back. */
  | { readonly type: "answer"; readonly sequence: number }
  /** The peer's question: `packet` is to be sent to it, as a router would forward it. */
  | { readonly type: "question"; readonly packet: Uint8Array }
  | { readonly type: "other" };

const OTHER: KeepaliveSeen = { type: "other" };

function same(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}

/**
 * A GRE packet without its checksum, which says nothing to those who listen beside the kernel: where a virtual device
 * or an offload carried the packet it is not filled in. The IPv4 header inside has one of its own.
 */
function withoutChecksum(packet: Uint8Array): Uint8Array {
  const first = packet[0] ?? 0;
  if (packet.length < 8 || (first & 0x80) === 0) return packet;
  const rest = new Uint8Array(packet.length - 4);
  rest.set(packet.subarray(0, 4));
  rest.set(packet.subarray(8), 4);
  rest[0] = first & 0x7f;
  return rest;
}

/** Reads a packet of protocol 47, its IPv4 header included. */
export function readKeepalive(ends: Ends, packet: Uint8Array): KeepaliveSeen {
  const local = bytesOf(ends.local);
  const remote = bytesOf(ends.remote);
  const outer = decodeIpv4(packet);
  if (!outer.ok || outer.header.protocol !== IP_PROTOCOL.gre) return OTHER;
  if (!same(outer.header.source, remote) || !same(outer.header.destination, local)) return OTHER;
  const gre = decodeGre(withoutChecksum(outer.payload));
  if (!gre.ok) return OTHER;
  // There may be other tunnels between the same addresses, of other keys: they are asked, and answer, for themselves.
  if (gre.header.key !== ends.ikey) return OTHER;
  if (gre.header.protocol === GRE_PROTOCOL.keepalive) {
    return { type: "answer", sequence: outer.header.identification };
  }
  if (gre.header.protocol !== GRE_PROTOCOL.ipv4) return OTHER;
  const inner = decodeIpv4(gre.payload);
  if (!inner.ok || inner.header.protocol !== IP_PROTOCOL.gre || inner.header.ttl <= 1) return OTHER;
  if (!same(inner.header.source, local) || !same(inner.header.destination, remote)) return OTHER;
  const innermost = decodeGre(inner.payload);
  if (!innermost.ok || innermost.header.protocol !== GRE_PROTOCOL.keepalive) return OTHER;
  return {
    type: "question",
    packet: encodeIpv4({ ...inner.header, ttl: inner.header.ttl - 1 }, inner.payload),
  };
}
