/**
 * Secrets and certificates in files of their own: they must be readable when the config is loaded.
 *
 * @module
 */
import type { Path } from "../document.ts";
import { readFailure } from "../files.ts";
import type { RawConfig } from "../schema.ts";
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

/** A secret as its file has it, without the line end. */
export function secretOf(contents: string): string {
  return contents.replace(/[\r\n]+$/, "");
}

/** Reads every file that the config names into `check.contents`, by the name that the config gives. */
export function checkFiles(check: Check, raw: RawConfig): void {
  const tokenFile = raw.api?.token_file;
  if (tokenFile !== undefined) {
    const path = ["api", "token_file"];
    const text = read(check, path, tokenFile, SECRET_FILE);
    if (text !== null && !/^[\x21-\x7e]+$/.test(secretOf(text))) {
      check.report({
        path,
        what: `${SECRET_FILE} which does not hold one word`,
        instead: "put the token alone into it",
      });
    }
  }
  for (const [name, instance] of Object.entries(raw.vrrp ?? {})) {
    const file = instance?.auth?.key_file;
    if (file === undefined) continue;
    const path = ["vrrp", name, "auth", "key_file"];
    const text = read(check, path, file, SECRET_FILE);
    if (text !== null && secretOf(text) === "") check.report({ path, what: `${SECRET_FILE} which is empty` });
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
