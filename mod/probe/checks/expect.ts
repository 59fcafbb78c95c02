/**
 * Whether an HTTP answer is the expected one.
 *
 * @module
 */
import type { BodyExpectation, StatusRange } from "../model.ts";

/** As much of a body as is looked at, in bytes. */
export const BODY_LIMIT = 1024 * 1024;

/** `200, 204, 300-399`. */
export function rangesText(ranges: readonly StatusRange[]): string {
  return ranges.map(({ from, to }) => from === to ? `${from}` : `${from}-${to}`).join(", ");
}

/** Null when the status is one of the expected, else the sentence that says so. */
export function statusProblem(status: number, ranges: readonly StatusRange[], url: string): string | null {
  if (ranges.some(({ from, to }) => status >= from && status <= to)) return null;
  return `HTTP status ${status} from ${url} (expected ${rangesText(ranges)})`;
}

/** Says of a body what {@link statusProblem} says of a status. `cut`: only its beginning was read. */
export type BodyTest = (body: string, cut: boolean) => string | null;

/** The test for an expectation, its pattern compiled once. Throws SyntaxError for a pattern that is none. */
export function bodyTest(expectation: BodyExpectation, url: string): BodyTest {
  const where = (cut: boolean) => cut ? " in its first MiB" : "";
  if (expectation.kind === "text") {
    const { text } = expectation;
    return (body, cut) =>
      body.includes(text) ? null : `body of ${url} does not contain ${JSON.stringify(text)}${where(cut)}`;
  }
  // A global or sticky pattern would remember where it matched last.
  const pattern = new RegExp(expectation.source, expectation.flags.replace(/[gy]/g, ""));
  // As everywhere but in JavaScript, `$` also stands before the line end that closes the text.
  const matches = (body: string) => pattern.test(body) || pattern.test(body.replace(/\r?\n$/, ""));
  return (body, cut) => matches(body) ? null : `body of ${url} does not match ${pattern}${where(cut)}`;
}
