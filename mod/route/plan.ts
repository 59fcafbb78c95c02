/**
 * From routes and rules as configured to those of the kernel. Pure.
 *
 * @module
 */
import type { Route, RouteSpec, Rule, RuleSpec } from "../../lib/netlink/mod.ts";
import { formatAddress, formatPrefix, parseAddress, parsePrefix, type Prefix } from "../../lib/packet/mod.ts";
import type { RouteConfig, RuleConfig } from "./config.ts";
import type { Item, RouteItem, RuleItem } from "./model.ts";

/** Who made our routes and rules, for the kernel (rtm_protocol): the number that VRRP has among IP protocols. */
export const ROUTE_PROTOCOL = 112;

const TABLE_MAIN = 254;
const TABLE_NAMES: Readonly<Record<number, string>> = { 253: "default", 254: "main", 255: "local" };
const SCOPE_NAMES: Readonly<Record<number, string>> = {
  0: "global",
  200: "site",
  253: "link",
  254: "host",
  255: "nowhere",
};
/** Metric of an IPv6 route for which none was wanted. */
const IPV6_METRIC = 1024;
const WHOLE_MARK = 0xffff_ffff;

/** What can be put, and what waits for an interface, in words. */
export interface Plan {
  readonly items: readonly Item[];
  readonly absent: readonly string[];
}

/** Resolves names of interfaces; null = there is none of that name. */
export type IndexOf = (name: string) => number | null;

function tableName(table: number): string {
  return TABLE_NAMES[table] ?? String(table);
}

/** A route as `ip route` would say it. */
export function routeText(route: RouteConfig): string {
  const words: string[] = route.type === "unicast" ? [] : [route.type];
  words.push(route.to ?? (route.family === "ipv6" ? "default (IPv6)" : "default"));
  if (route.via !== null) words.push("via", route.via);
  if (route.dev !== null) words.push("dev", route.dev);
  if (route.metric !== null) words.push("metric", String(route.metric));
  if (route.table !== TABLE_MAIN) words.push("table", tableName(route.table));
  if (route.source !== null) words.push("src", route.source);
  if (route.scope !== null) words.push("scope", SCOPE_NAMES[route.scope] ?? String(route.scope));
  if (route.onlink) words.push("onlink");
  if (route.mtu !== null) words.push("mtu", String(route.mtu));
  for (const { via, dev, weight, onlink } of route.nexthops) {
    words.push("nexthop");
    if (via !== null) words.push("via", via);
    if (dev !== null) words.push("dev", dev);
    words.push("weight", String(weight));
    if (onlink) words.push("onlink");
  }
  return words.join(" ");
}

/** A rule as `ip rule` would say it. */
export function ruleText(rule: RuleConfig): string {
  const words = [`${rule.priority}:`];
  if (rule.family === "ipv6" && rule.from === null && rule.to === null) words.push("(IPv6)");
  if (rule.invert) words.push("not");
  words.push("from", rule.from ?? "all");
  if (rule.to !== null) words.push("to", rule.to);
  if (rule.tos !== 0) words.push("tos", String(rule.tos));
  if (rule.fwmark !== null) {
    const mask = rule.fwmask === WHOLE_MARK || rule.fwmask === null ? "" : `/0x${rule.fwmask.toString(16)}`;
    words.push("fwmark", `0x${rule.fwmark.toString(16)}${mask}`);
  }
  if (rule.iif !== null) words.push("iif", rule.iif);
  if (rule.oif !== null) words.push("oif", rule.oif);
  if (rule.ipProtocol !== null) words.push("ipproto", String(rule.ipProtocol));
  if (rule.table !== null) words.push("lookup", tableName(rule.table));
  if (rule.suppressPrefix !== null) words.push("suppress_prefixlength", String(rule.suppressPrefix));
  if (rule.action !== "lookup") words.push(rule.action);
  return words.join(" ");
}

/** What the kernel tells a route from others by. */
export function routeKey(route: Pick<Route, "family" | "destination" | "metric" | "table">): string {
  const metric = route.metric ?? (route.family === "ipv6" ? IPV6_METRIC : 0);
  const to = route.destination === null ? "default" : formatPrefix(route.destination);
  return `route ${route.family} ${to} ${metric} ${route.table}`;
}

/** What the kernel tells a rule from others by: all of it. */
export function ruleKey(rule: Omit<Rule, "protocol">): string {
  const prefix = (value: Prefix | null) => value === null ? "all" : formatPrefix(value);
  return [
    "rule",
    rule.family,
    rule.priority,
    rule.action,
    rule.action === "lookup" ? rule.table : 0,
    prefix(rule.from),
    prefix(rule.to),
    rule.iif,
    rule.oif,
    rule.fwmark ?? 0,
    rule.fwmark === null ? 0 : rule.fwmask ?? WHOLE_MARK,
    rule.tos,
    rule.ipProtocol ?? 0,
    rule.invert,
    rule.suppressPrefix ?? -1,
  ].join(" ");
}

function networkOf(text: string | null): Prefix | null {
  return text === null ? null : parsePrefix(text);
}

function addressOf(text: string | null): Uint8Array | null {
  return text === null ? null : parseAddress(text);
}

function routeItem(route: RouteConfig, indexOf: IndexOf): RouteItem | string {
  const absent = devicesOf(route).find((name) => indexOf(name) === null);
  if (absent !== undefined) return absent;
  const index = (name: string | null) => name === null ? null : indexOf(name);
  const nexthops = route.nexthops.map(({ via, dev, weight, onlink }) => ({
    gateway: addressOf(via),
    ifindex: index(dev),
    weight,
    onlink,
  }));
  const { family, type, metric, table, onlink, mtu } = route;
  const destination = networkOf(route.to);
  const spec: RouteSpec = {
    family,
    destination,
    type,
    gateway: addressOf(route.via),
    ifindex: index(route.dev),
    metric,
    table,
    source: addressOf(route.source),
    ...(route.scope === null ? {} : { scope: route.scope }),
    protocol: ROUTE_PROTOCOL,
    onlink,
    mtu,
    nexthops,
    // What another program has put there for the same destination and metric is not ours to remove: it waits behind.
    ...(family === "ipv4" ? { prepend: true } : {}),
    ...(route.dev === null ? {} : { device: route.dev }),
  };
  const ways = nexthops.length > 0 ? nexthops : [{ ifindex: spec.ifindex ?? null }];
  const ifindexes = ways.flatMap(({ ifindex }) => ifindex === null ? [] : [ifindex]);
  return {
    kind: "route",
    key: routeKey({ family, destination, metric, table }),
    text: routeText(route),
    spec,
    ifindexes: ifindexes.length === ways.length ? ifindexes : [],
  };
}

/** Interfaces that a route names. */
function devicesOf(route: RouteConfig): readonly string[] {
  return [route.dev, ...route.nexthops.map(({ dev }) => dev)].filter((dev) => dev !== null);
}

function ruleItem(rule: RuleConfig): RuleItem {
  const from = networkOf(rule.from);
  const to = networkOf(rule.to);
  const whole = { ...rule, from, to, table: rule.table ?? 0 };
  const spec: RuleSpec = { ...whole, protocol: ROUTE_PROTOCOL };
  return { kind: "rule", key: ruleKey(whole), text: ruleText(rule), spec };
}

/** The items of these routes and rules, in the order in which they are put: routes first. */
export function planItems(
  routes: readonly RouteConfig[],
  rules: readonly RuleConfig[],
  indexOf: IndexOf,
): Plan {
  const items: Item[] = [];
  const absent: string[] = [];
  for (const route of routes) {
    const item = routeItem(route, indexOf);
    if (typeof item !== "string") items.push(item);
    else absent.push(`Cannot add route ${routeText(route)}: interface ${item} does not exist`);
  }
  for (const rule of rules) items.push(ruleItem(rule));
  return { items, absent };
}

/** The text of a route's preferred source, or null. */
export function sourceOf(item: Item): string | null {
  return item.kind === "route" && item.spec.source ? formatAddress(item.spec.source) : null;
}
