/**
 * What the surroundings allow an instance: links, addresses and tracked objects put together.
 *
 * @module
 */
import { formatAddress, parseAddress } from "../../lib/packet/mod.ts";
import type { TrackedValue } from "../bus/messages.ts";
import type { LinkTable } from "../link/model.ts";
import { isFalling, type WatchedLink } from "../link/debounce.ts";
import { linkNamed, sourceAddress } from "../link/step.ts";
import { trackEffect, trackSource } from "../track/step.ts";
import type { TrackConfig, VrrpConfig } from "../vrrp/config.ts";
import type { Conditions } from "../vrrp/model.ts";

/** The value of a tracked object and, when it is down, why. */
export interface Tracked {
  readonly value: TrackedValue;
  readonly error: string | null;
}

/** What an instance can see around it. */
export interface Sight {
  readonly links: LinkTable;
  /** What counts of a link that the instance depends on. */
  readonly link: (name: string) => WatchedLink;
  /** What is known of anything else that it tracks. */
  readonly tracked: (track: TrackConfig) => Tracked;
  /** Whether an address of this interface is a virtual one of ours, and so no source of advertisements. */
  readonly isVirtual: (address: Uint8Array, name: string) => boolean;
}

export function conditionsOf(config: VrrpConfig, sight: Sight): Conditions {
  const { links, link, tracked, isVirtual } = sight;
  const faults: string[] = [];
  const waiting: string[] = [];
  const adjustments: { source: string; weight: number }[] = [];
  let settled = true;

  const own = link(config.interface);
  const awaited = config.onTunnel === true && linkNamed(links, config.interface) === null;
  if (own.fault !== null) faults.push(awaited ? `${own.fault} yet` : own.fault);
  const owner = config.priority === 255;
  const wanted = config.source === null ? null : parseAddress(config.source);
  const source = sourceAddress(
    links,
    config.interface,
    config.family,
    wanted,
    (address) => !owner && isVirtual(address, config.interface),
  );
  if (source === null && linkNamed(links, config.interface) !== null) {
    faults.push(
      config.source === null
        ? `interface ${config.interface} has no ${
          config.family === "ipv4" ? "IPv4" : "IPv6 link-local"
        } address` +
          virtualOnly(config, links)
        : `interface ${config.interface} does not have the source address ${config.source}`,
    );
  }
  for (const dev of new Set(config.addresses.map(({ dev }) => dev))) {
    // Why the interface of the virtual MAC address is not there is told by whoever makes it.
    if (dev === config.vmac?.name) continue;
    if (dev !== null && dev !== config.interface && linkNamed(links, dev) === null) {
      faults.push(`interface ${dev} (for a virtual address) does not exist`);
    }
  }
  // An owner is never moved by what it tracks.
  for (const track of owner ? [] : config.track) {
    const name = trackSource(track);
    const known = track.kind === "interface" ? trackedLink(link(track.name)) : tracked(track);
    const effect = trackEffect(track, known.value);
    switch (effect.type) {
      case "nothing":
        break;
      case "weight":
        adjustments.push({ source: name, weight: effect.weight });
        break;
      case "fault": {
        const fault = faultText(track.kind, name, known);
        // The interface that VRRP runs on may be tracked as well.
        if (!faults.includes(fault)) faults.push(fault);
        break;
      }
      case "waiting":
        waiting.push(`the first result of ${name}`);
        settled = false;
        break;
      case "unsettled":
        settled = false;
        break;
    }
  }
  return { source, faults, waiting, adjustments, settled, deaf: isFalling(own) };
}

/** What is wrong with something that is tracked. What is wrong with an interface names it. */
function faultText(kind: TrackConfig["kind"], name: string, { value, error }: Tracked): string {
  if (error === null) return `${name} ${describe(value)}`;
  return kind === "interface" ? error : `${name}: ${error}`;
}

/** What to do where the only address of the interface is configured as a virtual one. */
function virtualOnly(config: VrrpConfig, links: LinkTable): string {
  const index = linkNamed(links, config.interface)?.index ?? -1;
  const there = (links.addresses.get(index) ?? []).map(({ local }) => formatAddress(local));
  const virtual = config.addresses.find(({ address }) => there.includes(address));
  return virtual === undefined
    ? ""
    : ` but ${virtual.address}, which is virtual (priority 255 is for the router that owns it; else give the ` +
      `interface one of its own)`;
}

function trackedLink({ fault }: WatchedLink): Tracked {
  return { value: fault === null ? "up" : "down", error: fault };
}

function describe(value: TrackedValue): string {
  return typeof value === "number" ? `says ${value}` : `is ${value}`;
}

/** Whether two conditions are the same in every respect, so that nothing need be told. */
export function sameConditions(a: Conditions, b: Conditions): boolean {
  return a.settled === b.settled && a.deaf === b.deaf && sameBytes(a.source, b.source) &&
    sameTexts(a.faults, b.faults) &&
    sameTexts(a.waiting, b.waiting) && a.adjustments.length === b.adjustments.length &&
    a.adjustments.every((entry, index) =>
      entry.source === b.adjustments[index]!.source && entry.weight === b.adjustments[index]!.weight
    );
}

function sameTexts(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((text, index) => text === b[index]);
}

function sameBytes(a: Uint8Array | null, b: Uint8Array | null): boolean {
  if (a === null || b === null) return a === b;
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}
