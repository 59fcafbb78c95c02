import { expect, test } from "bun:test";
import type { Report } from "../../../../mod/bus/messages.ts";
import { Outbox } from "../../../../mod/engine/outbox.ts";
import type { LinePipe } from "../../../../mod/engine/pipe.ts";

/** A pipe that keeps what is written. */
function fakePipe() {
  const reports: Report[] = [];
  const write = (text: string) => {
    for (const line of text.trimEnd().split("\n")) reports.push(JSON.parse(line) as Report);
  };
  return { pipe: { write, congested: false } as unknown as LinePipe, reports };
}

const told = (reports: readonly Report[]) =>
  reports.flatMap((report) => report.type === "event" ? [[report.event.text, report.again ?? false]] : []);

test("a new control process hears the whole history, and what of it another one took in", () => {
  const outbox = new Outbox();
  const event = (text: string) => outbox.event({ kind: "transition", subject: "web", text });
  event("before the first");
  const first = fakePipe();
  outbox.connect(first.pipe, 0, null);
  event("to the first");
  event("to the first, which hangs");
  outbox.flush();
  outbox.heard(1);
  outbox.heard(1);
  expect(told(first.reports)).toEqual([
    ["before the first", false],
    ["to the first", false],
    ["to the first, which hangs", false],
  ]);

  outbox.disconnect();
  event("to nobody");
  const second = fakePipe();
  outbox.connect(second.pipe, 0, null);
  event("to the second");
  outbox.flush();
  expect(told(second.reports)).toEqual([
    ["before the first", true],
    ["to the first", true],
    ["to the first, which hangs", false],
    ["to nobody", false],
    ["to the second", false],
  ]);
  outbox.heard(5);
  const third = fakePipe();
  outbox.connect(third.pipe, 0, null);
  outbox.flush();
  expect(told(third.reports).map(([, again]) => again)).toEqual([true, true, true, true, true]);
});
