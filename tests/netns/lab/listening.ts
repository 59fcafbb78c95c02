/**
 * A listener of kernel events, and changes for it to hear of, in a namespace of its own.
 *
 * @module
 */
import { createNetns, deleteNetns, inNetns } from "../../../lib/libc/mod.ts";
import {
  createVeth,
  getLink,
  NETLINK_ROUTE,
  NetlinkConnection,
  type NetlinkListener,
} from "../../../lib/netlink/mod.ts";

/** Whether this machine allows it. */
export const canListen = process.getuid?.() === 0;
if (!canListen) console.log("skipped: not root, so no network namespaces");

export class Listening {
  readonly connection: NetlinkConnection;
  readonly listener: NetlinkListener;
  /** Of `eth0`, whose other end is `peer0`. */
  readonly ifindex: number;
  readonly #name: string;

  /** @param theme A part of the namespace's name. */
  constructor(theme: string, listen: () => NetlinkListener) {
    this.#name = `apl${theme}${process.pid}`;
    createNetns(this.#name);
    [this.connection, this.ifindex, this.listener] = inNetns(this.#name, () => {
      const connection = new NetlinkConnection(NETLINK_ROUTE);
      createVeth(connection, "eth0", "peer0");
      return [connection, getLink(connection, "eth0")!.index, listen()];
    });
  }

  close(): void {
    this.connection.close();
    this.listener.close();
    deleteNetns(this.#name);
  }
}
