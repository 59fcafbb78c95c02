/**
 * Where the daemon's API socket is, told by a config file that may have mistakes: `status` must work just then.
 *
 * @module
 */
import { isAbsolute, join } from "node:path";
import { type ConfigDocument, find, parseConfigDocument } from "./document.ts";
import { DEFAULT_RUNTIME_DIR, SOCKET_NAME } from "./model.ts";
import { nearest } from "./names.ts";

/** A line that is most likely the key, in a text whose structure is lost. */
const RUNTIME_DIR_LINE = /^\s*runtime_dir\s*:\s*["']?(\/[^\s"'#,}]+)/m;

/**
 * Absolute path of the API socket by this text, whatever else is wrong with it; null where the text is so broken that it
 * does not tell: the socket at the default place may be another daemon's. Never throws.
 */
export function findApiSocket(text: string): string | null {
  const document = parseConfigDocument(text);
  const socket = find(document.root, ["api", "socket"]);
  if (socket?.kind === "scalar" && isAbsolute(socket.text)) return socket.text;
  const directory = find(document.root, ["runtime_dir"]);
  if (directory?.kind === "scalar" && isAbsolute(directory.text)) return join(directory.text, SOCKET_NAME);
  if (socket === undefined && directory === undefined && isDefaultMeant(document)) {
    return join(DEFAULT_RUNTIME_DIR, SOCKET_NAME);
  }
  const line = RUNTIME_DIR_LINE.exec(text)?.[1];
  return line === undefined ? null : join(line, SOCKET_NAME);
}

/** Whether a text without the key leaves it out on purpose. */
function isDefaultMeant({ root, problems }: ConfigDocument): boolean {
  if (root?.kind !== "map" || problems.some(({ structural }) => structural)) return false;
  return ![...root.entries.keys()].some((key) => nearest(key, ["runtime_dir"]) !== null);
}
