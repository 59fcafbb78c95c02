/**
 * Times and durations in words.
 *
 * @module
 */

/** An interval, as exact as it was configured: `100 ms`, `1 s`, `3.61 s`. */
export function intervalText(ms: number): string {
  return ms < 1000 ? `${Number(ms.toFixed(1))} ms` : `${Number((ms / 1000).toFixed(2))} s`;
}

const STEPS: readonly (readonly [unit: string, ms: number])[] = [
  ["d", 86_400_000],
  ["h", 3_600_000],
  ["min", 60_000],
  ["s", 1000],
];

/** How long something has lasted, in its largest unit: `0 s`, `12 s`, `3 min`, `5 h`, `2 d`. */
export function ageText(ms: number): string {
  for (const [unit, size] of STEPS) if (ms >= size) return `${Math.floor(ms / size)} ${unit}`;
  return "0 s";
}

/** A moment: `2026-11-20 03:00:00 UTC`. */
export function momentText(iso: string): string {
  return `${iso.slice(0, 10)} ${iso.slice(11, 19)} UTC`;
}

/** `probe:nginx` → `probe nginx`. */
export function sourceText(source: string): string {
  return source.replace(":", " ");
}

/** `a`, `a and b`, `a, b and c`. */
export function listText(items: readonly string[]): string {
  if (items.length < 2) return items.join("");
  return `${items.slice(0, -1).join(", ")} and ${items.at(-1)}`;
}

/** A protocol family as people write it. */
export function familyText(family: "ipv4" | "ipv6"): string {
  return family === "ipv4" ? "IPv4" : "IPv6";
}
