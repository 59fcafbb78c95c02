/** The time line and the verdict, as text and as a document; and putting entries in order. */
import { describe, expect, test } from "bun:test";
import { orderedByTime } from "../../../../mod/lab/order.ts";
import {
  type DemoReport,
  reportDocument,
  summaryLines,
  type TimelineEntry,
  timelineLine,
} from "../../../../mod/lab/report.ts";

const ENTRY: TimelineEntry = {
  atMs: 1234.6,
  who: "edge-a",
  kind: "transition",
  subject: "web",
  text: "backup → master: why",
};

const REPORT: DemoReport = {
  ok: true,
  failures: [],
  durationMs: 8671.83,
  datapath: null,
  webServer: "nginx 1.22.1",
  requests: { answered: 700, unanswered: 41 },
  phases: [
    {
      name: "web-killed",
      title: "nginx is killed",
      startedMs: 1600.04,
      outageMs: 71.26,
      limitMs: 1000,
      unanswered: 5,
      servedBefore: "edge-a",
      servedAfter: "edge-b",
    },
    {
      name: "stopped",
      title: "The daemon is stopped",
      startedMs: 3000,
      outageMs: 11,
      limitMs: null,
      unanswered: 0,
      servedBefore: "edge-b",
      servedAfter: "edge-a",
    },
  ],
  timeline: [ENTRY],
};

describe("the time line", () => {
  test("an event has its time, node and subject in columns", () => {
    expect(timelineLine(ENTRY, 7, false)).toBe("  1.235 s    edge-a   web: backup → master: why");
    const probe = { ...ENTRY, kind: "probe", text: "up → down: gone" };
    expect(timelineLine(probe, 6, false)).toBe("  1.235 s    edge-a  probe web: up → down: gone");
  });

  test("what the demo does begins a paragraph", () => {
    const action = { ...ENTRY, who: null, kind: "action", subject: null, text: "nginx is killed" };
    expect(timelineLine(action, 6, false)).toBe("\n  1.235 s  nginx is killed");
  });

  test("colours are there exactly where they are wanted", () => {
    expect(timelineLine(ENTRY, 6, true)).toContain("\x1b[32mweb: backup → master: why\x1b[0m");
    expect([timelineLine(ENTRY, 6, false), ...summaryLines(REPORT, false)].join()).not.toContain("\x1b");
  });
});

describe("the summary", () => {
  test("a good demo", () => {
    expect(summaryLines(REPORT, false)).toEqual([
      "",
      "What the client saw",
      "  nginx is killed           71 ms without an answer (edge-a → edge-b, at most 1000 ms allowed)",
      "  The daemon is stopped     11 ms without an answer (edge-b → edge-a)",
      "  741 requests in 8.7 s, 41 without an answer",
      "",
      "Good: the address moved and the client was served each time",
    ]);
  });

  test("a failed one says what failed", () => {
    const failed = { ...REPORT, ok: false, failures: ["edge-b is master: not within 4 s, it is backup"] };
    expect(summaryLines(failed, false).at(-1)).toBe("Failed: edge-b is master: not within 4 s, it is backup");
  });

  test("a demo that failed before its first act", () => {
    const failed = { ...REPORT, ok: false, phases: [], failures: ["the daemon on edge-a ended by itself"] };
    expect(summaryLines(failed, false)).toContain("What the client saw");
  });
});

test("the document", () => {
  expect(reportDocument(REPORT)).toMatchObject({
    ok: true,
    failures: [],
    duration_ms: 8671.8,
    web_server: "nginx 1.22.1",
    requests: { answered: 700, unanswered: 41 },
    phases: [{
      name: "web-killed",
      started_ms: 1600,
      outage_ms: 71.3,
      limit_ms: 1000,
      served_before: "edge-a",
      served_after: "edge-b",
    }, { name: "stopped", limit_ms: null }],
    timeline: [{
      at_ms: 1234.6,
      who: "edge-a",
      kind: "transition",
      subject: "web",
      text: "backup → master: why",
    }],
  });
});

describe("orderedByTime", () => {
  test("an entry that comes late, but soon enough, is put before the later one", async () => {
    const out: string[] = [];
    const done = Promise.withResolvers<void>();
    const ordered = orderedByTime<{ atMs: number; name: string }>(({ name }) => {
      if (out.push(name) === 4) done.resolve();
    }, 20);
    for (const [atMs, name] of [[5, "b"], [3, "a"], [5, "c"], [9, "d"]] as const) ordered.add({ atMs, name });
    expect(out).toEqual([]);
    await done.promise;
    expect(out).toEqual(["a", "b", "c", "d"]);
  });

  test("flush hands on everything at once, and nothing twice", async () => {
    const out: number[] = [];
    const ordered = orderedByTime<{ atMs: number }>(({ atMs }) => out.push(atMs), 5);
    ordered.add({ atMs: 2 });
    ordered.add({ atMs: 1 });
    ordered.flush();
    expect(out).toEqual([1, 2]);
    const last = Promise.withResolvers<void>();
    orderedByTime<{ atMs: number }>(() => last.resolve(), 10).add({ atMs: 0 });
    await last.promise;
    expect(out).toEqual([1, 2]);
  });
});
