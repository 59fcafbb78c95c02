/**
 * Virtual addresses in the kernel, by rtnetlink.
 *
 * @module
 */
import { EADDRNOTAVAIL, ENODEV, type SyscallError } from "../../lib/libc/mod.ts";
import {
  addAddressRequest,
  type NetlinkConnection,
  type NetlinkRequest,
  removeAddressRequest,
} from "../../lib/netlink/mod.ts";
import type { Placement } from "./model.ts";

const NS_PER_S = 1e9;

/** Renewals send the same bytes again and again: they are built once. */
const putRequests = new WeakMap<Placement, NetlinkRequest>();

function putRequest(placement: Placement): NetlinkRequest {
  let request = putRequests.get(placement);
  if (request === undefined) {
    request = addAddressRequest({
      ifindex: placement.ifindex,
      device: placement.interface,
      address: placement.address,
      prefix: placement.prefix,
      ...(placement.label === null ? {} : { label: placement.label }),
      scope: placement.scope,
      ...(placement.broadcast === null ? {} : { broadcast: placement.broadcast }),
      validS: placement.leaseNs === null ? null : Math.ceil(placement.leaseNs / NS_PER_S),
      // A virtual address is not for speaking from: deprecated, IPv6 never chooses it as a source.
      ...(placement.address.length === 16 ? { preferredS: 0, noDad: true } : {}),
      // "Already there" is success: it is taken over with a fresh lease.
      replace: true,
    });
    putRequests.set(placement, request);
  }
  return request;
}

/** A placement that the kernel refused. */
export interface Refusal {
  readonly placement: Placement;
  readonly error: SyscallError;
}

function refusals(placements: readonly Placement[], errors: readonly (SyscallError | null)[]): Refusal[] {
  const refused: Refusal[] = [];
  errors.forEach((error, index) => {
    if (error !== null) refused.push({ placement: placements[index]!, error });
  });
  return refused;
}

/** Adds addresses or renews their leases, in one batch. */
export function putAddresses(connection: NetlinkConnection, placements: readonly Placement[]): Refusal[] {
  return refusals(placements, connection.batch(placements.map(putRequest)));
}

/** What became of addresses that were to be removed: those that were gone already are in neither list. */
export interface Removal {
  readonly removed: readonly Placement[];
  readonly refused: readonly Refusal[];
}

/** Removes addresses, in one batch. */
export function removeAddresses(connection: NetlinkConnection, placements: readonly Placement[]): Removal {
  const requests = placements.map(({ ifindex, interface: device, address, prefix }) =>
    removeAddressRequest({ ifindex, device, address, prefix })
  );
  const errors = connection.batch(requests);
  return {
    removed: placements.filter((_, index) => errors[index] === null),
    refused: refusals(placements, errors).filter(({ error }) =>
      error.errno !== EADDRNOTAVAIL && error.errno !== ENODEV
    ),
  };
}
