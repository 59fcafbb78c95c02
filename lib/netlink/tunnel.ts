/**
 * GRE links: gre and gretap over IPv4, ip6gre and ip6gretap over IPv6 (RFC 2784, RFC 2890, linux/if_tunnel.h). Pure.
 *
 * @module
 */
import type { MessageBuilder } from "./builder.ts";
import type { AttributeCursor, NetlinkRequest } from "./codec.ts";
import {
  beginLink,
  ifinfomsg,
  IFLA_ADDRESS,
  IFLA_INFO_DATA,
  IFLA_INFO_KIND,
  IFLA_LINKINFO,
  IFLA_MTU,
  newLinkRequest,
  RTM_NEWLINK,
} from "./link_message.ts";

const IFLA_GRE_LINK = 1;
const IFLA_GRE_IFLAGS = 2;
const IFLA_GRE_OFLAGS = 3;
const IFLA_GRE_IKEY = 4;
const IFLA_GRE_OKEY = 5;
const IFLA_GRE_LOCAL = 6;
const IFLA_GRE_REMOTE = 7;
const IFLA_GRE_TTL = 8;
const IFLA_GRE_TOS = 9;
const IFLA_GRE_PMTUDISC = 10;
const IFLA_GRE_ENCAP_LIMIT = 11;
const IFLA_GRE_FLOWINFO = 12;
const IFLA_GRE_FLAGS = 13;
const IFLA_GRE_IGNORE_DF = 19;

const GRE_CSUM = 0x8000;
const GRE_KEY = 0x2000;
const GRE_SEQ = 0x1000;
const IP6_TNL_F_IGN_ENCAP_LIMIT = 0x1;
const IP6_TNL_F_USE_ORIG_TCLASS = 0x2;

/** `…tap` carries Ethernet frames, the others IP packets. */
export type TunnelType = "gre" | "gretap" | "ip6gre" | "ip6gretap";

/** Whether a link kind is one of the four. */
export function isTunnelType(kind: string): kind is TunnelType {
  return kind === "gre" || kind === "gretap" || kind === "ip6gre" || kind === "ip6gretap";
}

/** What a GRE link does, as the kernel holds it. */
export interface Tunnel {
  readonly type: TunnelType;
  /** Outer addresses, 4 or 16 bytes; all zero = any. */
  readonly local: Uint8Array;
  readonly remote: Uint8Array;
  /** Key demanded of what comes in, and put on what goes out; null = none. */
  readonly ikey: number | null;
  readonly okey: number | null;
  /** Outer TTL or hop limit; 0 = that of the packet inside. */
  readonly ttl: number;
  /** Outer TOS or traffic class; 1 = that of the packet inside. */
  readonly tos: number;
  /** Don't Fragment is set on the outer packet (IPv4). */
  readonly pmtudisc: boolean;
  /** Sends despite the inner packet's Don't Fragment (gretap). */
  readonly ignoreDf: boolean;
  /** Checksums are sent and demanded. */
  readonly csum: boolean;
  /** Sequence numbers are sent and demanded. */
  readonly seq: boolean;
  /** Index of the device that the outer packets are bound to; null = wherever the route leads. */
  readonly link: number | null;
  /** Tunnel encapsulation limit option (RFC 2473 §4.1.1, IPv6 only); null = not sent. */
  readonly encapLimit: number | null;
}

/** A tunnel to make. What is left out: no key, ttl 64, tos 0, pmtudisc on, no encapsulation limit. */
export interface TunnelSpec extends Partial<Omit<Tunnel, "type" | "local" | "remote">> {
  readonly name: string;
  readonly type: TunnelType;
  readonly local: Uint8Array;
  readonly remote: Uint8Array;
  /** Bytes; default: what the kernel computes. */
  readonly mtu?: number;
  /** Of a tap; default: random. */
  readonly mac?: Uint8Array;
}

/** Reads the INFO_DATA of a GRE link. */
export function decodeTunnel(type: TunnelType, data: AttributeCursor): Tunnel {
  const six = type.startsWith("ip6");
  const size = six ? 16 : 4;
  let local: Uint8Array = new Uint8Array(size);
  let remote: Uint8Array = new Uint8Array(size);
  let iflags = 0;
  let oflags = 0;
  let ikey = 0;
  let okey = 0;
  let ttl = 0;
  let tos = 0;
  let flowinfo = 0;
  let flags = 0;
  let pmtudisc = false;
  let ignoreDf = false;
  let link = 0;
  let encapLimit = 0;
  while (data.next()) {
    switch (data.type) {
      case IFLA_GRE_LINK:
        link = data.u32();
        break;
      case IFLA_GRE_IFLAGS:
        iflags = data.be16();
        break;
      case IFLA_GRE_OFLAGS:
        oflags = data.be16();
        break;
      case IFLA_GRE_IKEY:
        ikey = data.be32();
        break;
      case IFLA_GRE_OKEY:
        okey = data.be32();
        break;
      case IFLA_GRE_LOCAL:
        local = data.bytes();
        break;
      case IFLA_GRE_REMOTE:
        remote = data.bytes();
        break;
      case IFLA_GRE_TTL:
        ttl = data.u8();
        break;
      case IFLA_GRE_TOS:
        tos = data.u8();
        break;
      case IFLA_GRE_PMTUDISC:
        pmtudisc = data.u8() !== 0;
        break;
      case IFLA_GRE_IGNORE_DF:
        ignoreDf = data.u8() !== 0;
        break;
      case IFLA_GRE_ENCAP_LIMIT:
        encapLimit = data.u8();
        break;
      case IFLA_GRE_FLOWINFO:
        flowinfo = data.be32();
        break;
      case IFLA_GRE_FLAGS:
        flags = data.u32();
        break;
    }
  }
  if (six) tos = flags & IP6_TNL_F_USE_ORIG_TCLASS ? 1 : flowinfo >>> 20 & 0xff;
  return {
    type,
    local,
    remote,
    ikey: iflags & GRE_KEY ? ikey : null,
    okey: oflags & GRE_KEY ? okey : null,
    ttl,
    tos,
    pmtudisc,
    ignoreDf,
    csum: (iflags & oflags & GRE_CSUM) !== 0,
    seq: (iflags & oflags & GRE_SEQ) !== 0,
    link: link === 0 ? null : link,
    encapLimit: six && !(flags & IP6_TNL_F_IGN_ENCAP_LIMIT) ? encapLimit : null,
  };
}

/** Writes INFO_DATA's attributes. Throws RangeError when the addresses do not fit the type. */
function writeTunnel(builder: MessageBuilder, spec: TunnelSpec): MessageBuilder {
  const six = spec.type.startsWith("ip6");
  const size = six ? 16 : 4;
  if (spec.local.length !== size || spec.remote.length !== size) {
    throw new RangeError(
      `Cannot encode ${spec.type} tunnel ${spec.name}: its addresses must have ${size} bytes`,
    );
  }
  if ((spec.tos ?? 0) > 0xff) {
    throw new RangeError(`Cannot encode tos ${spec.tos} of tunnel ${spec.name}: it is 0 to 255`);
  }
  const common = (spec.csum ? GRE_CSUM : 0) | (spec.seq ? GRE_SEQ : 0);
  const ikey = spec.ikey ?? null;
  const okey = spec.okey ?? null;
  const tos = spec.tos ?? 0;
  builder.attrBe16(IFLA_GRE_IFLAGS, common | (ikey === null ? 0 : GRE_KEY));
  builder.attrBe16(IFLA_GRE_OFLAGS, common | (okey === null ? 0 : GRE_KEY));
  builder.attrBe32(IFLA_GRE_IKEY, ikey ?? 0);
  builder.attrBe32(IFLA_GRE_OKEY, okey ?? 0);
  builder.attrBytes(IFLA_GRE_LOCAL, spec.local);
  builder.attrBytes(IFLA_GRE_REMOTE, spec.remote);
  builder.attrU8(IFLA_GRE_TTL, spec.ttl ?? 64);
  builder.attrU32(IFLA_GRE_LINK, spec.link ?? 0);
  if (six) {
    const limit = spec.encapLimit ?? null;
    builder.attrU8(IFLA_GRE_ENCAP_LIMIT, limit ?? 0);
    builder.attrBe32(IFLA_GRE_FLOWINFO, tos === 1 ? 0 : tos << 20);
    builder.attrU32(
      IFLA_GRE_FLAGS,
      (limit === null ? IP6_TNL_F_IGN_ENCAP_LIMIT : 0) | (tos === 1 ? IP6_TNL_F_USE_ORIG_TCLASS : 0),
    );
  } else {
    builder.attrU8(IFLA_GRE_TOS, tos);
    builder.attrU8(IFLA_GRE_PMTUDISC, spec.pmtudisc === false ? 0 : 1);
    if (spec.ignoreDf !== undefined) builder.attrU8(IFLA_GRE_IGNORE_DF, spec.ignoreDf ? 1 : 0);
  }
  return builder;
}

function writeLinkPart(builder: MessageBuilder, spec: TunnelSpec): MessageBuilder {
  if (spec.mtu !== undefined) builder.attrU32(IFLA_MTU, spec.mtu);
  if (spec.mac) builder.attrBytes(IFLA_ADDRESS, spec.mac);
  return builder;
}

/** Request for a GRE link. Throws RangeError for what does not fit. */
export function createTunnelRequest(spec: TunnelSpec): NetlinkRequest {
  const builder = writeTunnel(beginLink(spec.name, spec.type), spec).end().end();
  return newLinkRequest(writeLinkPart(builder, spec), `create ${spec.type} tunnel ${spec.name}`);
}

/** Request that gives the GRE link with this index the parameters of `spec`; its type cannot change. */
export function changeTunnelRequest(index: number, spec: TunnelSpec): NetlinkRequest {
  const builder = ifinfomsg(index).nest(IFLA_LINKINFO).attrText(IFLA_INFO_KIND, spec.type).nest(
    IFLA_INFO_DATA,
  );
  return {
    type: RTM_NEWLINK,
    flags: 0,
    name: "RTM_NEWLINK",
    doing: `change ${spec.type} tunnel ${spec.name}`,
    payload: writeLinkPart(writeTunnel(builder, spec).end().end(), spec).finish(),
  };
}
