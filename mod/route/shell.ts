/**
 * Routes and rules in the kernel, by rtnetlink.
 *
 * @module
 */
import { BPF, type FilterInstruction } from "../../lib/libc/mod.ts";
import { EEXIST, ENODEV, ENOENT, ESRCH, type SyscallError } from "../../lib/libc/mod.ts";
import {
  addRouteRequest,
  addRuleRequest,
  FLAGS_AT,
  listenFiltered,
  listRoutes,
  type NetlinkConnection,
  type NetlinkListener,
  type NetlinkRequest,
  NLM_F_REPLACE,
  parseRouteEvent,
  removeRouteRequest,
  removeRuleRequest,
  RTM_DELROUTE,
  RTM_NEWROUTE,
  RTMSG_AT,
  RTNLGRP,
  TYPE_AT,
} from "../../lib/netlink/mod.ts";
import type { Item, Outcome, Surroundings } from "./model.ts";
import { ROUTE_PROTOCOL, routeKey, ruleKey } from "./plan.ts";

/** Requests are built once: at a fail-over they only have to be sent. */
const putRequests = new WeakMap<Item, NetlinkRequest>();

function putRequest(item: Item): NetlinkRequest {
  let request = putRequests.get(item);
  if (request === undefined) {
    request = item.kind === "route" ? addRouteRequest(item.spec) : addRuleRequest(item.spec);
    putRequests.set(item, request);
  }
  return request;
}

/** Builds the requests of items that will be put some day. */
export function prepareItems(items: readonly Item[]): void {
  for (const item of items) putRequest(item);
}

function removeRequest(item: Item): NetlinkRequest {
  return item.kind === "route" ? removeRouteRequest(item.spec) : removeRuleRequest(item.spec);
}

/** What became of one that was put, and one that could not be removed. */
export interface Changed {
  readonly outcomes: readonly { readonly item: Item; readonly outcome: Outcome }[];
  readonly stuck: readonly SyscallError[];
}

/** Removes items, the last first, and puts others, the first first, in one batch. */
export function changeItems(
  connection: NetlinkConnection,
  remove: readonly Item[],
  put: readonly Item[],
): Changed {
  const errors = connection.batch([...remove.toReversed().map(removeRequest), ...put.map(putRequest)]);
  const stuck = errors.slice(0, remove.length).filter((error) => error !== null && !isGone(error));
  const outcomes = put.map((item, index) => {
    const error = errors[remove.length + index]!;
    return { item, outcome: error === null ? ADDED : refusal(connection, item, error) };
  });
  return { outcomes, stuck: stuck as SyscallError[] };
}

const ADDED: Outcome = { type: "added" };
const EXISTING: Outcome = { type: "existing" };

function isGone({ errno }: SyscallError): boolean {
  return errno === ESRCH || errno === ENOENT || errno === ENODEV;
}

function refusal(connection: NetlinkConnection, item: Item, error: SyscallError): Outcome {
  if (error.errno !== EEXIST) return { type: "refused", error: error.message };
  // Of an IPv4 route, which may stand before another, and of a rule the kernel means the very same one.
  if (item.kind === "rule" || item.spec.family === "ipv4") return EXISTING;
  const { family, table = 254 } = item.spec;
  const ours = listRoutes(connection, { family, table, protocol: ROUTE_PROTOCOL });
  if (ours.some((route) => routeKey(route) === item.key)) return EXISTING;
  return {
    type: "refused",
    error: `${error.message}: another program has a route with the same metric in its place`,
  };
}

/** Removes such of these items as are there exactly as they are here; returns what was removed. */
export function removeItems(connection: NetlinkConnection, items: readonly Item[]): string[] {
  if (items.length === 0) return [];
  const ordered = items.toReversed();
  const errors = connection.batch(ordered.map(removeRequest));
  return ordered.filter((_, index) => errors[index] === null).map(({ kind, text }) => `${kind} ${text}`);
}

/** Removes such of these items as an earlier run left in the kernel; returns what was removed. */
export function removeLeftovers(connection: NetlinkConnection, items: readonly Item[]): string[] {
  const ordered = items.toReversed();
  const errors = connection.batch(ordered.map((item) => {
    if (item.kind === "rule") return removeRuleRequest(item.spec);
    // Whichever way it led then.
    const { family, destination = null, metric = null, table = 254 } = item.spec;
    return removeRouteRequest({ family, destination, metric, table, protocol: ROUTE_PROTOCOL });
  }));
  return ordered.filter((_, index) => errors[index] === null).map(({ kind, text }) => `${kind} ${text}`);
}

// --- Hearing ------------------------------------------------------------------------------------------------------

const PROTOCOL_AT = RTMSG_AT + 5;
const REPLACE_SWAPPED = 0x0001;

/**
 * On a router with a full table of the internet most events are not about us: of routes only our own pass, and those
 * that took the place of another.
 */
const FILTER: readonly FilterInstruction[] = [
  [BPF.LOAD_HALF, 0, 0, TYPE_AT],
  [BPF.JUMP_EQUAL, 3, 0, RTM_DELROUTE << 8],
  [BPF.JUMP_EQUAL, 0, 4, RTM_NEWROUTE << 8],
  [BPF.LOAD_HALF, 0, 0, FLAGS_AT],
  [BPF.JUMP_SET, 2, 0, REPLACE_SWAPPED],
  [BPF.LOAD_BYTE, 0, 0, PROTOCOL_AT],
  [BPF.JUMP_EQUAL, 0, 1, ROUTE_PROTOCOL],
  [BPF.RETURN, 0, 0, 0xffff_ffff],
  [BPF.RETURN, 0, 0, 0],
];

/** Opens the socket on which events of routes and rules arrive. */
export function listenRoutes(): NetlinkListener {
  const { IPV4_ROUTE, IPV4_RULE, IPV6_ROUTE, IPV6_RULE } = RTNLGRP;
  const groups = [IPV4_ROUTE, IPV4_RULE, IPV6_ROUTE, IPV6_RULE];
  return listenFiltered(groups, FILTER, "listen to changes of our routes");
}

/** What happened to our routes and rules; `lost` = some events were missed. */
export function drainRoutes(
  listener: NetlinkListener,
): Pick<Surroundings, "gone" | "come" | "replaced"> & { readonly lost: boolean } {
  /** By key whether it is there after the last event about it: one that came and went again is gone. */
  const there = new Map<string, boolean>();
  const replaced: string[] = [];
  const result = listener.drain((message) => {
    const event = parseRouteEvent(message);
    if (event === null) return;
    if (event.type === "rule-gone" || event.type === "rule-new") {
      if (event.rule.protocol === ROUTE_PROTOCOL) there.set(ruleKey(event.rule), event.type === "rule-new");
    } else if (event.type === "route-gone" || event.type === "route-new") {
      const key = routeKey(event.route);
      if (event.route.protocol === ROUTE_PROTOCOL) there.set(key, event.type === "route-new");
      else if (event.type === "route-new" && message.flags & NLM_F_REPLACE) replaced.push(key);
    }
  });
  const keys = [...there.keys()];
  return {
    gone: keys.filter((key) => !there.get(key)),
    come: keys.filter((key) => there.get(key)),
    replaced,
    lost: result === "overrun",
  };
}
