/**
 * Secrets and certificates in files of their own: they must be readable when the config is loaded.
 *
 * @module
 */
import type { Path } from "../document.ts";
import { readFailure } from "../files.ts";
import type { RawConfig } from "../schema.ts";
import { CONTROL } from "../schema/base.ts";
import type { Check } from "./context.ts";

/** Files that hold secrets: what stands in the place of their names may be the secret itself, so it is not shown. */
const SECRET_FILE = "names a file";

/** `named` = what a sentence about the file begins with. */
function read(check: Check, path: Path, file: string, named: string): string | null {
  try {
    const text = check.contents.get(file) ?? check.readFile(file);
    check.contents.set(file, text);
    return text;
  } catch (error) {
    check.report({ path, what: `${named} which cannot be read: ${readFailure(error)}` });
    return null;
  }
}

/** A secret as its file has it, without the line end, nor the byte order mark that some editors write. */
export function secretOf(contents: string): string {
  return contents.replace(/^\uFEFF/, "").replace(/[\r\n]+$/, "");
}

/** Tells what keeps the text of a file from being the token. */
function checkToken(check: Check, path: Path, text: string): void {
  const token = secretOf(text);
  if (/^[\x21-\x7e]+$/.test(token)) return;
  const foreign = /[^\0-\x7f]/.test(token);
  check.report({
    path,
    what: `${SECRET_FILE} which ${foreign ? "holds more than ASCII" : "does not hold one word"}`,
    instead: foreign
      ? "an HTTP header carries letters, digits and signs of ASCII only"
      : "put the token alone into it",
  });
}

/** Tells what keeps the text of a file from being a password. */
function checkPassword(check: Check, path: Path, text: string): void {
  const password = secretOf(text);
  if (password === "") return check.report({ path, what: `${SECRET_FILE} which is empty` });
  if (password.includes("\uFFFD")) {
    const instead = "save it as UTF-8: bytes that are none are not kept as they are";
    return check.report({ path, what: `${SECRET_FILE} which is not UTF-8 text`, instead });
  }
  if (!CONTROL.test(password)) return;
  const lines = /[\r\n]/.test(password);
  check.report({
    path,
    what: `${SECRET_FILE} which holds ${lines ? "more than one line" : "a control character"}`,
    instead: "put the password alone into it, on one line",
  });
}

/** Reads every file that the config names into `check.contents`, by the name that the config gives. */
export function checkFiles(check: Check, raw: RawConfig): void {
  const tokenFile = raw.api?.token_file;
  if (tokenFile !== undefined) {
    const path = ["api", "token_file"];
    const text = read(check, path, tokenFile, SECRET_FILE);
    if (text !== null) checkToken(check, path, text);
  }
  for (const [name, instance] of Object.entries(raw.vrrp ?? {})) {
    const file = instance?.auth?.key_file;
    if (file === undefined) continue;
    const path = ["vrrp", name, "auth", "key_file"];
    const text = read(check, path, file, SECRET_FILE);
    if (text !== null) checkPassword(check, path, text);
  }
  for (const [name, probe] of Object.entries(raw.probes ?? {})) {
    if (probe === undefined || !("ca" in probe) || probe.ca === undefined) continue;
    const path = ["probes", name, "ca"];
    const text = read(check, path, probe.ca, `names ${probe.ca},`);
    if (text !== null && !text.includes("-----BEGIN CERTIFICATE-----")) {
      check.report({
        path,
        what: `names ${probe.ca}, which holds no certificate`,
        instead: "it must be in PEM form",
      });
    }
  }
}
