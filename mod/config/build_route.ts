/**
 * From routes and rules as they were read to those of the config.
 *
 * @module
 */
import type { RouteConfig, RuleConfig } from "../route/config.ts";
import type { Family } from "../vrrp/config.ts";
import { type Network, ROUTE_DEFAULTS, RULE_DEFAULTS } from "./schema/route.ts";
import type { RawRoute, RawRule } from "./schema/route.ts";

function textOf(network: Network | undefined): string | null {
  return network?.kind === "prefix" ? network.text : null;
}

/** The IP version of a route: its destination's, or else that of what it names. */
export function familyOfRoute(raw: RawRoute): Family {
  const hop = raw.nexthops?.find((hop) => hop?.via !== undefined);
  return raw.to?.family ?? raw.via?.family ?? raw.source?.family ?? hop?.via?.family ?? "ipv4";
}

/** The IP version of a rule: its addresses', or the one that is written. */
export function familyOfRule(raw: RawRule): Family {
  return raw.from?.family ?? raw.to?.family ?? raw.family ?? "ipv4";
}

/** A route that the checks found no error in. */
export function routeOf(raw: RawRoute): RouteConfig {
  const family = familyOfRoute(raw);
  // 0 is how IPv6 says "the usual one".
  const metric = family === "ipv6" && raw.metric === 0 ? null : raw.metric ?? null;
  return {
    family,
    to: textOf(raw.to),
    type: raw.type ?? ROUTE_DEFAULTS.type,
    via: raw.via?.text ?? null,
    dev: raw.dev ?? null,
    metric,
    table: raw.table ?? ROUTE_DEFAULTS.table,
    source: raw.source?.text ?? null,
    scope: raw.scope ?? null,
    onlink: raw.onlink ?? false,
    mtu: raw.mtu ?? null,
    nexthops: (raw.nexthops ?? []).map((hop) => ({
      via: hop?.via?.text ?? null,
      dev: hop?.dev ?? null,
      weight: hop?.weight ?? ROUTE_DEFAULTS.weight,
      onlink: hop?.onlink ?? false,
    })),
  };
}

/** A rule that the checks found no error in. */
export function ruleOf(raw: RawRule): RuleConfig {
  return {
    family: familyOfRule(raw),
    priority: raw.priority ?? RULE_DEFAULTS.priority,
    action: raw.action ?? RULE_DEFAULTS.action,
    table: raw.table ?? null,
    from: textOf(raw.from),
    to: textOf(raw.to),
    iif: raw.iif ?? null,
    oif: raw.oif ?? null,
    fwmark: raw.fwmark?.mark ?? null,
    fwmask: raw.fwmark === undefined ? null : raw.fwmark.mask ?? 0xffff_ffff,
    tos: raw.tos ?? 0,
    ipProtocol: raw.ip_protocol ?? null,
    invert: raw.not ?? false,
    suppressPrefix: raw.suppress_prefix ?? null,
  };
}
