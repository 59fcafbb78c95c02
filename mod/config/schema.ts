/**
 * Schema of the whole config file.
 *
 * @module
 */
import * as z from "zod/mini";
import { DEFAULT_RUNTIME_DIR, SOCKET_NAME } from "./model.ts";
import { boolean, holdsSecrets, mapping, named, oneOf, path, scalar, text } from "./schema/base.ts";
import { group } from "./schema/group.ts";
import { links } from "./schema/link.ts";
import { notYet } from "./schema/not_yet.ts";
import { probe } from "./schema/probe.ts";
import { staticSection } from "./schema/route.ts";
import { tunnels } from "./schema/tunnel.ts";
import { vrrpInstance } from "./schema/vrrp.ts";
import { parseHostPort, parseInteger } from "./units.ts";

const api = holdsSecrets(mapping("The status API.", {
  socket: path("Path of its unix socket. Default: api.sock in runtime_dir.", {
    preset: `${DEFAULT_RUNTIME_DIR}/${SOCKET_NAME}`,
  }),
  listen: scalar(
    {
      description: "TCP address and port as well; read-only unless a token is set. Default: none.",
      type: "string",
    },
    (value, fail): { readonly host: string; readonly port: number } => {
      const listen = parseHostPort(value);
      return listen.ok
        ? listen.value
        : fail("is not an address and a port", "write 127.0.0.1:8405 or [::1]:8405");
    },
  ),
  token_file: path("File with the token that control commands over TCP must show."),
}));

const log = mapping("What is written to standard error.", {
  level: oneOf("The least important message that is written.", ["debug", "info", "warning", "error"], {
    preset: "info",
  }),
  format: oneOf("Lines for people, or JSON.", ["text", "json"], { preset: "text" }),
});

const engine = mapping("The process that speaks VRRP.", {
  realtime: scalar(
    {
      description:
        "Real-time scheduling: auto (when allowed), off, or a priority of SCHED_FIFO from 1 to 99.",
      anyOf: [{ enum: ["auto", "off"] }, { type: "integer", minimum: 1, maximum: 99 }],
      preset: "auto",
    },
    (value, fail): "auto" | "off" | number => {
      if (value === "auto" || value === "off") return value;
      const number = parseInteger(value);
      if (number.ok && number.value >= 1 && number.value <= 99) return number.value;
      return fail(`is \`${value}\``, "write auto, off or a number from 1 to 99");
    },
  ),
  lock_memory: boolean(
    "Keep its memory from being swapped out; it then gives none back to the system, and grows somewhat.",
    { preset: false },
  ),
});

/** Schema of the file. */
export const configSchema = mapping("Config of appliance.", {
  node: text("Name of this node. Default: the host name.", { type: "string" }),
  runtime_dir: path("Directory of socket and state; several daemons on one host need different ones.", {
    preset: DEFAULT_RUNTIME_DIR,
  }),
  api: z.optional(api),
  log: z.optional(log),
  engine: z.optional(engine),
  probes: named("What is watched, by name.", z.optional(probe)),
  tunnels,
  vrrp: named("Virtual routers, by name.", z.optional(vrrpInstance)),
  links,
  static: z.optional(staticSection),
  groups: named("Sync groups, by name.", z.optional(group)),
  ...notYet("root"),
});

/** A file as it was read; what was wrong or absent is undefined. */
export type RawConfig = z.infer<typeof configSchema>;
