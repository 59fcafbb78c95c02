/**
 * Putting a tunnel's interface right, whoever moves its packets: mtu, addresses, routes, up.
 *
 * @module
 */
import {
  addAddress,
  addRoute,
  getLink,
  type Link,
  listAddresses,
  listRoutes,
  type NetlinkConnection,
  removeAddress,
  removeRoute,
  type RouteSpec,
  RT_TABLE_MAIN,
  setLink,
} from "../../lib/netlink/mod.ts";
import { familyOf } from "../../lib/packet/address.ts";
import { addressOnLink, bytesOf, droppedBy, planSettings, routeText, type Setting } from "./diff.ts";
import type { TunnelAddress, TunnelConfig, TunnelRoute } from "./model.ts";
import { defaultMtu } from "./path.ts";

/** What the kernel gives an IPv6 route without a metric. */
const IPV6_METRIC = 1024;

function findLink(connection: NetlinkConnection, config: TunnelConfig): Link {
  const link = getLink(connection, config.name);
  if (link !== null) return link;
  throw new Error(`Cannot set up ${config.type} tunnel ${config.name}: it vanished as soon as it was made`);
}

function targetOf(link: Link, { address, prefix, peer }: TunnelAddress) {
  const far = peer === null ? {} : { peer: bytesOf(peer) };
  return { ifindex: link.index, address: bytesOf(address), prefix, device: link.name, ...far };
}

function perform(connection: NetlinkConnection, link: Link, setting: Setting): void {
  switch (setting.type) {
    case "mtu":
      return setLink(connection, link.index, { mtu: setting.mtu }, link.name);
    case "up":
      return setLink(connection, link.index, { up: true }, link.name);
    case "remove-address":
      return void removeAddress(connection, targetOf(link, setting.address), { missing: "ok" });
    case "add-address":
      // Nobody else is on a tunnel, so there is nothing to detect before the address is used.
      return void addAddress(connection, { ...targetOf(link, setting.address), noDad: true }, {
        existing: "ok",
      });
    default:
      return setting satisfies never;
  }
}

function routeSpec(route: TunnelRoute, link: Link): RouteSpec {
  const address = bytesOf(route.destination);
  return {
    family: familyOf(address),
    destination: route.prefix === 0 ? null : { address, prefix: route.prefix },
    gateway: route.via === null ? null : bytesOf(route.via),
    ifindex: link.index,
    ...(route.metric === null ? {} : { metric: route.metric }),
    ...(route.source === null ? {} : { source: bytesOf(route.source) }),
    ...(route.table === null ? {} : { table: route.table }),
  };
}

/** Whether the table has this route through this link. Reads the whole table. */
function isOurs(connection: NetlinkConnection, spec: RouteSpec): boolean {
  const wanted = spec.destination;
  return listRoutes(connection, { family: spec.family, table: spec.table ?? RT_TABLE_MAIN }).some((route) => {
    const found = route.destination;
    const same = found === null || !wanted
      ? found === null && !wanted
      : found.prefix === wanted.prefix && found.address.every((byte, i) => byte === wanted.address[i]);
    const metric = (route: { readonly metric?: number | null | undefined }) =>
      route.metric ?? (spec.family === "ipv4" ? 0 : IPV6_METRIC);
    return same && route.ifindex === spec.ifindex && metric(route) === metric(spec);
  });
}

/** What was wrong with the interface, and how it is now. */
export interface Settled {
  readonly link: Link;
  /** In words; empty = everything was there. */
  readonly was: readonly string[];
}

/** Settles one tunnel's interface again and again; remembers which routes were seen to be its own. */
export class Settler {
  readonly #connection: NetlinkConnection;
  /** Index and route: tables may be large, so they are read once for each. */
  readonly #known = new Set<string>();
  /** Somebody changed a route that has the destination of one of ours. */
  #doubtful = false;

  constructor(connection: NetlinkConnection) {
    this.#connection = connection;
  }

  /** Makes the interface be as configured. Throws Error, "Cannot …". */
  settle(config: TunnelConfig): Settled {
    const connection = this.#connection;
    const link = findLink(connection, config);
    const addresses = listAddresses(connection, { ifindex: link.index }).map(addressOnLink);
    const settings = planSettings(config, link, addresses);
    for (const setting of settings) perform(connection, link, setting);
    const was = [...settings.map((setting) => setting.was), ...this.#addRoutes(config, link)];
    return { link: settings.length === 0 ? link : findLink(connection, config), was };
  }

  /** Somebody may have put another route in the place of one of ours: the next time the tables are read again. */
  doubt(): void {
    this.#doubtful = true;
  }

  /** Takes away what the config before had and the one now has not. What is gone already is no failure. */
  drop(before: TunnelConfig, after: TunnelConfig): void {
    const link = getLink(this.#connection, after.name);
    if (link === null) return;
    const { addresses, routes } = droppedBy(before, after);
    for (const route of routes) removeRoute(this.#connection, routeSpec(route, link), { missing: "ok" });
    for (const address of addresses) {
      removeAddress(this.#connection, targetOf(link, address), { missing: "ok" });
    }
    // The kernel computes one for a new tunnel only.
    const mtu = before.mtu !== null && after.mtu === null ? defaultMtu(after) : null;
    if (mtu !== null && mtu !== link.mtu) setLink(this.#connection, link.index, { mtu }, link.name);
    this.#known.clear();
  }

  #addRoutes(config: TunnelConfig, link: Link): string[] {
    const added: string[] = [];
    for (const route of config.routes) {
      const text = routeText(route);
      const key = `${link.index} ${text}`;
      const known = this.#known.has(key);
      const spec = routeSpec(route, link);
      if (addRoute(this.#connection, spec, { existing: "ok" })) {
        added.push(`route to ${text} was gone`);
      } else if ((this.#doubtful || !known) && !isOurs(this.#connection, spec)) {
        if (known) {
          // What took the place of ours waits behind it, as long as there can be two (IPv4).
          addRoute(
            this.#connection,
            spec.family === "ipv4" ? { ...spec, prepend: true } : { ...spec, replace: true },
          );
          added.push(`route to ${text} was replaced`);
          continue;
        }
        throw new Error(
          `Cannot route ${text} through ${config.name}: there is another route of that destination and metric ` +
            `(give this one a metric, or see: ip route show ${route.destination}/${route.prefix})`,
        );
      }
      this.#known.add(key);
    }
    this.#doubtful = false;
    return added;
  }
}
