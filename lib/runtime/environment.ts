/**
 * What the runtime takes from the environment, and what is not for children to inherit.
 *
 * @module
 */

/** How a process of this program is to run; for the environment it is started with. */
export type RuntimeSettings = Readonly<Record<string, string>>;

/**
 * For a short loop that wakes often and may run in real time: the most eager of the compilers costs more processor time,
 * on threads beside it, than it ever saves; and the loop must not wait for a garbage collector's helpers, nor for a thread
 * that gives memory back, which do not run in real time.
 */
export const REAL_TIME: RuntimeSettings = {
  BUN_JSC_useFTLJIT: "0",
  BUN_JSC_useConcurrentGC: "0",
  BUN_JSC_numberOfGCMarkers: "1",
  MIMALLOC_PURGE_DELAY: "-1",
};

/**
 * For a process that has little to do and is to stay small: code is compiled when it has proved hot, and then by the
 * simplest compiler alone. Measured in control: 4 MB less, 9 MB after a hundred scrapes.
 */
export const SMALL: RuntimeSettings = {
  BUN_JSC_useDFGJIT: "0",
  BUN_JSC_thresholdForJITAfterWarmUp: "20000",
  BUN_JSC_thresholdForJITSoon: "5000",
};

/** For a process that ends soon: what the better compilers cost is never earned. Measured: a quarter less time. */
export const BRIEF: RuntimeSettings = { BUN_JSC_useDFGJIT: "0" };

/** Our own environment without what would change how a child runs that is a program like ours. */
export function childEnvironment(): Record<string, string> {
  const clean: Record<string, string> = {};
  for (const [name, value] of Object.entries(process.env)) {
    if (value !== undefined && !name.startsWith("BUN_") && !(name in REAL_TIME)) clean[name] = value;
  }
  return clean;
}
