import { afterAll, beforeAll, expect, test } from "bun:test";
import {
  genericRequest,
  NETLINK_GENERIC,
  NetlinkConnection,
  parseGeneric,
  resolveFamily,
} from "../../../lib/netlink/mod.ts";
import { describeGuest } from "./guest.ts";

// linux/ip_vs.h
const IPVS_CMD_GET_INFO = 15;
const IPVS_INFO_ATTR_VERSION = 1;
const IPVS_INFO_ATTR_CONN_TAB_SIZE = 2;

let netlink: NetlinkConnection;

describeGuest("IPVS over generic netlink", () => {
  beforeAll(() => {
    netlink = new NetlinkConnection(NETLINK_GENERIC);
  }, 30_000);
  afterAll(() => netlink?.close());

  test("its family resolves", () => {
    const family = resolveFamily(netlink, "IPVS");
    expect(family).toMatchObject({ name: "IPVS", version: 1 });
    expect(family!.id).toBeGreaterThanOrEqual(16);
  });

  test("a family that does not exist does not", () => {
    expect(resolveFamily(netlink, "NO_SUCH_FAMILY")).toBeNull();
  });

  test("it says its version and its table's size", () => {
    const request = genericRequest(resolveFamily(netlink, "IPVS")!, {
      command: IPVS_CMD_GET_INFO,
      name: "IPVS_CMD_GET_INFO",
      doing: "ask IPVS for its version",
    });
    const told = new Map<number, number>();
    for (const message of netlink.request(request)) {
      const attributes = parseGeneric(message)!.attributes;
      while (attributes.next()) told.set(attributes.type, attributes.u32());
    }
    // 1.2.1, the same for years.
    expect(told.get(IPVS_INFO_ATTR_VERSION)).toBe(0x010201);
    expect(told.get(IPVS_INFO_ATTR_CONN_TAB_SIZE)).toBe(4096);
  });
});
