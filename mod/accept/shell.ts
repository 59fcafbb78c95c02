/**
 * The drop table in the kernel, by netlink. The table belongs to the socket: it goes when the process ends, however
 * that happens, and a `flush ruleset` of the machine's firewall leaves it alone.
 *
 * @module
 */
import { ENOENT, EOPNOTSUPP, EPERM, SyscallError } from "../../lib/libc/mod.ts";
import {
  beginRequest,
  deleteTableRequest,
  endRequest,
  flushSetRequest,
  NETLINK_NETFILTER,
  NetlinkConnection,
  type NetlinkRequest,
  newElementsRequests,
  newInputChainRequest,
  newRuleRequest,
  newSetRequest,
  newTableRequest,
} from "../../lib/netlink/mod.ts";
import type { Guarded } from "./model.ts";
import { CHAIN, DROP_SETS, guardKey } from "./step.ts";

const TABLE = "appliance";
const DOING = "filter by nftables";
/** Beside the machine's own filters: what any of them drops is dropped. */
const PRIORITY = 0;

/** The sets and their rules; `chain` = the chain that has the rules is there. */
function sets(table: string, chain: boolean): NetlinkRequest[] {
  return DROP_SETS.flatMap(({ name, key, rules }, index) => [
    newSetRequest(table, name, key, index + 1),
    ...(chain ? rules.map((rule) => newRuleRequest(table, CHAIN, rule)) : []),
  ]);
}

function elements(table: string, guarded: readonly Guarded[]): NetlinkRequest[] {
  return DROP_SETS.flatMap(({ name, key, elements }) =>
    newElementsRequests(table, name, key, elements(guarded))
  );
}

function perform(connection: NetlinkConnection, requests: readonly NetlinkRequest[]): void {
  connection.transaction(beginRequest(DOING), requests, endRequest(DOING));
}

function isErrno(error: unknown, ...errnos: readonly number[]): boolean {
  return error instanceof SyscallError && errnos.includes(error.errno);
}

/** Drops packets to guarded addresses. */
export class DropTable {
  #connection: NetlinkConnection | null = null;
  /** The table that is there now. */
  #table: string | null = null;
  #guarded = "";

  /** Guards exactly these addresses from now on. Throws SyscallError; then what was guarded before still is. */
  set(guarded: readonly Guarded[]): void {
    const key = guardKey(guarded);
    if (key === this.#guarded) return;
    if (guarded.length === 0) return this.close();
    this.#connection ??= new NetlinkConnection(NETLINK_NETFILTER);
    const table = this.#table;
    if (table === null) this.#table = create(this.#connection, guarded);
    else {
      const flush = DROP_SETS.map(({ name }) => flushSetRequest(table, name));
      perform(this.#connection, [...flush, ...elements(table, guarded)]);
    }
    this.#guarded = key;
  }

  /** Removes the table. */
  close(): void {
    const connection = this.#connection;
    const table = this.#table;
    this.#connection = null;
    this.#table = null;
    this.#guarded = "";
    if (connection === null) return;
    try {
      if (table !== null) perform(connection, [deleteTableRequest(table)]);
    } catch {
      // Somebody else has removed it already.
    } finally {
      connection.close();
    }
  }
}

/** Makes the table, in place of one that a run before this one left behind; returns its name. */
function create(connection: NetlinkConnection, guarded: readonly Guarded[]): string {
  // Another daemon on this machine may own the usual name.
  for (const table of [TABLE, `${TABLE}-${process.pid}`]) {
    try {
      perform(connection, [deleteTableRequest(table)]);
    } catch (error) {
      if (isErrno(error, EPERM)) continue;
      if (!isErrno(error, ENOENT)) throw error;
    }
    const contents = [
      newInputChainRequest(table, CHAIN, PRIORITY),
      ...sets(table, true),
      ...elements(table, guarded),
    ];
    try {
      perform(connection, [newTableRequest(table, true), ...contents]);
    } catch (error) {
      if (!isErrno(error, EOPNOTSUPP)) throw error;
      // Before Linux 5.12 a table belongs to nobody.
      perform(connection, [newTableRequest(table, false), ...contents]);
    }
    return table;
  }
  throw new SyscallError("NFT_MSG_NEWTABLE", EPERM, DOING, "somebody else owns the nftables table");
}

/** Why this machine cannot guard an address, or null. Tries it on a table of its own and leaves nothing behind. */
export function dropTableProblem(): string | null {
  const table = `${TABLE}-check-${process.pid}`;
  try {
    const connection = new NetlinkConnection(NETLINK_NETFILTER);
    try {
      perform(connection, [newTableRequest(table, false), ...sets(table, false), deleteTableRequest(table)]);
      return null;
    } finally {
      connection.close();
    }
  } catch (error) {
    if (!(error instanceof SyscallError)) throw error;
    return error.errno === EPERM
      ? "CAP_NET_ADMIN is missing, needed for nftables"
      : `this kernel has no nftables for IP (${error.code}; load its modules: modprobe nf_tables)`;
  }
}
