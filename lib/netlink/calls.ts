/**
 * rtnetlink as calls: each sends one request on a connection and has been done when it returns. All throw SyscallError
 * with the kernel's own text; where a {@link Tolerance} is given, the result says whether anything was changed.
 *
 * @module
 */
import { EADDRNOTAVAIL, EEXIST, ENODEV, ENOENT, ESRCH, SyscallError } from "../libc/mod.ts";
import type { AddressFamily } from "../packet/address.ts";
import {
  addAddressRequest,
  type Address,
  type AddressSpec,
  type AddressTarget,
  decodeAddress,
  listAddressesRequest,
  removeAddressRequest,
} from "./address.ts";
import type { NetlinkRequest } from "./codec.ts";
import { attempt, type NetlinkConnection, type Tolerance } from "./conn.ts";
import { decodeLink, type Link } from "./link.ts";
import {
  type BridgeOptions,
  createBridgeRequest,
  createDummyRequest,
  createMacvlanRequest,
  createVethRequest,
  deleteGroupRequest,
  deleteLinkRequest,
  getLinkRequest,
  type LinkChange,
  listLinksRequest,
  type MacvlanSpec,
  setLinkRequest,
  type VethOptions,
} from "./link_request.ts";
import { addRouteRequest, decodeRoute, listRoutesRequest, removeRouteRequest, type Route } from "./route.ts";
import type { RouteFilter, RouteSpec } from "./route.ts";
import { addRuleRequest, decodeRule, listRulesRequest, removeRuleRequest, type Rule } from "./rule.ts";
import type { RuleSpec } from "./rule.ts";
import { changeTunnelRequest, createTunnelRequest, type TunnelSpec } from "./tunnel.ts";

type Existing = Pick<Tolerance, "existing">;
type Missing = Pick<Tolerance, "missing">;

function add(connection: NetlinkConnection, request: NetlinkRequest, tolerance?: Existing): boolean {
  return attempt(connection, request, tolerance?.existing === "ok" ? [EEXIST] : []);
}

function remove(
  connection: NetlinkConnection,
  request: NetlinkRequest,
  errors: readonly number[],
  tolerance?: Missing,
): boolean {
  return attempt(connection, request, tolerance?.missing === "ok" ? errors : []);
}

/** All links of the namespace. */
export function listLinks(connection: NetlinkConnection): Link[] {
  return connection.dump(listLinksRequest(), decodeLink);
}

/** The link with this name or index; null when there is none. */
export function getLink(connection: NetlinkConnection, link: string | number): Link | null {
  try {
    for (const message of connection.request(getLinkRequest(link))) {
      const found = decodeLink(message);
      if (found !== null) return found;
    }
  } catch (error) {
    if (!(error instanceof SyscallError) || error.errno !== ENODEV) throw error;
  }
  return null;
}

/** Makes a veth pair; the peer end may go into another namespace. */
export function createVeth(
  connection: NetlinkConnection,
  name: string,
  peer: string,
  options?: VethOptions,
  tolerance?: Existing,
): boolean {
  return add(connection, createVethRequest(name, peer, options), tolerance);
}

/** Makes a bridge. */
export function createBridge(
  connection: NetlinkConnection,
  name: string,
  options?: BridgeOptions,
  tolerance?: Existing,
): boolean {
  return add(connection, createBridgeRequest(name, options), tolerance);
}

/** Makes a dummy interface. */
export function createDummy(connection: NetlinkConnection, name: string, tolerance?: Existing): boolean {
  return add(connection, createDummyRequest(name), tolerance);
}

/**
 * Makes a macvlan, down. Takes up to 15 ms in the kernel: not for the fail-over path.
 *
 * @param spec With `addrGenModeNone` it gets no automatic fe80:: address when it is set up.
 */
export function createMacvlan(
  connection: NetlinkConnection,
  spec: MacvlanSpec & { readonly addrGenModeNone?: boolean },
  tolerance?: Existing,
): boolean {
  if (!add(connection, createMacvlanRequest(spec), tolerance)) return false;
  if (!spec.addrGenModeNone) return true;
  try {
    connection.request(setLinkRequest(spec.name, { addrGenModeNone: true }));
  } catch (error) {
    remove(connection, deleteLinkRequest(spec.name), [ENODEV], { missing: "ok" });
    throw error;
  }
  return true;
}

/** Makes a GRE link. */
export function createTunnel(connection: NetlinkConnection, spec: TunnelSpec, tolerance?: Existing): boolean {
  return add(connection, createTunnelRequest(spec), tolerance);
}

/** Gives an existing GRE link the parameters of `spec`. */
export function changeTunnel(connection: NetlinkConnection, index: number, spec: TunnelSpec): void {
  connection.request(changeTunnelRequest(index, spec));
}

/** Changes a link, named by index or name. `label` is its name, for errors. */
export function setLink(
  connection: NetlinkConnection,
  link: number | string,
  change: LinkChange,
  label?: string,
): void {
  connection.request(setLinkRequest(link, change, label));
}

/** Removes a link, named by index or name. `label` is its name, for errors. */
export function deleteLink(
  connection: NetlinkConnection,
  link: number | string,
  label?: string,
  tolerance?: Missing,
): boolean {
  return remove(connection, deleteLinkRequest(link, label), [ENODEV], tolerance);
}

/**
 * Removes several links in the time that the kernel needs for one (16 ms are usual). They are gathered in a link group
 * whose number nobody else uses.
 *
 * @returns Those that could not be put into the group: they are still there.
 */
export function deleteLinks(connection: NetlinkConnection, indexes: readonly number[]): number[] {
  if (indexes.length === 0) return [];
  if (indexes.length === 1) {
    deleteLink(connection, indexes[0]!, undefined, { missing: "ok" });
    return [];
  }
  const group = 0x4000_0000 + Math.floor(Math.random() * 0x3fff_ffff);
  const errors = connection.batch(indexes.map((index) => setLinkRequest(index, { group })));
  const left = indexes.filter((_, at) => errors[at] !== null && errors[at]!.errno !== ENODEV);
  if (errors.includes(null)) connection.request(deleteGroupRequest(group));
  return left;
}

/** The addresses of all interfaces, or of one family, or of one interface. */
export function listAddresses(
  connection: NetlinkConnection,
  filter: { readonly family?: AddressFamily; readonly ifindex?: number } = {},
): Address[] {
  const addresses = connection.dump(listAddressesRequest(filter), decodeAddress);
  // Before Linux 4.20 the kernel does not filter.
  return filter.ifindex === undefined
    ? addresses
    : addresses.filter((address) => address.ifindex === filter.ifindex);
}

/** Adds an address, or renews it with `replace`. */
export function addAddress(connection: NetlinkConnection, spec: AddressSpec, tolerance?: Existing): boolean {
  return add(connection, addAddressRequest(spec), tolerance);
}

/** Removes an address; missing is also that of an interface that is gone. */
export function removeAddress(
  connection: NetlinkConnection,
  target: AddressTarget,
  tolerance?: Missing,
): boolean {
  return remove(connection, removeAddressRequest(target), [EADDRNOTAVAIL, ENODEV], tolerance);
}

/** The routes of both families or one, of all tables or one, of all makers or one. */
export function listRoutes(connection: NetlinkConnection, filter: RouteFilter = {}): Route[] {
  const { table, protocol } = filter;
  try {
    return connection.dump(listRoutesRequest(filter), decodeRoute).filter((route) =>
      (table === undefined || route.table === table) &&
      (protocol === undefined || route.protocol === protocol)
    );
  } catch (error) {
    // A table that never held a route does not exist.
    if (filter.table !== undefined && error instanceof SyscallError && error.errno === ENOENT) return [];
    throw error;
  }
}

/** Adds a route. */
export function addRoute(connection: NetlinkConnection, spec: RouteSpec, tolerance?: Existing): boolean {
  return add(connection, addRouteRequest(spec), tolerance);
}

/** Removes the first route that matches. */
export function removeRoute(connection: NetlinkConnection, spec: RouteSpec, tolerance?: Missing): boolean {
  return remove(connection, removeRouteRequest(spec), [ESRCH, ENODEV], tolerance);
}

/** The rules of both families or one, in the order in which they are asked. */
export function listRules(connection: NetlinkConnection, family?: AddressFamily): Rule[] {
  return connection.dump(listRulesRequest(family), decodeRule);
}

/** Adds a rule. */
export function addRule(connection: NetlinkConnection, spec: RuleSpec, tolerance?: Existing): boolean {
  return add(connection, addRuleRequest(spec), tolerance);
}

/** Removes the first rule that matches. */
export function removeRule(connection: NetlinkConnection, spec: RuleSpec, tolerance?: Missing): boolean {
  return remove(connection, removeRuleRequest(spec), [ENOENT], tolerance);
}
