/**
 * What iproute2 and keepalived have on a line of a route or rule and this version does not: said by its name, for the
 * nearest of our words would be a bad advice.
 *
 * @module
 */

const OUT = "leave it out";
const MARKED = "leave it out: the daemon's own are marked as of protocol 112";

/** Words of a route, and what to do about them. */
export const FOREIGN_ROUTE_WORDS: Readonly<Record<string, string>> = {
  proto: MARKED,
  protocol: MARKED,
  tos: "leave it out, and choose the packets by `tos` in a rule",
  dsfield: "leave it out, and choose the packets by `tos` in a rule",
  vrf: "write `table` with the number of its table",
  nhid: "write `via` and `dev`, or `nexthop`s",
  from: "leave it out, and choose the packets by `from` in a rule",
  encap: OUT,
  advmss: OUT,
  as: OUT,
  rtt: OUT,
  rttvar: OUT,
  reordering: OUT,
  window: OUT,
  cwnd: OUT,
  initcwnd: OUT,
  initrwnd: OUT,
  ssthresh: OUT,
  realms: OUT,
  realm: OUT,
  rto_min: OUT,
  hoplimit: OUT,
  features: OUT,
  quickack: OUT,
  congctl: OUT,
  pref: OUT,
  expires: OUT,
  fastopen_no_cookie: OUT,
  "ttl-propagate": OUT,
  pervasive: OUT,
  no_track: "leave it out: what is lost is put back, and changes nothing else",
  track_group: "leave it out: what is lost is put back, and changes nothing else",
};

/** Words of a rule, and what to do about them. */
export const FOREIGN_RULE_WORDS: Readonly<Record<string, string>> = {
  protocol: MARKED,
  proto: MARKED,
  sport: OUT,
  dport: OUT,
  uidrange: OUT,
  realms: OUT,
  realm: OUT,
  nat: OUT,
  goto: "write `table`",
  nop: OUT,
  type: OUT,
  l3mdev: "write `table` with the number of the VRF's table",
  tun_id: OUT,
  suppress_ifgroup: OUT,
  no_track: "leave it out: what is lost is put back, and changes nothing else",
  track_group: "leave it out: what is lost is put back, and changes nothing else",
};

/** Types of routes that iproute2 knows and nobody wants here. */
export const FOREIGN_TYPES: readonly string[] = ["local", "broadcast", "anycast", "multicast", "nat"];
