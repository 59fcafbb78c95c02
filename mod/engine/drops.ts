/**
 * Drop reasons in words.
 *
 * @module
 */
import type { DropReason } from "../bus/messages.ts";

/** Why a packet was ignored, as the rest of "ignored a packet from 10.0.0.2: …". */
export const DROP_TEXTS: Readonly<Record<DropReason, string>> = {
  truncated: "it is shorter than a VRRP header",
  length: "its IP length is wrong",
  version: "it is of another VRRP version",
  type: "it is no advertisement",
  checksum: "its checksum is wrong",
  ttl: "its TTL is not 255",
  vrid: "its VRID is not ours",
  auth: "its authentication differs from ours",
  interval: "its advertisement interval differs from ours (version 2 requires the same on all routers)",
  count: "its length does not fit its address count",
  mode: "it is multicast where unicast is configured, or the other way round",
  peer: "its sender is not among the configured peers",
  own: "it bears our own source address: is it configured on two routers?",
  owner: "its sender claims to own the addresses (priority 255), as we do",
};
