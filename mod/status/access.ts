/**
 * Who may act over the API.
 *
 * @module
 */
import { createHash, timingSafeEqual } from "node:crypto";
import type { Access } from "./model.ts";

/** Why a request to act is refused, and with which HTTP status. */
export interface Refusal {
  readonly status: 401 | 403;
  readonly error: string;
}

function digest(text: string): Uint8Array {
  return createHash("sha256").update(text).digest();
}

/** Judges the `Authorization` header of a request to act; null = it may. Takes as long for every wrong token. */
export function refusalOf(access: Access, authorization: string | null): Refusal | null {
  if (access.type === "full") return null;
  const token = access.token();
  if (token === null || token === "") {
    return { status: 403, error: "This listener is read-only: no token is configured (api.token_file)" };
  }
  const given = /^Bearer +(\S+) *$/i.exec(authorization ?? "")?.[1];
  if (given === undefined) {
    return { status: 401, error: "A bearer token is needed here (Authorization: Bearer …)" };
  }
  return timingSafeEqual(digest(given), digest(token))
    ? null
    : { status: 401, error: "The bearer token is wrong" };
}
