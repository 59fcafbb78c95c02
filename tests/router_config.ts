/**
 * A virtual router's config as tests want it.
 *
 * @module
 */
import type { VipConfig, VrrpConfig } from "../mod/vrrp/config.ts";

export function vip(address: string): VipConfig {
  return { address, prefix: 24, dev: null, label: null, scope: null, broadcast: null };
}

/** A version 3 router of priority 100, 1 s. */
export function config(part: Partial<VrrpConfig> = {}): VrrpConfig {
  return {
    name: "web",
    unit: "web",
    group: null,
    family: "ipv4",
    interface: "eth0",
    vrid: 51,
    version: 3,
    priority: 100,
    intervalCs: 100,
    preempt: true,
    preemptDelayMs: 0,
    takeoverDelayMs: 0,
    downAdverts: 3,
    source: null,
    peers: [],
    auth: { type: "none" },
    vmac: null,
    addresses: [vip("10.9.0.100")],
    extra: [],
    routes: [],
    rules: [],
    accept: true,
    leaseMs: 3000,
    announce: { repeat: 5, delayMs: 5000, refreshMs: 0, refreshRepeat: 1, intervalMs: 0 },
    track: [],
    debounce: {},
    checksum: "auto",
    handover: "fast",
    ...part,
  };
}
