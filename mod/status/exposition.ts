/**
 * Writing metrics in Prometheus' text exposition format, version 0.0.4.
 *
 * @module
 */

/** Content type of {@link exposition}. */
export const EXPOSITION_TYPE = "text/plain; version=0.0.4; charset=utf-8";

/** Labels of a sample, by name. */
export type Labels = Readonly<Record<string, string>>;

/** One value with its labels. */
export type Sample = readonly [labels: Labels, value: number];

/** What was observed, sorted into buckets. */
export interface Histogram {
  /** Upper bounds of the buckets, ascending and finite. */
  readonly bounds: readonly number[];
  /** Observations up to each bound, those of the smaller bounds included; as many as there are bounds. */
  readonly counts: readonly number[];
  /** Number of all observations. */
  readonly count: number;
  /** Sum of all observations. */
  readonly sum: number;
}

interface Described {
  readonly name: string;
  readonly help: string;
}

/** All that has one name. */
export type Metric =
  | Described & { readonly type: "counter" | "gauge"; readonly samples: readonly Sample[] }
  | Described & { readonly type: "histogram"; readonly histogram: Histogram };

const METRIC_NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;
const LABEL_NAME = /^(?!__)[a-zA-Z_][a-zA-Z0-9_]*$/;

/**
 * The metrics as text; those without a sample are left out. Throws RangeError for what no reader would take: names that
 * are none, a name or a set of labels that is there twice, a histogram that is not one.
 */
export function exposition(metrics: readonly Metric[]): string {
  const names = new Set<string>();
  let text = "";
  for (const metric of metrics) {
    for (const name of namesOf(metric)) {
      if (!METRIC_NAME.test(name)) throw new RangeError(`Cannot name a metric ${JSON.stringify(name)}`);
      if (names.has(name)) throw new RangeError(`Cannot name two metrics ${name}`);
      names.add(name);
    }
    const lines = metric.type === "histogram"
      ? histogramText(metric.name, metric.histogram)
      : samplesText(metric.name, metric.samples);
    if (lines === "") continue;
    text += `# HELP ${metric.name} ${
      escapeHelp(metric.help)
    }\n# TYPE ${metric.name} ${metric.type}\n${lines}`;
  }
  return text;
}

/** Every name that a metric takes. */
function namesOf({ name, type }: Metric): string[] {
  return type === "histogram" ? [name, `${name}_bucket`, `${name}_sum`, `${name}_count`] : [name];
}

function samplesText(name: string, samples: readonly Sample[]): string {
  const seen = new Set<string>();
  let text = "";
  for (const [labels, value] of samples) {
    const own = labelsText(labels);
    seen.add(own);
    text += `${name}${own} ${valueText(value)}\n`;
  }
  // The same labels may be there in another order, too; scrapes are frequent, so that is looked at where it can be.
  const uniform = samples.every(([labels]) => sameNames(labels, samples[0]![0]));
  const different = uniform ? seen.size : new Set(samples.map(([labels]) => sortedText(labels))).size;
  if (different < samples.length) throw new RangeError(`Cannot give ${name} two values for the same labels`);
  return text;
}

function sameNames(a: Labels, b: Labels): boolean {
  const names = Object.keys(a);
  const others = Object.keys(b);
  return names.length === others.length && names.every((name, i) => name === others[i]);
}

function sortedText(labels: Labels): string {
  return labelsText(Object.fromEntries(Object.entries(labels).sort(([a], [b]) => a < b ? -1 : 1)));
}

function labelsText(labels: Labels): string {
  let text = "";
  for (const name in labels) {
    if (!LABEL_NAME.test(name)) throw new RangeError(`Cannot name a label ${JSON.stringify(name)}`);
    text += `${text === "" ? "{" : ","}${name}="${escapeLabel(labels[name]!)}"`;
  }
  return text === "" ? "" : `${text}}`;
}

function histogramText(name: string, { bounds, counts, count, sum }: Histogram): string {
  if (counts.length !== bounds.length) {
    throw new RangeError(`Cannot write ${name}: ${counts.length} counts for ${bounds.length} bounds`);
  }
  const totals = [...counts, count];
  if (!totals.every((total, i) => total >= (totals[i - 1] ?? 0))) {
    throw new RangeError(`Cannot write ${name}: its counts ${totals.join(", ")} are not cumulative`);
  }
  if (!bounds.every((bound, i) => Number.isFinite(bound) && bound > (bounds[i - 1] ?? -Infinity))) {
    throw new RangeError(`Cannot write ${name}: its bounds ${bounds.join(", ")} do not ascend`);
  }
  const buckets = bounds.map((bound, i) => `${name}_bucket{le="${valueText(bound)}"} ${counts[i]}\n`);
  return `${buckets.join("")}${name}_bucket{le="+Inf"} ${count}\n` +
    `${name}_sum ${valueText(sum)}\n${name}_count ${count}\n`;
}

/** As Go's ParseFloat reads it. */
function valueText(value: number): string {
  if (Number.isNaN(value)) return "NaN";
  return value === Infinity ? "+Inf" : value === -Infinity ? "-Inf" : String(value);
}

function escapeHelp(text: string): string {
  if (!/[\\\n]/.test(text)) return text;
  return text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
}

function escapeLabel(text: string): string {
  const escaped = escapeHelp(text);
  return escaped.includes('"') ? escaped.replaceAll('"', '\\"') : escaped;
}
