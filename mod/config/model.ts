/**
 * A config that was checked: plain, frozen-by-type data with every default filled in and units in the names.
 *
 * @module
 */
import type { LogLevel } from "../bus/log_level.ts";
import type { ProbeConfig } from "../probe/model.ts";
import type { StaticConfig } from "../route/config.ts";
import type { TunnelConfig } from "../tunnel/model.ts";
import type { VrrpConfig } from "../vrrp/config.ts";

/** Where the config is looked for unless the command line says otherwise. */
export const DEFAULT_CONFIG_PATH = "/etc/appliance/appliance.yaml";

/** Where state and the socket live unless the file says otherwise. */
export const DEFAULT_RUNTIME_DIR = "/run/appliance";

/** Name of the API socket inside the runtime directory. */
export const SOCKET_NAME = "api.sock";

/** Program and arguments; no shell is between. */
export type Command = readonly [string, ...string[]];

/** Commands that an instance's transitions run, each list in order. */
export interface NotifyConfig {
  readonly master: readonly Command[];
  readonly backup: readonly Command[];
  readonly fault: readonly Command[];
  readonly stop: readonly Command[];
  /** On every change, with keepalived's arguments added: `INSTANCE name STATE priority`. */
  readonly any: readonly Command[];
}

/** A sync group; its members have its name and what it tracks in their own config. */
export interface GroupConfig {
  readonly name: string;
  /** Names as the operator wrote them. */
  readonly members: readonly string[];
}

/** The status API. */
export interface ApiConfig {
  /** Absolute path of the unix socket. */
  readonly socket: string;
  /** TCP as well; an IPv6 host comes without brackets. */
  readonly listen: { readonly host: string; readonly port: number } | null;
  /** A secret. null = TCP is read-only. */
  readonly token: string | null;
}

/** What is written to standard error. */
export interface LogConfig {
  readonly level: LogLevel;
  readonly format: "text" | "json";
}

/** Scheduling of the engine: `auto` = real-time when allowed, or a priority of SCHED_FIFO. */
export interface EngineConfig {
  readonly realtime: "auto" | "off" | number;
  readonly lockMemory: boolean;
}

/** A whole config file. */
export interface Config {
  readonly node: string;
  /** Absolute. */
  readonly runtimeDir: string;
  readonly api: ApiConfig;
  readonly log: LogConfig;
  readonly engine: EngineConfig;
  readonly probes: readonly ProbeConfig[];
  readonly tunnels: readonly TunnelConfig[];
  readonly vrrp: readonly VrrpConfig[];
  /** By instance; only those that have commands. */
  readonly notify: Readonly<Record<string, NotifyConfig>>;
  /** What is there whoever is master. */
  readonly static: StaticConfig;
  readonly groups: readonly GroupConfig[];
  /** By group; only those that have commands. */
  readonly groupNotify: Readonly<Record<string, NotifyConfig>>;
}

/** Something wrong or doubtful in a config file. */
export interface Problem {
  readonly severity: "error" | "warning";
  readonly file: string;
  /** 1-based. */
  readonly line: number;
  /** 1-based, in UTF-16 units. */
  readonly column: number;
  /** Keys from the top, as text: `vrrp.web.track[0].probe`; empty for the file itself. */
  readonly path: string;
  readonly what: string;
  /** What to write instead; null where that is plain. */
  readonly instead: string | null;
}

/** A network interface that a file names, and where: for a reload that refuses one that does not exist. */
export interface NamedInterface {
  readonly name: string;
  readonly file: string;
  readonly line: number;
  readonly column: number;
  /** As `Problem.path`: `vrrp.web.interface`. */
  readonly path: string;
}

/** A config that can be run, or why it cannot, a line each: plain data that can cross from one process to another. */
export type Loaded =
  | {
    readonly ok: true;
    readonly config: Config;
    readonly warnings: readonly string[];
    readonly interfaces: readonly NamedInterface[];
  }
  | { readonly ok: false; readonly problems: readonly string[] };

const ESCAPES: Readonly<Record<string, string>> = {
  "\n": "\\n",
  "\r": "\\r",
  "\t": "\\t",
  "\x1b": "\\e",
};

/** A text in one line that a terminal shows as it is: control characters and invisible ones as YAML would escape them. */
function visible(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, (char) => {
    const code = char.codePointAt(0)!;
    const hex = code.toString(16).toUpperCase();
    return ESCAPES[char] ?? (code > 0xffff ? `\\U${hex.padStart(8, "0")}` : `\\u${hex.padStart(4, "0")}`);
  });
}

/** `FILE:LINE:COL: what (what to write instead)`, one line; a warning says so before the text. */
export function formatProblem(
  problem: Pick<Problem, "file" | "line" | "column" | "what" | "instead"> & {
    readonly severity?: Problem["severity"];
  },
): string {
  const { file, line, column, severity, what, instead } = problem;
  const text = `${severity === "warning" ? "warning: " : ""}${what}${
    instead === null ? "" : ` (${instead})`
  }`;
  return visible(`${file}:${line}:${column}: ${text}`);
}
