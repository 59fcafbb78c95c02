import { afterEach, beforeEach, expect, test } from "bun:test";
import { chmodSync, mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fetchUnix } from "../../../../lib/runtime/mod.ts";
import { ApiListeners } from "../../../../mod/control/listeners.ts";

let directory: string;
let listeners: ApiListeners;
let other: Server;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "appliance-doors-"));
  listeners = new ApiListeners({ local: () => new Response("local"), remote: () => new Response("remote") });
  other = createServer();
});
afterEach(async () => {
  await listeners.close();
  other.close();
  rmSync(directory, { recursive: true });
});

/** A port of 127.0.0.1; taken by another program from now on if `taken`. */
async function port(taken: boolean): Promise<number> {
  const server = taken ? other : createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  if (!taken) await new Promise((resolve) => server.close(resolve));
  return port;
}

const api = (name: string, port: number | null) => ({
  socket: join(directory, name),
  listen: port === null ? null : { host: "127.0.0.1", port },
  token: null,
});
const local = async (name: string) => await (await fetchUnix(join(directory, name), "/")).text();
const remote = async (port: number) => await (await fetch(`http://127.0.0.1:${port}/`)).text();

test("where one door cannot be opened, the others stay where they are", async () => {
  const [free, taken] = [await port(false), await port(true)];
  await listeners.open(api("a.sock", free));
  await expect(listeners.open(api("b.sock", taken))).rejects.toThrow("address already in use");
  expect(readdirSync(directory)).toEqual(["a.sock"]);
  expect(await local("a.sock")).toBe("local");
  expect(await remote(free)).toBe("remote");
});

/** Whether nobody listens on a port. */
const closed = (port: number) => remote(port).then(() => false, () => true);

test("the doors move at once, and back at once", async () => {
  const [first, second] = [await port(false), await port(false)];
  await listeners.open(api("a.sock", first));
  await listeners.open(api("b.sock", second));
  expect(await local("b.sock")).toBe("local");
  expect(await remote(second)).toBe("remote");
  expect(await closed(first)).toBeTrue();
  expect(readdirSync(directory)).toEqual(["b.sock"]);
  await listeners.open(api("a.sock", first));
  expect(await remote(first)).toBe("remote");
  expect(await local("a.sock")).toBe("local");
  expect(await closed(second)).toBeTrue();
  await listeners.open(api("a.sock", null));
  expect(await closed(first)).toBeTrue();
});

test("who came by a door before it was closed gets his answer, though another listens on its port", async () => {
  let answer = () => {};
  const waiting = new Promise<void>((resolve) => answer = resolve);
  let came = 0;
  const slow = async () => {
    came++;
    await waiting;
    return new Response("late");
  };
  const doors = new ApiListeners({ local: slow, remote: slow });
  const at = await port(false);
  await doors.open(api("a.sock", at));
  const asked = [local("a.sock"), remote(at)];
  while (came < 2) await Bun.sleep(1);
  await doors.open({ ...api("b.sock", at), listen: { host: "0.0.0.0", port: at } });
  doors.dismiss();
  answer();
  expect(await Promise.all(asked)).toEqual(["late", "late"]);
  await doors.close();
});

test("who stays in a door that is no longer wanted is sent away", async () => {
  const endless = () => new Response(new ReadableStream({ start: (out) => out.enqueue(new Uint8Array(1)) }));
  const doors = new ApiListeners({ local: endless, remote: endless });
  const at = await port(false);
  await doors.open(api("a.sock", at));
  const reader = (await fetch(`http://127.0.0.1:${at}/`)).body!.getReader();
  await reader.read();
  await doors.open(api("a.sock", null));
  doors.dismiss();
  await expect(reader.read().then(({ done }) => ({ done }))).rejects.toThrow();
  await doors.close();
});

test("at the start the unix socket is there, though the port is another's", async () => {
  await expect(listeners.open(api("a.sock", await port(true)))).rejects.toThrow();
  expect(await local("a.sock")).toBe("local");
});

test("a socket that somebody has removed is put back, at once by a reload", async () => {
  await listeners.open(api("a.sock", null));
  expect(await listeners.repair()).toBeFalse();
  rmSync(join(directory, "a.sock"));
  expect(await listeners.repair()).toBeTrue();
  expect([await local("a.sock"), await listeners.repair()]).toEqual(["local", false]);

  rmSync(join(directory, "a.sock"));
  await listeners.open(api("a.sock", null));
  expect([await local("a.sock"), readdirSync(directory)]).toEqual(["local", ["a.sock"]]);
  await listeners.close();
  expect([await listeners.repair(), readdirSync(directory)]).toEqual([false, []]);
});

test("a socket whose group was changed is left as it is", async () => {
  await listeners.open(api("a.sock", null));
  chmodSync(join(directory, "a.sock"), 0o600);
  expect(await listeners.repair()).toBeFalse();
  await listeners.open(api("a.sock", null));
  expect([await local("a.sock"), statSync(join(directory, "a.sock")).mode & 0o777]).toEqual(["local", 0o600]);
  await listeners.close();
  expect(readdirSync(directory)).toEqual([]);
});
