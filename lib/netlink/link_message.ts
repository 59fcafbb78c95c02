/**
 * What the link requests share: struct ifinfomsg, names, and the frame around a kind's own attributes. Pure.
 *
 * @module
 */
import { MessageBuilder } from "./builder.ts";
import { type NetlinkRequest, NLM_F_CREATE, NLM_F_EXCL } from "./codec.ts";

export const RTM_NEWLINK = 16;
export const RTM_DELLINK = 17;
export const RTM_GETLINK = 18;

/** Bytes of struct ifinfomsg. */
export const IFINFO = 16;

export const IFLA_ADDRESS = 1;
export const IFLA_IFNAME = 3;
export const IFLA_MTU = 4;
export const IFLA_LINK = 5;
export const IFLA_MASTER = 10;
export const IFLA_OPERSTATE = 16;
export const IFLA_LINKINFO = 18;
export const IFLA_IFALIAS = 20;
export const IFLA_AF_SPEC = 26;
export const IFLA_GROUP = 27;
export const IFLA_NET_NS_FD = 28;
export const IFLA_EXT_MASK = 29;
export const IFLA_INFO_KIND = 1;
export const IFLA_INFO_DATA = 2;
export const IFLA_MACVLAN_MODE = 1;

/** macvlan modes and their numbers. */
export const MACVLAN_MODES = { private: 1, vepa: 2, bridge: 4, passthru: 8 } as const;

/** How macvlans of one base see each other. */
export type MacvlanMode = keyof typeof MACVLAN_MODES;

/** A name that the kernel takes for an interface. Throws RangeError. */
export function interfaceName(name: string): string {
  if (!/^[^\s/:]{1,15}$/.test(name) || name === "." || name === "..") {
    throw new RangeError(
      `Cannot use "${name}" as an interface name: 1 to 15 characters, no space, "/" or ":"`,
    );
  }
  return name;
}

/** struct ifinfomsg. */
export function ifinfomsg(index: number = 0, flags: number = 0, change: number = 0): MessageBuilder {
  return new MessageBuilder(256).u8(0).u8(0).u16(0).i32(index).u32(flags).u32(change);
}

/** Begins a new link: its name and kind, INFO_DATA open; close with {@link newLinkRequest}. */
export function beginLink(name: string, kind: string): MessageBuilder {
  return ifinfomsg().attrText(IFLA_IFNAME, interfaceName(name)).nest(IFLA_LINKINFO).attrText(
    IFLA_INFO_KIND,
    kind,
  )
    .nest(IFLA_INFO_DATA);
}

/** Closes what {@link beginLink} began. */
export function newLinkRequest(builder: MessageBuilder, doing: string): NetlinkRequest {
  return {
    type: RTM_NEWLINK,
    flags: NLM_F_CREATE | NLM_F_EXCL,
    name: "RTM_NEWLINK",
    doing,
    payload: builder.finish(),
  };
}
