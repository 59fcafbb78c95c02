/**
 * Words for what the runtime throws.
 *
 * @module
 */
import { getSystemErrorMap } from "node:util";

/** The code of a failed system call (`EADDRINUSE`), or null when the value thrown carries none. */
export function codeOf(thrown: unknown): string | null {
  if (typeof thrown !== "object" || thrown === null || !("code" in thrown)) return null;
  return typeof thrown.code === "string" ? thrown.code : null;
}

/** Why something failed, as the end of a sentence: "address already in use". Never a stack, never empty. */
export function reasonOf(thrown: unknown): string {
  const code = codeOf(thrown);
  if (code === "EISDIR") return "it is a directory";
  if (code !== null) {
    for (const [name, text] of getSystemErrorMap().values()) if (name === code) return text;
  }
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return message.trim() === "" ? (code ?? "unknown error") : message;
}
