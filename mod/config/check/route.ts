/**
 * Judges routes and rules: of instances and of `static`.
 *
 * @module
 */
import { isLinkLocal } from "../../../lib/packet/address.ts";
import { familyOfRoute, familyOfRule } from "../build_route.ts";
import { find } from "../document.ts";
import type { Path } from "../document.ts";
import type { RawConfig } from "../schema.ts";
import type { Address } from "../schema/base.ts";
import { ROUTE_DEFAULTS, ROUTE_REQUIRED, RULE_DEFAULTS } from "../schema/route.ts";
import type { Network, RawRoute, RawRule } from "../schema/route.ts";
import { isWritten, lineOf, requireKeys } from "./context.ts";
import type { Check } from "./context.ts";

const NAMES = { ipv4: "IPv4", ipv6: "IPv6" } as const;

/** An IPv6 router's link-local address says nothing without the link. */
function checkGateway(check: Check, path: Path, hop: Pick<RawRoute, "via" | "dev" | "onlink">): void {
  const dev = hop.dev !== undefined || isWritten(check, [...path, "dev"]);
  if (hop.via !== undefined && isLinkLocal(hop.via.bytes) && !dev) {
    const what = `is ${hop.via.text}, a link-local address, but no \`dev\` says on which link`;
    check.report({ path: [...path, "via"], what, instead: "add dev" });
  }
  if (hop.onlink === true && (hop.via === undefined || !dev)) {
    const what = "needs a gateway and its interface";
    check.report({ path: [...path, "onlink"], what, instead: "add via and dev", at: "key" });
  }
}

function checkFamily(check: Check, path: Path, address: Address | undefined, family: "ipv4" | "ipv6"): void {
  if (address === undefined || address.family === family) return;
  const what = `is ${address.text}, but the route is one of ${NAMES[family]}`;
  check.report({ path, what, instead: `write an ${NAMES[family]} address` });
}

function checkWays(check: Check, path: Path, route: RawRoute): void {
  const family = familyOfRoute(route);
  const has = (key: string) => isWritten(check, [...path, key]);
  const { type = ROUTE_DEFAULTS.type, nexthops } = route;
  if (route.type === undefined && has("type")) return;
  if (type !== "unicast") {
    for (const key of ["via", "dev", "nexthops", "onlink", "source", "mtu"] as const) {
      if (route[key] === undefined) continue;
      const what = `has no meaning in a route of type ${type}`;
      check.report({ path: [...path, key], what, instead: "remove it", at: "key" });
    }
    return;
  }
  checkFamily(check, [...path, "source"], route.source, family);
  // An IPv4 network may lie behind an IPv6 router (RFC 5549), not the other way round.
  if (family === "ipv6") checkFamily(check, [...path, "via"], route.via, family);
  checkGateway(check, path, route);
  const written = has("via") || has("dev") || has("nexthops");
  const known = route.via !== undefined || route.dev !== undefined || nexthops !== undefined;
  if (!known && !written) {
    const what = "leads nowhere";
    check.report({ path, what, instead: "add via, dev or nexthops", at: "key", doubtful: true });
  }
  if (nexthops === undefined) return;
  for (const key of ["via", "dev"] as const) {
    if (route[key] === undefined) continue;
    const what = "stands beside `nexthops`";
    check.report({ path: [...path, key], what, instead: "keep one of the two", at: "key" });
  }
  nexthops.forEach((hop, index) => {
    if (hop === undefined) return;
    const at = [...path, "nexthops", index];
    checkGateway(check, at, hop);
    if (family === "ipv6") checkFamily(check, [...at, "via"], hop.via, family);
    if (hop.via === undefined && hop.dev === undefined && !isWritten(check, [...at, "via"])) {
      check.report({ path: at, what: "leads nowhere", instead: "add via or dev", at: "key", doubtful: true });
    }
  });
}

function checkRoute(check: Check, path: Path, route: RawRoute): void {
  requireKeys(check, path, ROUTE_REQUIRED);
  if (route.to === undefined && find(check.document.root, path)?.kind === "scalar") {
    check.report({ path, what: "names no destination", instead: ROUTE_REQUIRED.to });
  }
  checkWays(check, path, route);
}

function networkText(network: Network | undefined, family: string): string {
  return network === undefined || network.kind === "all" ? `all of ${family}` : network.text;
}

/** What two routes must not share, or neither can be told from the other when it is removed. */
function routeKey(route: RawRoute): string {
  const family = familyOfRoute(route);
  const metric = route.metric ?? 0;
  const usual = family === "ipv6" && metric === 0 ? 1024 : metric;
  return `${networkText(route.to, family)} ${route.table ?? ROUTE_DEFAULTS.table} ${usual}`;
}

function ruleKey(rule: RawRule): string {
  const { priority = RULE_DEFAULTS.priority, action = RULE_DEFAULTS.action, not = false } = rule;
  const family = familyOfRule(rule);
  const selectors = [
    rule.iif,
    rule.oif,
    rule.fwmark?.mark,
    rule.fwmark?.mask,
    rule.tos ?? 0,
    rule.ip_protocol,
  ];
  return [
    networkText(rule.from, family),
    networkText(rule.to, family),
    priority,
    action,
    rule.table,
    not,
    rule.suppress_prefix,
    ...selectors,
  ].join(" ");
}

function checkRule(check: Check, path: Path, rule: RawRule): void {
  const lookup = (rule.action ?? RULE_DEFAULTS.action) === "lookup";
  const tableWritten = isWritten(check, [...path, "table"]);
  if (lookup && rule.table === undefined && !tableWritten) {
    check.report({
      path,
      what: "has no `table`",
      instead: "name the table to look into",
      at: "key",
      doubtful: true,
    });
  }
  if (!lookup && rule.table !== undefined) {
    const what = `has no meaning beside the action ${rule.action}`;
    check.report({ path: [...path, "table"], what, instead: "remove it", at: "key" });
  }
  const family = familyOfRule(rule);
  if (rule.to?.family !== undefined && rule.to.family !== null && rule.to.family !== family) {
    const what = `is ${networkText(rule.to, "IPv6")}, but the rule is one of ${NAMES[family]}`;
    check.report({ path: [...path, "to"], what, instead: `write an ${NAMES[family]} network` });
  }
  if (rule.family !== undefined && rule.family !== family) {
    const what = `is ${rule.family}, but the addresses are ${NAMES[family]}`;
    check.report({ path: [...path, "family"], what, instead: "remove it" });
  }
}

interface Place {
  readonly path: Path;
  readonly routes: readonly (RawRoute | undefined)[];
  readonly rules: readonly (RawRule | undefined)[];
}

function placesOf(raw: RawConfig): Place[] {
  const places: Place[] = [];
  const { routes = [], rules = [] } = raw.static ?? {};
  places.push({ path: ["static"], routes, rules });
  for (const [name, instance] of Object.entries(raw.vrrp ?? {})) {
    if (instance === undefined) continue;
    places.push({ path: ["vrrp", name], routes: instance.routes ?? [], rules: instance.rules ?? [] });
  }
  return places;
}

/** Checks all routes and rules, and that no two are the same. */
export function checkRoutes(check: Check, raw: RawConfig): void {
  const taken = new Map<string, Path>();
  const once = (kind: string, key: string, path: Path, what: string) => {
    const other = taken.get(`${kind} ${key}`);
    if (other === undefined) return void taken.set(`${kind} ${key}`, path);
    const line = lineOf(check, other);
    const owner = other[0] === "static" ? "static" : String(other[1]);
    const instead = kind === "route" ? "give it to one of the two, or another metric" : "keep one of the two";
    check.report({ path, what: `${what}, as one of \`${owner}\` (line ${line})`, instead });
  };
  for (const { path, routes, rules } of placesOf(raw)) {
    routes.forEach((route, index) => {
      if (route === undefined) return;
      const at = [...path, "routes", index];
      checkRoute(check, at, route);
      if (route.to === undefined) return;
      const to = route.to.kind === "all" ? "default" : route.to.text;
      once("route", routeKey(route), at, `leads to ${to} by the same table and metric`);
    });
    rules.forEach((rule, index) => {
      if (rule === undefined) return;
      const at = [...path, "rules", index];
      checkRule(check, at, rule);
      once("rule", ruleKey(rule), at, "is the same");
    });
  }
}
