/** `own_tables.ts NAME...`: makes nftables tables that only this process may change, says `ready` and holds them until it ends. */
import {
  beginRequest,
  endRequest,
  NETLINK_NETFILTER,
  NetlinkConnection,
  newTableRequest,
} from "../../../../lib/netlink/mod.ts";

const doing = "make tables";
const connection = new NetlinkConnection(NETLINK_NETFILTER);
const tables = process.argv.slice(2).map((name) => newTableRequest(name, true));
connection.transaction(beginRequest(doing), tables, endRequest(doing));
console.log("ready");
setInterval(() => connection, 60_000);
