/**
 * Generic netlink: kernel interfaces found by name (linux/genetlink.h).
 *
 * @module
 */
import { ENOENT, SyscallError } from "../libc/mod.ts";
import { MessageBuilder } from "./builder.ts";
import { AttributeCursor, type NetlinkMessage, type NetlinkRequest } from "./codec.ts";
import type { NetlinkConnection } from "./conn.ts";

const GENL_ID_CTRL = 16;
const CTRL_CMD_GETFAMILY = 3;
const CTRL_ATTR_FAMILY_ID = 1;
const CTRL_ATTR_FAMILY_NAME = 2;
const CTRL_ATTR_VERSION = 3;
const CTRL_ATTR_MCAST_GROUPS = 7;
const CTRL_ATTR_MCAST_GRP_NAME = 1;
const CTRL_ATTR_MCAST_GRP_ID = 2;
/** Bytes of struct genlmsghdr. */
const GENL_HEADER = 4;

/** A kernel interface and the numbers that it has until the next boot. */
export interface GenericFamily {
  readonly name: string;
  /** nlmsg_type of its messages. */
  readonly id: number;
  readonly version: number;
  /** Multicast group numbers by name. */
  readonly groups: Readonly<Record<string, number>>;
}

/** Command, version and attributes of a generic netlink message. */
export interface GenericMessage {
  readonly command: number;
  readonly version: number;
  readonly attributes: AttributeCursor;
}

/** Reads a family's message; null when too short. The cursor reads in place. */
export function parseGeneric(message: NetlinkMessage): GenericMessage | null {
  const { payload } = message;
  if (payload.length < GENL_HEADER) return null;
  return {
    command: payload[0]!,
    version: payload[1]!,
    attributes: new AttributeCursor(payload, GENL_HEADER),
  };
}

/**
 * A request to a family.
 *
 * @param request Its command, name and purpose for errors (`IPVS_CMD_NEW_SERVICE`, `add virtual server …`), and nlmsg_flags.
 * @param write Appends the attributes. RangeErrors pass through.
 */
export function genericRequest(
  family: Pick<GenericFamily, "id" | "version">,
  request: {
    readonly command: number;
    readonly name: string;
    readonly doing: string;
    readonly flags?: number;
  },
  write?: (builder: MessageBuilder) => void,
): NetlinkRequest {
  const builder = new MessageBuilder(256).u8(request.command).u8(family.version).u16(0);
  write?.(builder);
  return {
    type: family.id,
    flags: request.flags ?? 0,
    name: request.name,
    doing: request.doing,
    payload: builder.finish(),
  };
}

/** Reads what CTRL_CMD_GETFAMILY answers; null when malformed. */
export function decodeFamily(message: NetlinkMessage): GenericFamily | null {
  const parsed = parseGeneric(message);
  if (parsed === null || message.type !== GENL_ID_CTRL) return null;
  const { attributes } = parsed;
  let id = 0;
  let name = "";
  let version = 0;
  const groups: Record<string, number> = {};
  while (attributes.next()) {
    switch (attributes.type) {
      case CTRL_ATTR_FAMILY_ID:
        id = attributes.u16();
        break;
      case CTRL_ATTR_FAMILY_NAME:
        name = attributes.text();
        break;
      case CTRL_ATTR_VERSION:
        version = attributes.u32();
        break;
      case CTRL_ATTR_MCAST_GROUPS:
        readGroups(attributes.nested(), groups);
        break;
    }
  }
  return attributes.ok && id !== 0 ? { name, id, version, groups } : null;
}

function readGroups(list: AttributeCursor, groups: Record<string, number>): void {
  while (list.next()) {
    const group = list.nested();
    let name = "";
    let id = 0;
    while (group.next()) {
      if (group.type === CTRL_ATTR_MCAST_GRP_NAME) name = group.text();
      else if (group.type === CTRL_ATTR_MCAST_GRP_ID) id = group.u32();
    }
    if (name !== "") groups[name] = id;
  }
}

/**
 * Finds a family by name; the kernel loads its module if it can. Null when this kernel has none.
 *
 * @param connection One on NETLINK_GENERIC. Throws SyscallError.
 */
export function resolveFamily(connection: NetlinkConnection, name: string): GenericFamily | null {
  const request = genericRequest(
    { id: GENL_ID_CTRL, version: 1 },
    { command: CTRL_CMD_GETFAMILY, name: "CTRL_CMD_GETFAMILY", doing: `find the kernel's ${name} interface` },
    (builder) => builder.attrText(CTRL_ATTR_FAMILY_NAME, name),
  );
  try {
    for (const message of connection.request(request)) {
      const family = decodeFamily(message);
      if (family !== null) return family;
    }
  } catch (error) {
    if (!(error instanceof SyscallError) || error.errno !== ENOENT) throw error;
  }
  return null;
}
