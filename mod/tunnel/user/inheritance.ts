/**
 * What a process that moves a tunnel's packets leaves to the one that takes its place, and the words of it. Pure.
 *
 * The device is marked with the name of a socket where its process listens, so whoever is to move packets for the tunnel
 * finds the one before without knowing anything of it. The successor knocks ({@link KNOCK}) and hears at once that
 * somebody is there ({@link HEARD}). When nobody minds the one before any more, or its control says that it may go, it
 * sends an {@link Inheritance} as JSON with its descriptors beside it, holds its breath until the successor says that
 * it has it all ({@link TAKEN}), lets go ({@link GIVEN}) and ends; one that does not hear that word must not begin. What
 * comes meanwhile waits in device and sockets, so nothing is lost.
 *
 * @module
 */
import type { UserTunnelSettings } from "./settings.ts";
import type { GreEnd } from "./wire.ts";

/** Of the words below and of the device: whether its packets have a header, and which. */
const VERSION = 1;

export const KNOCK = `knock ${VERSION}`;
export const HEARD = "heard";
export const TAKEN = "taken";
export const GIVEN = "given";

/** How far a tunnel's end has counted. */
export type GreNumbers = Pick<GreEnd, "nextSent" | "nextReceived" | "lateNext" | "lateRun">;

/** What is told; beside it come the device and, if they are open, the sockets (see {@link Underlay}). */
export interface Inheritance {
  readonly version: typeof VERSION;
  readonly settings: UserTunnelSettings;
  readonly numbers: GreNumbers;
}

const MARK = "appliance tunnel at ";

/** A device's alias that says where its process listens. */
export function markText(address: string): string {
  return `${MARK}${address}`;
}

/** Where the process of a device listens, by the device's alias; null when it is not one of ours. */
export function readMark(alias: string | null): string | null {
  return alias?.startsWith(MARK) === true ? alias.slice(MARK.length) : null;
}

/** As JSON. */
export function encodeInheritance(settings: UserTunnelSettings, gre: GreEnd): string {
  const { nextSent, nextReceived, lateNext, lateRun } = gre;
  const inheritance: Inheritance = {
    version: VERSION,
    settings,
    numbers: { nextSent, nextReceived, lateNext, lateRun },
  };
  return JSON.stringify(inheritance);
}

/** Null for that of another version. */
export function decodeInheritance(text: string): Inheritance | null {
  try {
    const read = JSON.parse(text) as Inheritance | null;
    return read?.version === VERSION ? read : null;
  } catch {
    return null;
  }
}

function areEqual(
  before: UserTunnelSettings,
  after: UserTunnelSettings,
  fields: readonly (keyof UserTunnelSettings)[],
): boolean {
  return fields.every((field) => before[field] === after[field]);
}

/** Whether sockets for one serve the other, but for options that can be set anew. */
export function sharesSockets(before: UserTunnelSettings, after: UserTunnelSettings): boolean {
  return areEqual(before, after, ["type", "local", "remote", "dev", "pmtudisc"]);
}

/** Whether the far end goes on counting where it was. */
export function sharesNumbers(before: UserTunnelSettings, after: UserTunnelSettings): boolean {
  return areEqual(before, after, ["type", "local", "remote", "ikey", "okey", "sequence"]);
}
