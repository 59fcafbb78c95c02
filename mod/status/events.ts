/**
 * `GET /events`: the history, as an array or as a stream that goes on.
 *
 * @module
 */
import type { Context } from "hono";
import { streamSSE } from "hono/streaming";
import type { HistoryEntry } from "./model.ts";
import { readSince, type Since } from "./since.ts";
import type { StatusStore } from "./store.ts";
import { viewEvent } from "./view.ts";

/** How streams behave. */
export interface StreamOptions {
  readonly keepAliveMs?: number;
  readonly maxStreams?: number;
}

/** Answers a request for events. `streams` counts those that are open. */
export function answerEvents(
  c: Context,
  store: StatusStore,
  streams: { open: number },
  { keepAliveMs = 15_000, maxStreams = 64 }: StreamOptions,
): Response {
  const follow = c.req.query("follow") ?? "true";
  if (follow !== "true" && follow !== "false") {
    return c.json({ error: "`follow` must be true or false" }, 400);
  }
  // Whoever comes back with the number that he heard last still has the address that he came by first.
  const last = c.req.header("last-event-id") ?? null;
  const given = last ?? c.req.query("since") ?? null;
  const start = given === null ? null : readSince(given);
  if (given !== null && start === null) {
    return c.json(
      { error: "`since` must be the number of an event or a time like 2026-11-20T03:00:00Z" },
      400,
    );
  }
  const replayed = start === null ? null : replay(store, start, last !== null);
  if (follow === "false") return c.json((replayed ?? store.history()).map(viewEvent));
  if (c.req.raw.method === "HEAD") return c.body(null, 200, { "content-type": "text/event-stream" });
  if (streams.open >= maxStreams) return c.json({ error: "Too many event streams are open" }, 503);
  streams.open++;
  return stream(c, store, replayed ?? [], keepAliveMs, () => streams.open--);
}

/**
 * What came since.
 *
 * @param heard The number is one that the reader was given. Beyond the newest it is from another run, whose clock was
 * ahead: then he has heard nothing of this one.
 */
function replay(store: StatusStore, since: Since, heard: boolean): readonly HistoryEntry[] {
  if (since.type === "time") return store.history().filter(({ atMs }) => atMs >= since.ms);
  return heard && since.id > store.lastEventId ? store.history() : store.after(since.id);
}

/**
 * Streams `first` and then each new event. The store's history is the queue: a reader that is too slow for it misses
 * events and is told so, and costs no memory.
 */
function stream(
  c: Context,
  store: StatusStore,
  first: readonly HistoryEntry[],
  keepAliveMs: number,
  closed: () => void,
): Response {
  let cursor = store.lastEventId;
  // The type of the events is left out: browsers then give them all to one listener, and take none for `error`.
  const lines = ({ id, data }: { id: number; data: string }) => `data: ${data}\nid: ${id}\n\n`;
  const encode = (entries: readonly HistoryEntry[]) =>
    entries.map((entry) => lines({ id: entry.id, data: JSON.stringify(viewEvent(entry)) })).join("");
  return streamSSE(c, async (out) => {
    let wake = () => {};
    const unsubscribe = store.subscribe(() => wake());
    out.onAbort(() => wake());
    try {
      // Sent at once, so that the client has its headers; and how long it waits before it comes back.
      await out.write(`retry: 1000\n\n${encode(first)}`);
      while (!out.aborted && !out.closed) {
        const news = store.after(cursor);
        if (news.length > 0) {
          const missed = news[0]!.id - cursor - 1;
          cursor = news.at(-1)!.id;
          await out.write((missed > 0 ? `: ${missed} events were missed\n\n` : "") + encode(news));
          continue;
        }
        const timely = await new Promise<boolean>((resolve) => {
          const timer = setTimeout(resolve, keepAliveMs, false);
          wake = () => {
            clearTimeout(timer);
            resolve(true);
          };
        });
        if (!timely && !out.aborted) await out.write(": still here\n\n");
      }
    } finally {
      unsubscribe();
      closed();
    }
  });
}
