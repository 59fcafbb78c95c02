/**
 * What an operator wants watched: plain, frozen data, already checked and with every default filled in.
 *
 * @module
 */

/** What every probe has, whatever it looks at. */
export interface ProbeCommon {
  /** Name under which instances track it. */
  readonly name: string;
  /** Time from the start of one run to the start of the next, in milliseconds; ≥ 50. */
  readonly intervalMs: number;
  /** Longest duration of one run, in milliseconds; > 0. It may exceed the interval: a run is never started beside another. */
  readonly timeoutMs: number;
  /** Successes in a row that turn `down` into `up`; ≥ 1. The first result of all counts at once. */
  readonly rise: number;
  /** Failures in a row that turn `up` into `down`; ≥ 1. */
  readonly fall: number;
  /** Each run starts up to this much after its moment, at random, in milliseconds; 0 = in step. Less than the interval. */
  readonly jitterMs: number;
}

/** An inclusive range of HTTP status codes; a single code has both ends equal. */
export interface StatusRange {
  readonly from: number;
  readonly to: number;
}

/** What the body must contain: a text, or a regular expression that matches (`new RegExp(source, flags)` is valid). */
export type BodyExpectation =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "regex"; readonly source: string; readonly flags: string };

/** One HTTP request and what its answer must be. Redirects are not followed: a 3xx is an answer like any other. */
export interface HttpRequest {
  /** Absolute, `http:` or `https:`, without user and password. */
  readonly url: string;
  /** Upper case: `GET`, `HEAD`, `POST`, … */
  readonly method: string;
  /** In the order of the file; names as written, each once (compared without case). Never has `Host`: that is `host`. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** `Host` header; null = from the URL. */
  readonly host: string | null;
  /** Server name in the TLS greeting and for the certificate; null = `host` without port, or the URL's host. */
  readonly sni: string | null;
  /** Certificates (PEM text) that the server's chain must end in; null = the system's. */
  readonly caPem: string | null;
  /** True = any certificate will do. */
  readonly insecure: boolean;
  /** The answer's status must be in one of these; never empty. */
  readonly status: readonly StatusRange[];
  /** null = any body, which need not be read. */
  readonly body: BodyExpectation | null;
}

/** How a process is found. `name` is the kernel's (comm, at most 15 bytes) or the base name of its executable. */
export type ProcessMatch =
  | { readonly by: "pid_file"; readonly path: string }
  | { readonly by: "name"; readonly name: string }
  /** A regular expression over the command line, its arguments joined with one space (`new RegExp(source)` is valid). */
  | { readonly by: "cmdline"; readonly source: string };

/** nginx: its master process lives, and a URL answers. */
export interface NginxProbe extends ProbeCommon {
  readonly type: "nginx";
  /** Of the master process; `pid_file` or `name`. */
  readonly process: Exclude<ProcessMatch, { readonly by: "cmdline" }>;
  readonly request: HttpRequest;
}

/** A URL answers as expected. `https` only says that the URL's scheme is https; both may have TLS settings. */
export interface HttpProbe extends ProbeCommon {
  readonly type: "http" | "https";
  readonly request: HttpRequest;
}

/** A TCP connection can be opened. */
export interface TcpProbe extends ProbeCommon {
  readonly type: "tcp";
  /** Address or host name, without brackets. */
  readonly host: string;
  readonly port: number;
}

/** A process lives. */
export interface ProcessProbe extends ProbeCommon {
  readonly type: "process";
  readonly process: ProcessMatch;
}

/** A command ends with exit code 0 within the time-out. No shell is between. */
export interface ExecProbe extends ProbeCommon {
  readonly type: "exec";
  /** Program and arguments; never empty. */
  readonly command: readonly [string, ...string[]];
  /** Name or number of the user that runs it; null = the daemon's own. */
  readonly user: string | null;
  /** Name or number of the group; null = the user's own. */
  readonly group: string | null;
}

/** A file is there, or is not, or holds an integer that instances multiply by their weight. */
export interface FileProbe extends ProbeCommon {
  readonly type: "file";
  readonly path: string;
  readonly expect: "present" | "absent" | "integer";
}

export type ProbeConfig = NginxProbe | HttpProbe | TcpProbe | ProcessProbe | ExecProbe | FileProbe;

export type ProbeType = ProbeConfig["type"];

/** What one run of a check found. `latencyMs` is how long it took; `value` is a `file` probe's integer. */
export type ProbeResult =
  | { readonly ok: true; readonly latencyMs: number; readonly value?: number }
  | { readonly ok: false; readonly latencyMs: number; readonly error: string };

/** `unknown` until the first run has ended. */
export type ProbeStatus = "unknown" | "up" | "down";

/** What is known of a probe after its last run. */
export interface ProbeState {
  readonly status: ProbeStatus;
  /** 0 … rise + fall − 1; up from `rise` on. Meaningless until `decided`. */
  readonly counter: number;
  /** False until the first result under this configuration, which counts at once. */
  readonly decided: boolean;
  /** Integer of the last success of a `file` probe; null where there is none. */
  readonly value: number | null;
  /** When `status` was entered: milliseconds since 1970. */
  readonly sinceMs: number;
  /** Duration of the last run; null before the first. */
  readonly latencyMs: number | null;
  /** Why the last run failed; null when it succeeded. A probe can be up with an error: fewer than `fall` so far. */
  readonly error: string | null;
  readonly runs: number;
  readonly failures: number;
  /** What turned `status` last; null while it never turned. */
  readonly lastChangeReason: string | null;
}

/** A probe and what is known of it. */
export interface ProbeSnapshot {
  readonly name: string;
  readonly type: ProbeType;
  readonly state: ProbeState;
}

/** Told after every run. */
export interface ProbeReport extends ProbeSnapshot {
  /** Status, or the value of a probe that is up, differs from before this run. */
  readonly changed: boolean;
  /** Status before this run. */
  readonly from: ProbeStatus;
}
