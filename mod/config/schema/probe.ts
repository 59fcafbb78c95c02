/**
 * Schema of probes: `probes.NAME`, told apart by `type`.
 *
 * @module
 */
import * as z from "zod/mini";
import { parseHostPort } from "../units.ts";
import {
  boolean,
  docs,
  duration,
  holdsSecrets,
  integer,
  mapping,
  oneOf,
  path,
  reading,
  scalar,
  shorthand,
  text,
} from "./base.ts";
import type { Fail } from "./base.ts";
import { command } from "./command.ts";
import { tagged } from "./tagged.ts";

const DAY = 86_400_000;

/** What holds where a key is left out. Durations in milliseconds. */
export const PROBE_DEFAULTS = {
  intervalMs: 1000,
  rise: 1,
  fall: 1,
  url: "http://127.0.0.1/",
  method: "GET",
} as const;

/** Keys that a probe must have, by its type, and what they hold. */
export const PROBE_REQUIRED = {
  nginx: {},
  http: { url: "write the URL to ask for" },
  https: { url: "write the URL to ask for" },
  tcp: { address: "write host:port" },
  process: {},
  exec: { command: "write [program, argument]" },
  file: { path: "write the path of the file" },
} as const satisfies Readonly<Record<string, Readonly<Record<string, string>>>>;

const common = {
  interval: duration("Time from the start of one run to the start of the next.", 50, DAY, { preset: "1s" }),
  timeout: duration(
    "A run that takes longer has failed. Default: the interval, but at least 500ms, and at most 1s except for exec.",
    1,
    DAY,
  ),
  rise: integer("Successes in a row that make it up. The first result of all counts at once.", 1, 1000, {
    preset: 1,
  }),
  fall: integer("Failures in a row that make it down.", 1, 1000, { preset: 1 }),
  jitter: duration(
    "Each run starts up to this much later, at random. Default: a tenth of the interval.",
    0,
    DAY,
  ),
};

function readUrl(value: string, fail: Fail): URL {
  const url = URL.canParse(value) ? new URL(value) : null;
  if (
    url === null || (url.protocol !== "http:" && url.protocol !== "https:") || !/^https?:\/\//i.test(value)
  ) {
    // What cannot be read may hold a password all the same.
    const shown = value.replace(/^([a-z][a-z0-9+.-]*:\/+)?[^/?#]*@/i, "$1…@");
    return fail(`is \`${shown}\`, which is not a URL`, "write http://127.0.0.1/ or https://host/path");
  }
  if (url.username !== "" || url.password !== "") {
    return fail("has a user or password in it", "write headers: { Authorization: … }");
  }
  return url;
}

/** Inclusive ends of a range of status codes. */
export interface StatusRange {
  readonly from: number;
  readonly to: number;
}

function readStatus(value: string, fail: Fail): StatusRange {
  const match = /^(\d{3})(?:-(\d{3}))?$/.exec(value) ?? /^([1-5])xx$/i.exec(value);
  if (match === null) return fail(`is \`${value}\`, which is not an HTTP status`, 'write 200 or "200-299"');
  const from = Number(match[1]);
  if (from < 6) return { from: from * 100, to: from * 100 + 99 };
  const to = Number(match[2] ?? match[1]);
  if (from < 100 || to > 599 || to < from) {
    return fail(`is \`${value}\`, out of range`, "write 100 to 599, lowest first");
  }
  return { from, to };
}

/** What a body must contain. */
export type RawBody =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "regex"; readonly source: string; readonly flags: string };

/** Says why a text is no regular expression; null when it is one. */
function regexProblem(source: string, flags: string): string | null {
  try {
    new RegExp(source, flags);
    return null;
  } catch (error) {
    return error instanceof Error
      ? error.message.replace(/^Invalid regular expression: /, "")
      : String(error);
  }
}

function readBody(value: string, fail: Fail): RawBody {
  const match = /^\/(.*)\/([a-z]*)$/s.exec(value);
  if (match === null || match[1] === "") return { kind: "text", text: value };
  const source = match[1]!;
  const flags = match[2]!;
  const problem = regexProblem(source, flags);
  if (problem !== null) {
    return fail(`is not a regular expression: ${problem}`, "write /pattern/ or plain text");
  }
  if (/[gy]/.test(flags)) {
    return fail("has the flag g or y, which makes no sense here", "use i, m, s, u or v");
  }
  return { kind: "regex", source, flags };
}

const STATUS = {
  anyOf: [
    { type: "integer", minimum: 100, maximum: 599 },
    { type: "string", pattern: "^([1-5][0-9]{2}(-[1-5][0-9]{2})?|[1-5]xx)$" },
  ],
};

const status = scalar({ description: "A status code or a range of them.", ...STATUS }, readStatus);

const expect = z.optional(mapping("What the answer must be.", {
  status: shorthand(
    {
      description:
        'Status codes that are good: 200, "200-299", 2xx, or a list. Default: 2xx; for nginx 2xx and 3xx.',
      short: STATUS,
    },
    (short) => [short],
    z.array(status).register(docs, { description: "Status codes that are good.", minItems: 1 }),
  ),
  body: scalar(
    {
      description: "Text that the body must contain, or /a regular expression/.",
      type: ["string", "number", "boolean"],
    },
    readBody,
  ),
}));

const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;

const http = {
  method: scalar(
    { description: "Method of the request.", type: "string", preset: "GET" },
    (value, fail): string => {
      if (!/^[A-Za-z]+$/.test(value)) return fail(`is \`${value}\``, "write GET or HEAD");
      if (["CONNECT", "TRACE"].includes(value.toUpperCase())) {
        return fail(
          `is \`${value}\``,
          "write GET or HEAD",
        );
      }
      return value.toUpperCase();
    },
  ),
  headers: z.optional(holdsSecrets(
    z.record(
      z.string(),
      scalar(
        { description: "Value of the header.", type: ["string", "number", "boolean"] },
        (value, fail): string => {
          return /[\r\n\0]/.test(value) ? fail("has a line break in it", "write one line") : value;
        },
      ),
    ).register(docs, { description: "Headers of the request.", propertyNames: { pattern: TOKEN.source } }),
  )),
  host: text("Host header; default: from the URL.", { type: "string" }),
  sni: text("Server name in the TLS greeting; default: the host.", { type: "string" }),
  ca: path("File with the certificates (PEM) that the server's must come from; default: the system's."),
  insecure: boolean("Accept any certificate.", { preset: false }),
  expect,
};

const url = (keywords: Readonly<Record<string, unknown>> = {}) =>
  scalar(
    { description: "URL to ask for; redirects are not followed.", type: "string", ...keywords },
    readUrl,
  );

const process = mapping("How nginx's master process is found. Default: by the name nginx.", {
  pid_file: path("File that holds its process ID."),
  name: text("Its name.", { type: "string" }),
});

function kind<const T extends string>(type: T) {
  const literal = z.literal(type);
  docs.add(literal, { description: "What is looked at." });
  return literal;
}

const types = {
  nginx: mapping("nginx: its master process lives, and a URL answers.", {
    type: kind("nginx"),
    url: url({ preset: PROBE_DEFAULTS.url }),
    process: z.optional(process),
    ...http,
    ...common,
  }),
  http: mapping("A URL answers as expected.", {
    type: kind("http"),
    url: url(),
    ...http,
    ...common,
  }, PROBE_REQUIRED.http),
  https: mapping("A URL answers as expected, over TLS.", {
    type: kind("https"),
    url: url(),
    ...http,
    ...common,
  }, PROBE_REQUIRED.https),
  tcp: mapping("A TCP connection can be opened.", {
    type: kind("tcp"),
    address: reading(
      { description: "Where to connect to: host:port, [IPv6]:port.", type: "string" },
      parseHostPort,
    ),
    ...common,
  }, PROBE_REQUIRED.tcp),
  process: mapping(
    "A process lives. Give one of name, pid_file, cmdline. By name and cmdline only processes in the daemon's own network " +
      "namespace are seen; one elsewhere, as in a container, is found by its pid_file. A daemon that is not root cannot " +
      "tell where processes of others are, and counts them all.",
    {
      type: kind("process"),
      name: text("Its name, or the base name of its executable or script.", { type: "string" }),
      pid_file: path("File that holds its process ID."),
      cmdline: scalar(
        { description: "Regular expression that its command line matches.", type: "string", format: "regex" },
        (value, fail): string => {
          const problem = regexProblem(value, "");
          if (value === "") return fail("is empty", "write a regular expression");
          return problem === null ? value : fail(`is not a regular expression: ${problem}`, null);
        },
      ),
      ...common,
    },
  ),
  exec: mapping("A command ends with exit code 0 in time.", {
    type: kind("exec"),
    command: command("Program and arguments."),
    user: scalar(
      {
        description:
          "User that runs it, or user:group; only a daemon that is root can be another. Default: the daemon's own.",
        type: ["string", "integer"],
      },
      (value, fail): { readonly user: string; readonly group: string | null } => {
        const match = /^([^\s:]+)(?::([^\s:]+))?$/.exec(value);
        if (match === null) return fail(`is \`${value}\``, "write user or user:group");
        return { user: match[1]!, group: match[2] ?? null };
      },
    ),
    ...common,
  }, PROBE_REQUIRED.exec),
  file: mapping("A file is there, is not, or holds a number that weights are multiplied by.", {
    type: kind("file"),
    path: path("Path of the file."),
    expect: oneOf("What makes it up; `integer`: its number counts.", ["present", "absent", "integer"], {
      preset: "present",
    }),
    ...common,
  }, PROBE_REQUIRED.file),
};

/** Schema of one probe. */
export const probe = tagged("Something that is looked at again and again.", "type", [
  types.nginx,
  types.http,
  types.https,
  types.tcp,
  types.process,
  types.exec,
  types.file,
]);

/** A probe as it was read; what was wrong or absent is undefined. */
export type RawProbe = z.infer<typeof probe>;
