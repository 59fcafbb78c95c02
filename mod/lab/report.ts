/**
 * The time line and what comes out of it, as text and as a document. Pure.
 *
 * @module
 */

/** One line of the time line. */
export interface TimelineEntry {
  /** Milliseconds since the demo began. */
  readonly atMs: number;
  /** A node, `client`, or null for what the demo itself does. */
  readonly who: string | null;
  /** `action`, `client`, or the kind of an event of a node. */
  readonly kind: string;
  /** Instance or probe. */
  readonly subject: string | null;
  readonly text: string;
}

/** What one act of the demo did to the client. */
export interface PhaseReport {
  /** `nginx-killed`, `isolated`… */
  readonly name: string;
  /** What was done, in words. */
  readonly title: string;
  readonly startedMs: number;
  /** Milliseconds without an answer. */
  readonly outageMs: number;
  /** What it must not exceed; null = it is only told. */
  readonly limitMs: number | null;
  /** Requests without an answer. */
  readonly unanswered: number;
  readonly servedBefore: string;
  readonly servedAfter: string;
}

/** The result of a demo. */
export interface DemoReport {
  readonly ok: boolean;
  /** Each expectation that was not met, in words. */
  readonly failures: readonly string[];
  readonly durationMs: number;
  /** Who moved the packets of the tunnel between the nodes; null = there was none, or it never came up. */
  readonly datapath: "kernel" | "user" | null;
  /** `nginx 1.22.1` or `built-in`. */
  readonly webServer: string;
  readonly requests: { readonly answered: number; readonly unanswered: number };
  readonly phases: readonly PhaseReport[];
  readonly timeline: readonly TimelineEntry[];
}

/** Colours of a terminal. */
export type Colour = "red" | "green" | "yellow" | "cyan" | "dim" | "bold";

const CODES: Readonly<Record<Colour, string>> = {
  red: "31",
  green: "32",
  yellow: "33",
  cyan: "36",
  dim: "2",
  bold: "1",
};

/** Text in a colour, or as it is. */
export function coloured(text: string, colour: Colour | null, colours: boolean): string {
  return colours && colour !== null ? `\x1b[${CODES[colour]}m${text}\x1b[0m` : text;
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(3).padStart(7)} s`;
}

/** Milliseconds in words, whole. */
export function msText(ms: number): string {
  return `${Math.round(ms)} ms`;
}

function colourOf({ kind, text }: TimelineEntry): Colour | null {
  if (kind === "client") return "cyan";
  if (/→ (master|up)\b/.test(text)) return "green";
  if (/→ (fault|down)\b/.test(text) || kind === "error") return "red";
  return kind === "split-brain" || kind === "priority" ? "yellow" : null;
}

/** One entry as a line; `width` is that of the longest name of a node. What the demo does begins a paragraph. */
export function timelineLine(entry: TimelineEntry, width: number, colours: boolean): string {
  const time = coloured(seconds(entry.atMs), "dim", colours);
  if (entry.who === null) return `\n${time}  ${coloured(entry.text, "bold", colours)}`;
  const subject = entry.subject === null ? "" : `${subjectKind(entry.kind)}${entry.subject}: `;
  return `${time}    ${entry.who.padEnd(width)}  ${coloured(subject + entry.text, colourOf(entry), colours)}`;
}

/** Instances and probes often have the same name. */
function subjectKind(kind: string): string {
  return kind === "probe" || kind === "tunnel" ? `${kind} ` : "";
}

function datapathText(datapath: DemoReport["datapath"]): string[] {
  if (datapath === null) return [];
  const who = datapath === "kernel" ? "the kernel" : "a process of its own: this kernel has no GRE";
  return [`  The tunnel's packets were moved by ${who}`];
}

/** What the client saw, and the verdict, as lines. */
export function summaryLines(report: DemoReport, colours: boolean): string[] {
  const width = Math.max(...report.phases.map(({ title }) => title.length), 0);
  const lines = report.phases.map((phase) => {
    const within = phase.limitMs === null || phase.outageMs <= phase.limitMs;
    const limit = phase.limitMs === null ? "" : `, at most ${msText(phase.limitMs)} allowed`;
    const outage = coloured(
      `${Math.round(phase.outageMs)}`.padStart(5) + " ms",
      within ? "green" : "red",
      colours,
    );
    return `  ${phase.title.padEnd(width)}  ${outage} without an answer (${phase.servedBefore} → ` +
      `${phase.servedAfter}${limit})`;
  });
  const { answered, unanswered } = report.requests;
  const verdict = report.ok
    ? coloured("Good: the address moved and the client was served each time", "green", colours)
    : coloured(`Failed: ${report.failures.join("; ")}`, "red", colours);
  return [
    "",
    coloured("What the client saw", "bold", colours),
    ...lines,
    `  ${answered + unanswered} requests in ${
      (report.durationMs / 1000).toFixed(1)
    } s, ${unanswered} without an answer`,
    ...datapathText(report.datapath),
    "",
    verdict,
  ];
}

/** The report as the document that `--json` prints. */
export function reportDocument(report: DemoReport): Record<string, unknown> {
  const round = (ms: number) => Math.round(ms * 10) / 10;
  return {
    ok: report.ok,
    failures: report.failures,
    duration_ms: round(report.durationMs),
    web_server: report.webServer,
    datapath: report.datapath,
    requests: report.requests,
    phases: report.phases.map((phase) => ({
      name: phase.name,
      title: phase.title,
      started_ms: round(phase.startedMs),
      outage_ms: round(phase.outageMs),
      limit_ms: phase.limitMs,
      unanswered: phase.unanswered,
      served_before: phase.servedBefore,
      served_after: phase.servedAfter,
    })),
    timeline: report.timeline.map(({ atMs, who, kind, subject, text }) => ({
      at_ms: round(atMs),
      who,
      kind,
      subject,
      text,
    })),
  };
}
