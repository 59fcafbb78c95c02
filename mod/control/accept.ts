/**
 * Whether this machine can do what `accept: false` asks for.
 *
 * @module
 */
import { dropTableProblem } from "../accept/shell.ts";
import type { VrrpConfig } from "../vrrp/config.ts";

/** Why `accept: false` cannot be set, or null. An owner always accepts. */
export function acceptProblem(instances: readonly VrrpConfig[]): string | null {
  const closed = instances.find(({ accept, priority }) => !accept && priority !== 255);
  const problem = closed === undefined ? null : dropTableProblem();
  return problem === null ? null : `Cannot set accept: false on ${closed!.unit}: ${problem}`;
}
