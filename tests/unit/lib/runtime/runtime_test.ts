import { afterAll, afterEach, describe, expect, test } from "bun:test";
import { existsSync, mkdtempSync, openSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createConnection, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  codeOf,
  fetchUnix,
  reasonOf,
  selfCommand,
  serveTcp,
  serveUnix,
  spawnChild,
} from "../../../../lib/runtime/mod.ts";
import type { Listener } from "../../../../lib/runtime/mod.ts";

const folder = mkdtempSync(join(tmpdir(), `appliance-runtime-${process.pid}-`));
const listeners: Listener[] = [];

afterEach(async () => {
  for (const listener of listeners.splice(0)) await listener.stop();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function kept(listener: Listener): Listener {
  listeners.push(listener);
  return listener;
}

async function messageOf(action: () => unknown): Promise<string> {
  try {
    await action();
  } catch (thrown) {
    return (thrown as Error).message;
  }
  return "nothing was thrown";
}

const hello = () => new Response("hello");

describe("serveUnix()", () => {
  test("answers on a socket of mode 0660 in a folder of mode 0750, and removes it when stopped", async () => {
    const path = join(folder, "new", "api.sock");
    const listener = kept(await serveUnix(hello, { path }));
    expect(listener.address).toBe(path);
    expect(statSync(path).mode & 0o777).toBe(0o660);
    expect(statSync(join(folder, "new")).mode & 0o777).toBe(0o750);
    expect(await (await fetchUnix(path, "/x")).text()).toBe("hello");
    await listeners.pop()!.stop();
    expect(existsSync(path)).toBe(false);
  });

  test("refuses a socket that somebody answers on and leaves it working", async () => {
    const path = join(folder, "busy.sock");
    kept(await serveUnix(hello, { path }));
    expect(await messageOf(() => serveUnix(hello, { path }))).toBe(
      `Cannot listen on ${path}: another process answers there`,
    );
    expect(await (await fetchUnix(path, "/")).text()).toBe("hello");
  });

  test("replaces a socket whose process is dead", async () => {
    const path = join(folder, "stale.sock");
    const child = Bun.spawnSync([
      process.execPath,
      "-e",
      `
      const net = require("node:net");
      net.createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, "SIGKILL"));
    `,
    ]);
    expect(child.exitCode).not.toBe(0);
    expect(statSync(path).isSocket()).toBe(true);
    kept(await serveUnix(hello, { path }));
    expect(await (await fetchUnix(path, "/")).text()).toBe("hello");
  });

  test("does not remove a file that is no socket", async () => {
    const path = join(folder, "plain");
    writeFileSync(path, "precious");
    expect(await messageOf(() => serveUnix(hello, { path }))).toBe(
      `Cannot listen on ${path}: a file that is not a socket is in the way`,
    );
    expect(readFileSync(path, "utf8")).toBe("precious");
  });

  test("does not remove a socket that another process has put in its place", async () => {
    const path = join(folder, "replaced.sock");
    const listener = await serveUnix(hello, { path });
    rmSync(path);
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(path, resolve));
    await listener.stop();
    expect(existsSync(path)).toBe(true);
    await new Promise((resolve) => other.close(resolve));
  });

  test("refuses a path that does not fit", async () => {
    const path = join(folder, "x".repeat(110));
    expect(await messageOf(() => serveUnix(hello, { path }))).toBe(
      `Cannot listen on ${path}: the path is longer than 107 bytes`,
    );
  });
});

describe("serveTcp()", () => {
  test("takes a free port and says which", async () => {
    const listener = kept(serveTcp(hello, { hostname: "127.0.0.1", port: 0 }));
    expect(listener.address).toMatch(/^127\.0\.0\.1:[1-9]\d+$/);
    expect(await (await fetch(`http://${listener.address}/`)).text()).toBe("hello");
  });

  test("says that a port is taken, and that an address is not ours", async () => {
    const taken = kept(serveTcp(hello, { hostname: "127.0.0.1", port: 0 })).address;
    const port = Number(taken.split(":")[1]);
    expect(await messageOf(() => serveTcp(hello, { hostname: "127.0.0.1", port }))).toBe(
      `Cannot listen on ${taken}: address already in use`,
    );
    expect(await messageOf(() => serveTcp(hello, { hostname: "192.0.2.77", port: 1 }))).toBe(
      "Cannot listen on 192.0.2.77:1: address not available",
    );
    expect(await messageOf(() => serveTcp(hello, { hostname: "nobody.invalid", port: 1 }))).toBe(
      "Cannot listen on nobody.invalid:1: the name leads to no address of this machine",
    );
  });

  test("gives a request without a Host header, as plain health checks send it, a whole URL", async () => {
    const { address } = kept(serveTcp(async (request) => {
      return new Response([request.method, request.url, await request.text()].join(" "));
    }, { hostname: "127.0.0.1", port: 0 }));
    const ask = async (text: string) => {
      const [host, port] = address.split(":");
      const socket = createConnection(Number(port), host, () => socket.write(text));
      let answer = "";
      for await (const chunk of socket.setEncoding("utf8")) answer += chunk as string;
      return answer.split("\r\n\r\n")[1];
    };
    expect(await ask("GET /healthz?a=b HTTP/1.0\r\n\r\n")).toBe("GET http://localhost/healthz?a=b ");
    expect(await ask("POST /m HTTP/1.0\r\nContent-Length: 2\r\n\r\nok")).toBe("POST http://localhost/m ok");
  });

  test("turns an exception of the handler into a bare 500", async () => {
    const { address } = kept(serveTcp(() => {
      throw new Error("secret detail");
    }, { hostname: "127.0.0.1", port: 0 }));
    const response = await fetch(`http://${address}/`);
    expect(response.status).toBe(500);
    expect(await response.text()).toBe('{"error":"Internal error"}');
  });
});

test("silent TCP connections are closed, event streams are not; nothing is on a unix socket", async () => {
  const handler = (request: Request) => {
    const type = request.url.endsWith("/events") ? "text/event-stream" : "text/plain";
    const body = new ReadableStream({
      async start(controller) {
        controller.enqueue(new TextEncoder().encode("first"));
        await new Promise((resolve) => setTimeout(resolve, 6_000));
        try {
          controller.enqueue(new TextEncoder().encode(" last"));
          controller.close();
        } catch {
          // The connection is gone, as it should be for plain text.
        }
      },
    });
    return new Response(body, { headers: { "content-type": type } });
  };
  const path = join(folder, "idle.sock");
  const { address } = kept(serveTcp(handler, { hostname: "127.0.0.1", port: 0, idleTimeoutS: 1 }));
  kept(await serveUnix(handler, { path }));
  const read = (answer: Promise<Response>) => answer.then((r) => r.text()).catch(() => "closed");
  const [tcpEvents, tcpPlain, unixEvents, unixPlain] = await Promise.all([
    read(fetch(`http://${address}/events`)),
    read(fetch(`http://${address}/plain`)),
    read(fetchUnix(path, "/events")),
    read(fetchUnix(path, "/plain")),
  ]);
  expect([tcpEvents, unixEvents]).toEqual(["first last", "first last"]);
  expect(tcpPlain).not.toBe("first last");
  expect(unixPlain).toBe("first last");
}, 15_000);

describe("spawnChild()", () => {
  test("gives the child its argv[0], environment and descriptors", async () => {
    const out = join(folder, "child.out");
    const fd = openSync(out, "w");
    const pid = spawnChild({
      path: "/bin/sh",
      argv: ["mysh", "-c", 'echo "$0 $ONE ${HOME-none}"'],
      env: { ONE: "1" },
      stdio: ["ignore", fd, "inherit"],
    });
    expect(pid).toBeGreaterThan(1);
    const end = Date.now() + 5_000;
    while (readFileSync(out, "utf8") === "" && Date.now() < end) await Bun.sleep(5);
    expect(readFileSync(out, "utf8")).toBe("mysh 1 none\n");
  });

  test("says what could not be started", async () => {
    const options = {
      path: "/no/such",
      argv: ["x"] as [string],
      env: {},
      stdio: ["ignore", "ignore", "ignore"] as const,
    };
    expect(await messageOf(() => spawnChild(options))).toBe(
      "Cannot start /no/such: no such file or directory",
    );
  });
});

test("selfCommand() starts the runtime with the main script when run from source", () => {
  const [program, script, ...args] = selfCommand(["control", "-c", "x"]);
  expect(program).toBe(process.execPath);
  expect(script).toBe(Bun.main);
  expect(args).toEqual(["control", "-c", "x"]);
});

test("fetchUnix() rejects with a code when there is no socket", async () => {
  const thrown = await fetchUnix(join(folder, "none.sock"), "/").catch((error: unknown) => error);
  expect(codeOf(thrown)).toBe("ENOENT");
});

test("reasonOf() has words for codes, and the message otherwise", () => {
  expect(reasonOf({ code: "EADDRINUSE" })).toBe("address already in use");
  expect(reasonOf(new Error("odd"))).toBe("odd");
  expect(reasonOf(new Error(""))).toBe("unknown error");
});
