/**
 * From what is tracked to what an instance may do: keepalived's table of weights.
 *
 * | weight     | up         | down  |
 * | ---------- | ---------- | ----- |
 * | +w         | +w         | 0     |
 * | −w         | 0          | −w    |
 * | +w reverse | −w         | 0     |
 * | −w reverse | 0          | +w    |
 * | none       | nothing    | FAULT (reverse: FAULT while up) |
 *
 * A number is added after multiplication by the weight; a product of −254 or less means FAULT.
 *
 * @module
 */
import type { InstanceState, TrackedValue } from "../bus/messages.ts";
import type { TrackConfig, VrrpConfig } from "../vrrp/config.ts";

/** What one tracked object does to an instance. */
export type TrackEffect =
  | { readonly type: "nothing" }
  | { readonly type: "weight"; readonly weight: number }
  | { readonly type: "fault" }
  /** Weightless and not looked at yet: the instance is not up so far. */
  | { readonly type: "waiting" }
  /** Weighted and not looked at yet: counts as nothing, yet the priority is not final. */
  | { readonly type: "unsettled" };

/** The least product that means FAULT for numbers. */
const FAULT_PRODUCT = -254;
/** The most that a number can add. */
const MAX_PRODUCT = 253;

/** `probe:nginx`, as status and commands name a tracked object. */
export function trackSource(track: TrackConfig): string {
  return `${track.kind}:${track.name}`;
}

/** Judges one tracked object. */
export function trackEffect(track: TrackConfig, value: TrackedValue): TrackEffect {
  if (value === "unknown") return { type: track.weight === null ? "waiting" : "unsettled" };
  if (typeof value === "number") return numberEffect(track, value);
  const good = (value === "up") !== track.reverse;
  if (track.weight === null) return { type: good ? "nothing" : "fault" };
  const { weight, reverse } = track;
  const applies = (weight > 0) === (value === "up");
  if (!applies) return { type: "nothing" };
  return { type: "weight", weight: reverse ? -weight : weight };
}

function numberEffect(track: TrackConfig, value: number): TrackEffect {
  const product = value * (track.weight ?? 1) * (track.reverse ? -1 : 1);
  if (product <= FAULT_PRODUCT) return { type: "fault" };
  return product === 0 ? { type: "nothing" } : { type: "weight", weight: Math.min(product, MAX_PRODUCT) };
}

/** A virtual router that another one tracks. */
export interface TrackedRouter {
  readonly phase: InstanceState;
  readonly reason: string;
}

/** Names of the instances that some virtual router tracks. */
export function trackedUnits(configs: readonly Pick<VrrpConfig, "track">[]): ReadonlySet<string> {
  const tracks = configs.flatMap(({ track }) => track);
  return new Set(tracks.filter(({ kind }) => kind === "instance").map(({ name }) => name));
}

/**
 * What an instance is to those that track it, by its one or two virtual routers: `up` while it could serve, so as backup
 * too, or, where it has to be `master`, only as that. One that has not begun is not known yet.
 */
export function trackedInstance(
  routers: readonly TrackedRouter[],
  wanted: "up" | "master",
): { readonly value: TrackedValue; readonly error: string | null } {
  const fault = routers.find(({ phase }) => phase === "fault");
  if (fault !== undefined) return { value: "down", error: `in fault (${fault.reason})` };
  if (routers.length === 0 || routers.some(({ phase }) => phase === "init")) {
    return { value: "unknown", error: null };
  }
  const backup = wanted === "master" && routers.some(({ phase }) => phase === "backup");
  return backup ? { value: "down", error: "backup" } : { value: "up", error: null };
}
