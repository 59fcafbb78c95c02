/** The API behind real listeners: a unix socket and loopback TCP. */
import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fetchUnix, type Listener, serveTcp, serveUnix } from "../../../../lib/runtime/mod.ts";
import { createApp } from "../../../../mod/status/app.ts";
import type { Access } from "../../../../mod/status/model.ts";
import { BUILD, filledStore, NOW } from "./fixture.ts";

const folder = mkdtempSync(join(tmpdir(), `appliance-status-${process.pid}-`));
const store = filledStore();
const listeners: Listener[] = [];
const actions = { reload: () => Promise.resolve({ ok: true, text: "applied" }) };

function app(access: Access) {
  return createApp({ store, actions, access, build: BUILD, keepAliveMs: 40, maxStreams: 2 });
}

const socket = join(folder, "api.sock");
listeners.push(await serveUnix(app({ type: "full" }).fetch, { path: socket }));
const tcp = serveTcp(app({ type: "token", token: () => "s3cret" }).fetch, { hostname: "127.0.0.1", port: 0 });
listeners.push(tcp);

afterAll(async () => {
  for (const listener of listeners) await listener.stop();
  rmSync(folder, { recursive: true, force: true });
});

type Ask = (path: string, init?: RequestInit) => Promise<Response>;

const doors: [string, Ask][] = [
  ["a unix socket", (path, init) => fetchUnix(socket, path, init)],
  ["TCP", (path, init) => fetch(`http://${tcp.address}${path}`, init)],
];

/** Reads a stream until its text matches, for 5 s at most. */
async function readUntil(reader: ReadableStreamDefaultReader<Uint8Array>, pattern: RegExp): Promise<string> {
  const end = Date.now() + 5_000;
  let text = "";
  while (!pattern.test(text)) {
    const limit = new Promise<null>((resolve) => setTimeout(resolve, Math.max(0, end - Date.now()), null));
    const chunk = await Promise.race([reader.read(), limit]);
    if (chunk === null || chunk.done) throw new Error(`The stream never said ${pattern}, only:\n${text}`);
    text += new TextDecoder().decode(chunk.value);
  }
  return text;
}

const add = (text: string) => store.add({ atMs: NOW, kind: "repair", subject: "web", text });

describe.each(doors)("over %s", (_, ask) => {
  test("documents are answered", async () => {
    expect(await (await ask("/status")).json()).toMatchObject({ node: "edge-a" });
    const head = await ask("/healthz", { method: "HEAD" });
    const got = await ask("/healthz");
    expect([head.status, head.headers.get("content-length")])
      .toEqual([got.status, String((await got.arrayBuffer()).byteLength)]);
    expect((await ask("/nothing")).status).toBe(404);
  });

  test("events are replayed, then come live, and silence is broken", async () => {
    const before = add("before").id;
    add("replayed");
    const leaving = new AbortController();
    const response = await ask("/events", {
      headers: { "last-event-id": String(before) },
      signal: leaving.signal,
    });
    expect(response.headers.get("content-type")).toBe("text/event-stream");
    const reader = response.body!.getReader();
    const first = await readUntil(reader, /replayed"[^\n]*\nid: \d+\n\n/);
    expect(first).not.toContain('"before"');
    const { id } = add("live");
    const second = await readUntil(reader, /"live"[^\n]*\nid: \d+\n\n/);
    expect(second).toContain(`\nid: ${id}\n\n`);
    expect(JSON.parse(/^data: (.*)$/m.exec(second)![1]!)).toMatchObject({ id, kind: "repair", text: "live" });
    await readUntil(reader, /^: still here\n\n/m);
    leaving.abort();
  });

  test("a stream without a number begins with what comes next", async () => {
    add("old");
    const leaving = new AbortController();
    const reader = (await ask("/events", { signal: leaving.signal })).body!.getReader();
    await readUntil(reader, /^retry: \d+\n\n/);
    add("new");
    const text = await readUntil(reader, /"new"/);
    expect(text).not.toContain('"old"');
    leaving.abort();
  });

  test("too many streams are refused, and leaving makes room", async () => {
    const leaving = new AbortController();
    const open = async () => {
      const response = await ask("/events", { signal: leaving.signal });
      return response.status;
    };
    // Those of the tests before may not have been noticed to be gone yet.
    const end = Date.now() + 5_000;
    const statuses: number[] = [];
    while (statuses.length < 3 && Date.now() < end) {
      const status = await open();
      if (statuses.length < 2 && status === 503) await Bun.sleep(10);
      else statuses.push(status);
    }
    expect(statuses).toEqual([200, 200, 503]);
    leaving.abort();
    let again = 503;
    const later = new AbortController();
    while (again === 503 && Date.now() < end) {
      again = (await ask("/events", { signal: later.signal })).status;
      if (again === 503) await Bun.sleep(10);
    }
    later.abort();
    expect(again).toBe(200);
  });
});

test("the unix socket may act, TCP only with the token", async () => {
  const [unix, remote] = [doors[0]![1], doors[1]![1]];
  expect((await unix("/reload", { method: "POST" })).status).toBe(200);
  const refused = await remote("/reload", { method: "POST" });
  expect([refused.status, refused.headers.get("www-authenticate")]).toEqual([401, "Bearer"]);
  const authorization = "Bearer s3cret";
  expect((await remote("/reload", { method: "POST", headers: { authorization } })).status).toBe(200);
});

test("a reader that is slower than the history is told what it missed", async () => {
  const leaving = new AbortController();
  const response = await fetchUnix(socket, "/events", { signal: leaving.signal });
  const reader = response.body!.getReader();
  await readUntil(reader, /^retry/);
  // All at once, before the stream can be written to: only the last thousand are remembered.
  for (let i = 0; i < 1_500; i++) add(`flood ${i}`);
  const text = await readUntil(reader, /"flood 1499"/);
  expect(text).toContain(": 500 events were missed\n\n");
  expect(text).not.toContain('"flood 499"');
  expect(text).toContain('"flood 500"');
  leaving.abort();
});
