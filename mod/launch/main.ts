/**
 * `appliance run`, first part: what has to happen before the engine can be itself.
 *
 * Signals must be blocked in every thread before they can be read from a descriptor, and a Bun program has threads
 * before its first line runs. So the program starts control (which boots meanwhile), blocks the signals and executes
 * itself anew: all threads of the second image inherit the mask. The pipe to control passes through the exec.
 *
 * @module
 */
import {
  blockSignals,
  CAP,
  execve,
  hasCapability,
  killProcess,
  MSG_NOSIGNAL,
  sendBytes,
  setCloseOnExec,
  setNonBlocking,
  SIGKILL,
  SIGPIPE,
  SyscallError,
} from "../../lib/libc/mod.ts";
import { childEnvironment, REAL_TIME, SELF_PATH, selfCommand } from "../../lib/runtime/mod.ts";
import type { Report } from "../bus/messages.ts";
import { SUPERVISED } from "../bus/supervised.ts";
import { startControl } from "../engine/child.ts";
import { encodeHandOver, HAND_OVER, OWN_SIGNALS } from "../engine/hand_over.ts";
import { StopRequest } from "./stop_request.ts";

const EXIT_STOPPED = 0;
const EXIT_CANNOT_START = 1;
const EXIT_BAD_CONFIG = 2;

export interface LaunchOptions {
  /** Path of the config file, as control is to read it. */
  readonly config: string;
  /** Go on with what a daemon that still runs has: it is asked to end without a word. */
  readonly resume: boolean;
  /** The command-line arguments of this process, to execute it anew. */
  readonly argv: readonly string[];
}

/**
 * Starts control, reads the config for it, and becomes the engine; returns an exit code when that cannot be. What the
 * reading needs in memory is gone with this image.
 */
export async function launchEngine(options: LaunchOptions): Promise<number> {
  const stop = new StopRequest();
  const supervised = process.env[SUPERVISED] !== undefined;
  // It is about this process, and not for what it starts.
  delete process.env[SUPERVISED];
  const missing = missingCapabilities();
  if (missing.length > 0) return fail(EXIT_CANNOT_START, missing);
  try {
    // It boots while the config is read here.
    const control = startControl(options.config, options.resume);
    const { loadFile } = await import("../config/loaded.ts");
    const loaded = loadFile(options.config);
    if (!loaded.ok) {
      for (const problem of loaded.problems) process.stderr.write(`${problem}\n`);
      return EXIT_BAD_CONFIG;
    }
    const report: Report = { type: "config", loaded };
    sendAll(control.fd, JSON.stringify(report) + "\n");
    setNonBlocking(control.fd);
    setCloseOnExec(control.fd, false);
    if (await stop.end()) {
      // It has nothing to put away yet.
      killProcess(control.pid, SIGKILL);
      return EXIT_STOPPED;
    }
    blockSignals([...OWN_SIGNALS, SIGPIPE]);
    const handOver = encodeHandOver({ ...control, supervised, config: options.config });
    const environment = { ...childEnvironment(), ...REAL_TIME, [HAND_OVER]: handOver };
    return execve(SELF_PATH, selfCommand(options.argv), environment);
  } catch (error) {
    return fail(EXIT_CANNOT_START, [(error as Error).message]);
  }
}

function fail(exitCode: number, lines: readonly string[]): number {
  for (const line of lines) process.stderr.write(`appliance: ${line}\n`);
  return exitCode;
}

/** Sends a text whole, waiting for the reader where it is behind. Throws SyscallError. */
function sendAll(fd: number, text: string): void {
  for (let rest: Uint8Array = new TextEncoder().encode(text); rest.length > 0;) {
    const sent = sendBytes(fd, rest, MSG_NOSIGNAL);
    if (sent < 0) throw new SyscallError("send", -sent, "hand the config to the control process");
    rest = rest.subarray(sent);
  }
}

function missingCapabilities(): string[] {
  const needed = [
    {
      capability: CAP.NET_ADMIN,
      name: "CAP_NET_ADMIN",
      purpose: "to add virtual addresses and to hear of links",
    },
    {
      capability: CAP.NET_RAW,
      name: "CAP_NET_RAW",
      purpose: "to send and receive VRRP, ARP and neighbour packets",
    },
  ];
  return needed.filter(({ capability }) => !hasCapability(capability)).map(({ name, purpose }) =>
    `Cannot start: ${name} is missing, needed ${purpose} (run it as root, or grant the capability)`
  );
}
