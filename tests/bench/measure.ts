/**
 * Figures: what a row measures, the statistics of it, the budget it is held against, and how all of that is shown.
 *
 * @module
 */

/** How the single measurements of a line become one figure. */
export type Statistic = "median" | "worst" | "p99" | "p99.9" | "sum";

/** One line of the table: the same measurements on our daemon and on keepalived. */
export interface Line {
  /** What was measured: `worst of 10 crashes`. */
  readonly what: string;
  /** Unit of the measurements; empty for a count. */
  readonly unit: "ms" | "s" | "MiB" | "";
  readonly statistic: Statistic;
  /** The figure must not be above this; null = shown for comparison only. */
  readonly budget: number | null;
  readonly ours: readonly number[];
  /** Null where keepalived has nothing of the kind. */
  readonly keepalived: readonly number[] | null;
  /** What one has to know to read the line. */
  readonly note?: string;
}

/** A theme: measures and returns its lines. */
export interface Row {
  /** What selects it on the command line. */
  readonly name: string;
  readonly title: string;
  /** Programs it needs beyond ip, keepalived and tcpdump. */
  readonly needs?: readonly string[];
  readonly run: (bench: Bench) => Promise<readonly Line[]>;
}

/** What a row is told. */
export interface Bench {
  /** How often to measure: `many` normally, `few` with --quick. */
  readonly rounds: (many: number, few: number) => number;
  /** Waits, within reason, until others leave the machine alone. */
  readonly calm: () => Promise<void>;
  /** Tells what goes on, for who waits. */
  readonly say: (text: string) => void;
}

/** Verdict of a line. */
export interface Judged {
  readonly line: Line;
  readonly ours: number;
  readonly keepalived: number | null;
  /** Ours divided by keepalived's; null where that says nothing. */
  readonly ratio: number | null;
  readonly verdict: "ok" | "misses" | "info";
}

/** The value below which a fraction of all values lies (nearest rank). NaN for no values. */
export function percentile(values: readonly number[], fraction: number): number {
  if (values.length === 0) return NaN;
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(fraction * sorted.length) - 1)]!;
}

/** The middle value, or the mean of the two in the middle. NaN for no values. */
export function median(values: readonly number[]): number {
  if (values.length === 0) return NaN;
  const sorted = values.toSorted((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2;
}

function figure(values: readonly number[], statistic: Statistic): number {
  switch (statistic) {
    case "median":
      return median(values);
    case "worst":
      return percentile(values, 1);
    case "p99":
      return percentile(values, 0.99);
    case "p99.9":
      return percentile(values, 0.999);
    case "sum":
      return values.length === 0 ? NaN : values.reduce((sum, value) => sum + value, 0);
  }
}

/** Computes a line's figures and holds ours against the budget; no measurements at all miss it. */
export function judge(line: Line): Judged {
  const ours = figure(line.ours, line.statistic);
  const keepalived = line.keepalived === null ? null : figure(line.keepalived, line.statistic);
  const ratio = keepalived !== null && keepalived > 0 && Number.isFinite(ours) ? ours / keepalived : null;
  if (line.budget === null) return { line, ours, keepalived, ratio, verdict: "info" };
  return { line, ours, keepalived, ratio, verdict: ours <= line.budget ? "ok" : "misses" };
}

/** `0.061 ms`, `4.60 s`, `12.3 MiB`, `3`. Three significant digits are all that one machine's run is good for. */
export function show(value: number | null, unit: Line["unit"]): string {
  if (value === null) return "–";
  if (!Number.isFinite(value)) return "nothing measured";
  const rest = unit === "" ? "" : ` ${unit}`;
  if (Number.isInteger(value)) return `${value}${rest}`;
  const size = Math.abs(value);
  return `${value.toFixed(size >= 100 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : 3)}${rest}`;
}

function verdictText({ line, ours, verdict }: Judged): string {
  if (verdict === "info" || line.budget === null) return "";
  if (verdict === "ok") return "ok";
  const times = line.budget > 0 && Number.isFinite(ours) ? ` (${(ours / line.budget).toFixed(1)}×)` : "";
  return `MISSES by ${show(ours - line.budget, line.unit)}${times}`;
}

function ratioText(ratio: number | null): string {
  if (ratio === null) return "";
  if (ratio === 0) return "0×";
  return `${ratio >= 100 ? ratio.toFixed(0) : ratio >= 1 ? ratio.toFixed(1) : ratio.toPrecision(2)}×`;
}

const HEADINGS = ["", "budget", "appliance", "keepalived", "ratio", "verdict"] as const;

function cellsOf(judged: Judged): string[] {
  const { line, ours, keepalived, ratio } = judged;
  return [
    `  ${line.what}`,
    line.budget === null ? "" : `≤ ${show(line.budget, line.unit)}`,
    show(ours, line.unit),
    show(keepalived, line.unit),
    ratioText(ratio),
    verdictText(judged),
  ];
}

/** What came of a row: its lines, or why it could not be measured. */
export interface Outcome {
  readonly row: Row;
  readonly tookS: number;
  readonly lines: readonly Judged[];
  readonly failure: string | null;
}

/** The table as text, the notes below it. */
export function table(outcomes: readonly Outcome[]): string {
  const all = outcomes.flatMap(({ lines }) => lines.map(cellsOf));
  const widths = HEADINGS.map((heading, column) =>
    Math.max(heading.length, ...all.map((cells) => cells[column]!.length))
  );
  const align = (cells: readonly string[]) =>
    cells.map((cell, column) => column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]!))
      .join("  ").trimEnd();
  const text = [align(HEADINGS)];
  const notes: string[] = [];
  for (const { row, lines, failure } of outcomes) {
    text.push(row.title);
    if (failure !== null) text.push(`  FAILED: ${failure.split("\n")[0]}`);
    for (const judged of lines) {
      const { note } = judged.line;
      const known = note === undefined ? -1 : notes.indexOf(note);
      const mark = note === undefined ? "" : ` [${known < 0 ? notes.push(note) : known + 1}]`;
      text.push(align(cellsOf(judged)) + mark);
    }
  }
  return [...text, "", ...notes.map((note, index) => `[${index + 1}] ${note}`)].join("\n");
}

/** All measurements, for machines: numbers in the line's unit, rounded to a tenth of a microsecond. */
export function toJson(outcomes: readonly Outcome[], about: Readonly<Record<string, unknown>>): string {
  const round = (value: number | null) =>
    value === null || !Number.isFinite(value) ? null : Math.round(value * 1e4) / 1e4;
  const side = (values: readonly number[] | null, shown: number | null) =>
    values && {
      figure: round(shown),
      runs: values.length,
      min: round(percentile(values, 0)),
      median: round(median(values)),
      worst: round(percentile(values, 1)),
      ...(values.length <= 50 ? { values: values.map(round) } : {}),
    };
  const rows = outcomes.map(({ row, tookS, lines, failure }) => ({
    name: row.name,
    title: row.title,
    took_s: Math.round(tookS * 10) / 10,
    failure,
    lines: lines.map(({ line, ours, keepalived, ratio, verdict }) => ({
      what: line.what,
      unit: line.unit,
      statistic: line.statistic,
      budget: line.budget,
      appliance: side(line.ours, ours),
      keepalived: side(line.keepalived, keepalived),
      ratio: round(ratio),
      verdict,
      note: line.note ?? null,
    })),
  }));
  return JSON.stringify({ ...about, rows }, null, 2) + "\n";
}
