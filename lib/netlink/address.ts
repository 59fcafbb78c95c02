/**
 * IP addresses on interfaces: as rtnetlink shows them, and the requests that add, renew and remove them. Pure.
 *
 * @module
 */
import { type AddressFamily, familyOf, formatPrefix } from "../packet/address.ts";
import { MessageBuilder } from "./builder.ts";
import {
  AttributeCursor,
  type NetlinkMessage,
  type NetlinkRequest,
  NLM_F_CREATE,
  NLM_F_EXCL,
  NLM_F_REPLACE,
} from "./codec.ts";
import { AF, familyFromNumber } from "./family.ts";

export const RTM_NEWADDR = 20;
export const RTM_DELADDR = 21;
export const RTM_GETADDR = 22;

export const IFA_F_NODAD = 0x02;
export const IFA_F_DADFAILED = 0x08;
export const IFA_F_TENTATIVE = 0x40;
export const IFA_F_PERMANENT = 0x80;
export const IFA_F_NOPREFIXROUTE = 0x200;

export const RT_SCOPE_UNIVERSE = 0;
export const RT_SCOPE_LINK = 253;
export const RT_SCOPE_HOST = 254;

/** Bytes of struct ifaddrmsg. */
const IFADDRMSG = 8;
const IFA_ADDRESS = 1;
const IFA_LOCAL = 2;
const IFA_LABEL = 3;
const IFA_BROADCAST = 4;
const IFA_CACHEINFO = 6;
const IFA_FLAGS = 8;
const FOREVER = 0xffff_ffff;
const LABEL_MAX = 15;

/** An address of an interface. */
export interface Address {
  readonly ifindex: number;
  readonly family: AddressFamily;
  /** What the prefix is about: the same as `local`, but the far end on a point-to-point link. */
  readonly address: Uint8Array;
  /** The address that this machine answers for. */
  readonly local: Uint8Array;
  /** Bits. */
  readonly prefix: number;
  /** IPv4 only. */
  readonly label: string | null;
  /** RT_SCOPE_… */
  readonly scope: number;
  readonly broadcast: Uint8Array | null;
  /** IFA_F_… bits. */
  readonly flags: number;
  /** Seconds until the kernel removes it; null = never. */
  readonly validS: number | null;
  /** Seconds until it is no longer chosen as a source; null = never. */
  readonly preferredS: number | null;
}

/** Reads an RTM_NEWADDR or RTM_DELADDR; null when it is malformed or of another family. */
export function decodeAddress(message: NetlinkMessage): Address | null {
  const { payload } = message;
  if (message.type !== RTM_NEWADDR && message.type !== RTM_DELADDR) return null;
  const family = familyFromNumber(payload[0]);
  if (payload.length < IFADDRMSG || family === null) return null;
  const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
  let address: Uint8Array | null = null;
  let local: Uint8Array | null = null;
  let label: string | null = null;
  let broadcast: Uint8Array | null = null;
  let flags = view.getUint8(2);
  let valid = FOREVER;
  let preferred = FOREVER;
  const attributes = new AttributeCursor(payload, IFADDRMSG);
  while (attributes.next()) {
    switch (attributes.type) {
      case IFA_ADDRESS:
        address = attributes.bytes();
        break;
      case IFA_LOCAL:
        local = attributes.bytes();
        break;
      case IFA_LABEL:
        label = attributes.text();
        break;
      case IFA_BROADCAST:
        broadcast = attributes.bytes();
        break;
      case IFA_FLAGS:
        flags = attributes.u32();
        break;
      case IFA_CACHEINFO:
        preferred = attributes.u32(0);
        valid = attributes.u32(4);
        break;
    }
  }
  address ??= local;
  local ??= address;
  const size = family === "ipv4" ? 4 : 16;
  if (!attributes.ok || address?.length !== size || local?.length !== size) return null;
  if (view.getUint8(1) > size * 8) return null;
  return {
    ifindex: view.getUint32(4, true),
    family,
    address,
    local,
    prefix: view.getUint8(1),
    label,
    scope: view.getUint8(3),
    broadcast,
    flags,
    validS: valid === FOREVER ? null : valid,
    preferredS: preferred === FOREVER ? null : preferred,
  };
}

/** Which address on which interface. */
export interface AddressTarget {
  readonly ifindex: number;
  /** 4 or 16 bytes. */
  readonly address: Uint8Array;
  /** Bits. */
  readonly prefix: number;
  /** The far end of a point-to-point link. */
  readonly peer?: Uint8Array;
  /** Name of the interface, for errors. */
  readonly device?: string;
}

/** An address to add. */
export interface AddressSpec extends AddressTarget {
  /** IPv4 only, 15 characters; the interface's name, or that and `:something`. */
  readonly label?: string;
  /** RT_SCOPE_…; default universe. */
  readonly scope?: number;
  readonly broadcast?: Uint8Array;
  /** Seconds, at least 1, until the kernel removes it by itself; null (default) = never. */
  readonly validS?: number | null;
  /** Seconds until it is no longer chosen as a source (0 = at once); default: `validS`. */
  readonly preferredS?: number | null;
  /** IPv6: usable at once, without duplicate address detection. */
  readonly noDad?: boolean;
  /** No route to the prefix comes with it. */
  readonly noPrefixRoute?: boolean;
  /** When it is there already, give it these lifetimes instead of failing with EEXIST. */
  readonly replace?: boolean;
}

function begin(target: AddressTarget, scope: number): MessageBuilder {
  const { address, peer } = target;
  const family = familyOf(address);
  if (target.prefix > address.length * 8) {
    throw new RangeError(`Cannot encode prefix length ${target.prefix} of an ${family} address`);
  }
  if (peer && peer.length !== address.length) throw new RangeError("Cannot encode a peer of another family");
  return new MessageBuilder(96).u8(AF[family]).u8(target.prefix).u8(0).u8(scope).u32(target.ifindex)
    .attrBytes(IFA_LOCAL, address).attrBytes(IFA_ADDRESS, peer ?? address);
}

function place(target: AddressTarget): string {
  return target.device ?? `interface ${target.ifindex}`;
}

/** Request that adds an address, or renews it with `replace`. May be kept and sent again. Throws RangeError. */
export function addAddressRequest(spec: AddressSpec): NetlinkRequest {
  const builder = begin(spec, spec.scope ?? RT_SCOPE_UNIVERSE);
  if (spec.label !== undefined) {
    if (spec.label.length > LABEL_MAX) {
      throw new RangeError(`Cannot encode label "${spec.label}": at most 15 characters`);
    }
    builder.attrText(IFA_LABEL, spec.label);
  }
  if (spec.broadcast) builder.attrBytes(IFA_BROADCAST, spec.broadcast);
  const flags = (spec.noDad ? IFA_F_NODAD : 0) | (spec.noPrefixRoute ? IFA_F_NOPREFIXROUTE : 0);
  if (flags !== 0) builder.attrU32(IFA_FLAGS, flags);
  const valid = spec.validS ?? FOREVER;
  const preferred = spec.preferredS === undefined ? valid : spec.preferredS ?? FOREVER;
  if (valid < 1 || preferred > valid) {
    throw new RangeError(`Cannot encode lifetimes of ${preferred} s preferred and ${valid} s valid`);
  }
  if (preferred !== FOREVER || valid !== FOREVER || spec.replace) {
    builder.nest(IFA_CACHEINFO, false).u32(preferred).u32(valid).u32(0).u32(0).end();
  }
  return {
    type: RTM_NEWADDR,
    flags: NLM_F_CREATE | (spec.replace ? NLM_F_REPLACE : NLM_F_EXCL),
    name: "RTM_NEWADDR",
    doing: `${spec.replace ? "set" : "add"} ${formatPrefix(spec)} ${spec.replace ? "on" : "to"} ${
      place(spec)
    }`,
    payload: builder.finish(),
  };
}

/**
 * Request that removes an address. When the first IPv4 address of a subnet goes, the kernel takes the others of that
 * subnet with it unless sysctl promote_secondaries is set.
 */
export function removeAddressRequest(target: AddressTarget): NetlinkRequest {
  return {
    type: RTM_DELADDR,
    flags: 0,
    name: "RTM_DELADDR",
    doing: `remove ${formatPrefix(target)} from ${place(target)}`,
    payload: begin(target, RT_SCOPE_UNIVERSE).finish(),
  };
}

/** Request for the addresses of all interfaces, or of one. */
export function listAddressesRequest(
  filter: { readonly family?: AddressFamily; readonly ifindex?: number } = {},
): NetlinkRequest {
  return {
    type: RTM_GETADDR,
    flags: 0,
    name: "RTM_GETADDR",
    doing: "list addresses",
    payload: new MessageBuilder(16).u8(filter.family ? AF[filter.family] : 0).zero(3).u32(filter.ifindex ?? 0)
      .finish(),
  };
}
