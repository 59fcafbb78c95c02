/**
 * What others may see of a tunnel: its entry in the status document, and what the engine is told.
 *
 * @module
 */
import type { TrackedValue } from "../bus/messages.ts";
import type { KeepaliveMethod, TunnelSnapshot, TunnelStatus, TunnelType } from "./model.ts";

/** A tunnel's entry in the status document. Names are the document's. */
export interface TunnelView {
  readonly name: string;
  readonly type: TunnelType;
  readonly local: string;
  readonly remote: string;
  readonly state: TunnelStatus;
  /** When the state was entered: ISO 8601 in UTC. */
  readonly since: string;
  /** Round trip of the last keepalive in milliseconds, to a microsecond; null without one. */
  readonly latency_ms: number | null;
  readonly error: string | null;
  /** The one key of both directions; null when there is none, or one for each. */
  readonly key: number | null;
  readonly ikey: number | null;
  readonly okey: number | null;
  readonly ttl: number;
  /** Bytes; null while there is no interface. */
  readonly mtu: number | null;
  /** Who moves the packets; null while there is no interface. */
  readonly datapath: "kernel" | "user" | null;
  readonly addresses: string[];
  readonly repairs: number;
  readonly last_repair: string | null;
  readonly last_change_reason: string | null;
  readonly keepalive: {
    readonly methods: KeepaliveMethod[];
    readonly target: string | null;
    readonly interval_ms: number;
    readonly retries: number;
    readonly sent: number;
    readonly received: number;
  } | null;
}

/** A tunnel as the status document shows it. */
export function viewTunnel({ config, state }: TunnelSnapshot): TunnelView {
  const { keepalive } = config;
  return {
    name: config.name,
    type: config.type,
    local: config.local,
    remote: config.remote,
    state: state.status,
    since: new Date(state.sinceMs).toISOString(),
    latency_ms: state.latencyMs === null ? null : Math.round(state.latencyMs * 1000) / 1000,
    error: state.error,
    key: config.ikey === config.okey ? config.ikey : null,
    ikey: config.ikey,
    okey: config.okey,
    ttl: config.ttl,
    mtu: state.link?.mtu ?? null,
    datapath: state.link?.datapath ?? null,
    addresses: config.addresses.map(({ address, prefix }) => `${address}/${prefix}`),
    repairs: state.repairs,
    last_repair: state.lastRepair,
    last_change_reason: state.lastChangeReason,
    keepalive: keepalive === null ? null : {
      methods: [...keepalive.methods],
      target: keepalive.target,
      interval_ms: keepalive.intervalMs,
      retries: keepalive.retries,
      sent: state.sent,
      received: state.received,
    },
  };
}

/** What instances that track the tunnel reckon with. */
export function trackedValue({ state }: Pick<TunnelSnapshot, "state">): TrackedValue {
  return state.status;
}
