/**
 * How a command ends.
 *
 * @module
 */

/** Exit codes; what each command makes of them is in the manual. */
export const EXIT = { GOOD: 0, BAD: 1, USAGE: 2, NO_DAEMON: 3 } as const;

/** Ends a command with a message on standard error and an exit code. */
export class Failure extends Error {
  readonly exitCode: number;
  /** What led to it, a line each; said before the message. */
  readonly problems: readonly string[];

  constructor(message: string, exitCode: number, problems: readonly string[] = []) {
    super(message);
    this.name = "Failure";
    this.exitCode = exitCode;
    this.problems = problems;
  }
}
