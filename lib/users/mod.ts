/**
 * Users and groups by name, from /etc/passwd and /etc/group.
 *
 * @module
 */
import { readFileSync } from "node:fs";

/** Numbers to run a command with; undefined = as this process. */
export interface Credentials {
  readonly uid?: number;
  readonly gid?: number;
}

/** A name that this machine does not have. */
export class UnknownName extends Error {
  constructor(readonly kind: "user" | "group", name: string) {
    super(`no such ${kind}: ${name}`);
  }
}

/** Text of a file. */
type Read = (path: string) => string;

const readText: Read = (path) => readFileSync(path, "utf8");

function entries(path: string, read: Read): string[][] {
  return read(path).split("\n").map((line) => line.split(":"));
}

/**
 * The numbers for a user and a group given by name or number; a user's own group where no group is given. Throws
 * {@link UnknownName}, "no such user: web", and what reading throws.
 */
export function credentialsOf(
  user: string | null,
  group: string | null,
  read: Read = readText,
): Credentials {
  let uid: number | undefined;
  let gid: number | undefined;
  if (user !== null) {
    const numeric = /^\d+$/.test(user);
    const entry = entries("/etc/passwd", read).find((fields) => fields[numeric ? 2 : 0] === user);
    if (entry === undefined && !numeric) throw new UnknownName("user", user);
    uid = Number(entry?.[2] ?? user);
    // A number without an entry has no group of its own; that of the daemon would be root's.
    gid = Number(entry?.[3] ?? user);
  }
  if (group !== null) {
    const numeric = /^\d+$/.test(group);
    const entry = numeric ? undefined : entries("/etc/group", read).find((fields) => fields[0] === group);
    if (entry === undefined && !numeric) throw new UnknownName("group", group);
    gid = Number(entry?.[2] ?? group);
  }
  return { ...(uid === undefined ? {} : { uid }), ...(gid === undefined ? {} : { gid }) };
}
