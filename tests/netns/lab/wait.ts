/**
 * Waiting for conditions with a bound, and watching that they hold.
 *
 * @module
 */

/** How long, and for what: the text completes "Gave up after … ms waiting for …". */
export interface WaitOptions {
  readonly timeoutMs: number;
  readonly what: string;
  /** Pause between two looks, in milliseconds; default 10. */
  readonly everyMs?: number;
  /** Called when the wait fails; what it returns is added to the error. */
  readonly explain?: () => string | Promise<string>;
}

/** Resolves after `ms` milliseconds. For pacing of polls only: a test waits for a condition. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}

/**
 * Looks until `condition` gives something truthy and returns it. An exception counts as "not yet" and is told when
 * the time is over. Rejects after `timeoutMs`.
 */
export async function waitFor<T>(
  condition: () => T | Promise<T>,
  options: WaitOptions,
): Promise<NonNullable<T>> {
  const { timeoutMs, what, everyMs = 10 } = options;
  const deadline = performance.now() + timeoutMs;
  let last = "";
  for (;;) {
    try {
      const value = await condition();
      if (value) return value as NonNullable<T>;
      last = `last seen: ${JSON.stringify(value)}`;
    } catch (thrown) {
      last = messageOf(thrown);
    }
    if (performance.now() >= deadline) break;
    await pause(everyMs);
  }
  const explained = options.explain === undefined ? "" : `\n${await options.explain()}`;
  throw new Error(`Gave up after ${timeoutMs} ms waiting for ${what} (${last})${explained}`);
}

/** Looks again and again for `forMs` milliseconds that `condition` stays true; rejects as soon as it is not. */
export async function holds(
  condition: () => boolean | Promise<boolean>,
  options: { readonly forMs: number; readonly what: string; readonly everyMs?: number },
): Promise<void> {
  const { forMs, what, everyMs = 20 } = options;
  const start = performance.now();
  do {
    if (!(await condition())) {
      throw new Error(
        `Did not hold for ${forMs} ms: ${what} (ended after ${Math.round(performance.now() - start)} ms)`,
      );
    }
    await pause(everyMs);
  } while (performance.now() - start < forMs);
}

/** Rejects when `promise` takes longer than `timeoutMs`. */
export function within<T>(promise: Promise<T>, timeoutMs: number, what: string): Promise<T> {
  let timer: ReturnType<typeof setTimeout>;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new Error(`Gave up after ${timeoutMs} ms waiting for ${what}`)),
      timeoutMs,
    );
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}
