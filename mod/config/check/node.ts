/**
 * Judges what concerns the node: its name, its paths, its API.
 *
 * @module
 */
import { isAbsolute, join } from "node:path";
import { DEFAULT_RUNTIME_DIR, SOCKET_NAME } from "../model.ts";
import type { RawConfig } from "../schema.ts";
import type { Check } from "./context.ts";

/** Bytes of a unix socket's path in sockaddr_un, without the final zero. */
const SOCKET_PATH_BYTES = 107;

/** Checks the top of the file. */
export function checkNode(check: Check, raw: RawConfig): void {
  // deno-lint-ignore no-control-regex
  if (raw.node !== undefined && (/[\x00-\x1f\x7f]/.test(raw.node) || raw.node.length > 255)) {
    check.report({
      path: ["node"],
      what: "cannot be a name",
      instead: "write one line of at most 255 characters",
    });
  }
  const directory = raw.runtime_dir;
  if (directory !== undefined && !isAbsolute(directory)) {
    const what = `is \`${directory}\`, a relative path`;
    check.report({ path: ["runtime_dir"], what, instead: "write it from the root: /run/appliance" });
  }
  const socket = raw.api?.socket;
  if (socket !== undefined && !isAbsolute(socket)) {
    const what = "is a relative path";
    check.report({
      path: ["api", "socket"],
      what,
      instead: "write it from the root: /run/appliance/api.sock",
    });
  }
  const bytes =
    new TextEncoder().encode(socket ?? join(directory ?? DEFAULT_RUNTIME_DIR, SOCKET_NAME)).length;
  if (bytes > SOCKET_PATH_BYTES) {
    const path = socket === undefined ? ["runtime_dir"] : ["api", "socket"];
    const what = `makes the socket's path ${bytes} bytes long, but Linux allows ${SOCKET_PATH_BYTES}`;
    check.report({ path, what, instead: "shorten it" });
  }
  if (raw.api?.token_file !== undefined && raw.api.listen === undefined) {
    const what = "has no effect without `listen`";
    check.report({
      path: ["api", "token_file"],
      what,
      instead: "add listen, or remove it",
      at: "key",
      severity: "warning",
    });
  }
  if (Object.keys(raw.vrrp ?? {}).length === 0 && !check.meant.has("vrrp")) {
    const what = "the file has no virtual router, so no address will be kept alive";
    check.report({
      path: [],
      what,
      instead: "add one under `vrrp:`",
      at: "key",
      severity: "warning",
      whole: true,
    });
  }
}
