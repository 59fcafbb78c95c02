/**
 * `tcp`: a connection can be opened. Nothing is sent.
 *
 * @module
 */
import { connect } from "node:net";
import type { TcpProbe } from "../model.ts";
import { type Check, failure, runWithin } from "./check.ts";
import { connectionError, endpointOf, sharedLookup } from "./network.ts";

/** Connects to `host`:`port`, every address of a name in turn, and closes again. */
export function tcpCheck(config: TcpProbe): Check {
  const { host, port, timeoutMs } = config;
  const missing = () => `no connection to ${endpointOf(host, port)}`;
  return {
    run: (signal) =>
      runWithin(timeoutMs, signal, missing, (settle) => {
        const socket = connect({ host, port, lookup: sharedLookup });
        socket.on("connect", () => settle({ ok: true }));
        socket.on("error", (error) => settle(failure(connectionError(error, host, port))));
        return () => socket.destroy();
      }),
  };
}
