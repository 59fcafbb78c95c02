/**
 * Plain values compared by what they hold, and what a reload means for things that go by name.
 *
 * @module
 */

/** Whether two plain values (what JSON can say, and undefined) are equal all the way down; key order does not count. */
export function equalValues(left: unknown, right: unknown): boolean {
  if (Object.is(left, right)) return true;
  if (typeof left !== "object" || typeof right !== "object" || left === null || right === null) return false;
  if (Array.isArray(left) !== Array.isArray(right)) return false;
  const keys = Object.keys(left);
  if (keys.length !== Object.keys(right).length) return false;
  return keys.every((key) => {
    return Object.hasOwn(right, key) &&
      equalValues((left as Record<string, unknown>)[key], (right as Record<string, unknown>)[key]);
  });
}

/** The steps from one set of named things to another. Two are the same thing when their names are equal. */
export interface NamedDiff<T> {
  /** Not there before. */
  readonly added: readonly T[];
  /** There before with another configuration; these are the new ones. */
  readonly changed: readonly T[];
  /** Names of those that are no longer wanted. */
  readonly removed: readonly string[];
}

/** Compares what runs with what is wanted, by value. */
export function diffByName<T extends { readonly name: string }>(
  running: readonly T[],
  wanted: readonly T[],
): NamedDiff<T> {
  const before = new Map(running.map((config) => [config.name, config]));
  const names = new Set(wanted.map(({ name }) => name));
  return {
    added: wanted.filter(({ name }) => !before.has(name)),
    changed: wanted.filter((config) =>
      before.has(config.name) && !equalValues(before.get(config.name), config)
    ),
    removed: running.map(({ name }) => name).filter((name) => !names.has(name)),
  };
}
