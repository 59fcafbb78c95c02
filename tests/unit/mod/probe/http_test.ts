import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createServer, type Server, type Socket } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import type { HttpRequest } from "../../../../mod/probe/model.ts";
import {
  common,
  errorOf,
  listen,
  makeCertificates,
  request,
  runOnce,
  temporaryFolder,
  until,
} from "./helpers.ts";

const servers: Server[] = [];
const sockets = new Set<Socket>();
const heads: string[] = [];
const names: (string | false)[] = [];
const folder = temporaryFolder();
let url = "";
let port = 0;
let tlsPort = 0;
let certificates: ReturnType<typeof makeCertificates>;

const ok = (body: string) => `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`;

function answer(socket: Socket, path: string): void {
  switch (path) {
    case "/hang":
      return;
    case "/slow": {
      socket.write("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n");
      const timer = setInterval(() => socket.write("x"), 20);
      socket.on("close", () => clearInterval(timer));
      return;
    }
    case "/bad-gateway":
      return void socket.end("HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n");
    case "/moved":
      return void socket.end("HTTP/1.1 302 Found\r\nLocation: /ok\r\nContent-Length: 0\r\n\r\n");
    case "/no-content":
      return void socket.end("HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nhello");
    case "/line":
      return void socket.end(ok("first\nok\r\n"));
    case "/ssh":
      return void socket.end("SSH-2.0-OpenSSH\r\n");
    case "/drop":
      return void socket.destroy();
    case "/cut":
      return void socket.end("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort");
    case "/endless":
      socket.write("HTTP/1.1 200 OK\r\n\r\n");
      return void socket.write("z".repeat(3 * 1024 * 1024));
    default:
      socket.write(ok("all is ok here"));
  }
}

function track(socket: Socket): void {
  sockets.add(socket);
  socket.on("close", () => sockets.delete(socket));
  socket.on("error", () => {});
}

beforeAll(async () => {
  const plain = createServer((socket) => {
    track(socket);
    socket.once("data", (data) => {
      heads.push(data.toString());
      answer(socket, data.toString().split(" ")[1]!.split("?")[0]!);
    });
  });
  port = await listen(plain);
  url = `http://127.0.0.1:${port}`;
  certificates = makeCertificates(folder.path);
  const tls = createTlsServer({ key: certificates.key, cert: certificates.cert }, (socket) => {
    track(socket);
    names.push((socket as unknown as { servername: string | false }).servername);
    socket.once("data", () => socket.end(ok("tls")));
  });
  tls.on("tlsClientError", () => {});
  tlsPort = await listen(tls);
  servers.push(plain, tls);
});

afterAll(() => {
  for (const socket of sockets) socket.destroy();
  for (const server of servers) server.close();
  folder.remove();
});

const http = (path: string, more: Partial<HttpRequest> = {}, timeoutMs = 500) =>
  ({ ...common, timeoutMs, type: "http", request: request(`${url}${path}`, more) }) as const;
const https = (more: Partial<HttpRequest>, host = "127.0.0.1", at = tlsPort) =>
  ({ ...common, timeoutMs: 2000, type: "https", request: request(`https://${host}:${at}/`, more) }) as const;

describe("http", () => {
  test("succeeds, and takes text, patterns, single codes and redirects as they are", async () => {
    expect(await runOnce(http("/ok"))).toEqual({ ok: true, latencyMs: expect.any(Number) });
    expect((await runOnce(http("/ok", { body: { kind: "text", text: "is ok" } }))).ok).toBeTrue();
    expect((await runOnce(http("/ok", { body: { kind: "regex", source: "^ALL", flags: "ig" } }))).ok)
      .toBeTrue();
    expect((await runOnce(http("/moved", { status: [{ from: 302, to: 302 }] }))).ok).toBeTrue();
  });

  test("sends what it is told and closes the connection", async () => {
    heads.length = 0;
    process.env["http_proxy"] = "http://127.0.0.1:1";
    const more = { method: "POST", host: "a.example", headers: [["X-Y", "1"]] } as const;
    expect((await runOnce(http("/ok?a=b", more))).ok).toBeTrue();
    delete process.env["http_proxy"];
    expect(heads).toHaveLength(1);
    expect(heads[0]).toStartWith("POST /ok?a=b HTTP/1.1\r\n");
    for (const line of ["Host: a.example", "X-Y: 1", "Connection: close"]) {
      expect(heads[0]).toContain(`${line}\r\n`);
    }
    await until("the connection is closed", () => sockets.size === 0);
  });

  test("a status without a body ends with its head, whatever a careless server sends after it", async () => {
    expect(await runOnce(http("/no-content"))).toMatchObject({ ok: true });
    expect(await runOnce(http("/ok", { method: "HEAD" }))).toMatchObject({ ok: true });
    expect(await errorOf(http("/no-content", { body: { kind: "text", text: "hello" } })))
      .toBe(`body of ${url}/no-content does not contain "hello"`);
  });

  test("the end of the body is also before its last line end", async () => {
    const line = (source: string, flags = "") => http("/line", { body: { kind: "regex", source, flags } });
    for (const good of [line("ok$"), line("^first\\nok$"), line("ok\\r\\n$"), line("^ok$", "m")]) {
      expect(await runOnce(good)).toMatchObject({ ok: true });
    }
    expect(await errorOf(line("^ok$"))).toContain("does not match /^ok$/");
    expect(await errorOf(line("first$"))).toContain("does not match /first$/");
  });

  test("says what is wrong with the answer", async () => {
    expect(await errorOf(http("/bad-gateway"))).toBe(
      `HTTP status 502 from ${url}/bad-gateway (expected 200-299)`,
    );
    const listed = [{ from: 200, to: 200 }, { from: 204, to: 206 }];
    expect(await errorOf(http("/moved?token=x", { status: listed })))
      .toBe(`HTTP status 302 from ${url}/moved?… (expected 200, 204-206)`);
    expect(await errorOf(http("/ok", { body: { kind: "text", text: "no" } })))
      .toBe(`body of ${url}/ok does not contain "no"`);
    expect(await errorOf(http("/ok", { body: { kind: "regex", source: "^no", flags: "i" } })))
      .toBe(`body of ${url}/ok does not match /^no/i`);
    expect(await errorOf(http("/endless", { body: { kind: "text", text: "no" } }, 3000)))
      .toBe(`body of ${url}/endless does not contain "no" in its first MiB`);
    expect(await errorOf(http("/ssh"))).toStartWith(`answer of 127.0.0.1:${port} is not HTTP`);
  });

  test("says what is wrong with the connection", async () => {
    const closed = { ...common, type: "http", request: request("http://127.0.0.1:1/") } as const;
    expect(await errorOf(closed)).toBe("connection refused by 127.0.0.1:1");
    expect(await errorOf(http("/drop"))).toBe(`connection closed by 127.0.0.1:${port} before it answered`);
    expect(await errorOf(http("/cut"))).toBe(
      `connection closed by 127.0.0.1:${port} in the middle of the body`,
    );
  });

  test("the time-out covers silence and dribbling, and leaves no connection", async () => {
    const silent = await runOnce(http("/hang", {}, 150));
    expect(silent).toMatchObject({ ok: false, error: `timed out after 150ms: no answer from ${url}/hang` });
    const slow = await runOnce(http("/slow", {}, 150));
    expect(slow).toMatchObject({
      ok: false,
      error: `timed out after 150ms: body of ${url}/slow did not end`,
    });
    for (const { latencyMs } of [silent, slow]) expect(latencyMs).toBeWithin(148, 250);
    await until("the connections are closed", () => sockets.size === 0);
  });
});

describe("https", () => {
  test("trusts the given CA, by address and by server name", async () => {
    names.length = 0;
    const { ca } = certificates;
    expect((await runOnce(https({ caPem: ca }))).ok).toBeTrue();
    expect((await runOnce(https({ caPem: ca, sni: "good.test" }))).ok).toBeTrue();
    expect((await runOnce(https({ caPem: ca, host: "good.test:8443" }))).ok).toBeTrue();
    expect(names).toEqual([false, "good.test", "good.test"]);
  });

  test("refuses another CA, the system's, another name", async () => {
    const { ca, other } = certificates;
    const untrusted = `certificate of 127.0.0.1:${tlsPort} is not trusted: `;
    expect(await errorOf(https({ caPem: other }))).toStartWith(untrusted);
    expect(await errorOf(https({}))).toStartWith(untrusted);
    expect(await errorOf(https({ caPem: ca, sni: "bad.test" })))
      .toBe(`certificate of 127.0.0.1:${tlsPort} is not for bad.test`);
  });

  test("refuses a certificate for another address", async () => {
    const { key, cert, ca } = certificates;
    const tls = createTlsServer({ key, cert }, (socket) => socket.on("error", () => {}));
    tls.on("tlsClientError", () => {});
    servers.push(tls);
    const at = await listen(tls, "127.0.0.2");
    expect(await errorOf(https({ caPem: ca }, "127.0.0.2", at)))
      .toBe(`certificate of 127.0.0.2:${at} is not for 127.0.0.2`);
  });

  test("insecure takes any certificate", async () => {
    expect((await runOnce(https({ insecure: true, sni: "bad.test" }))).ok).toBeTrue();
  });

  test("says when the other side speaks no TLS, or the CA is none", async () => {
    const plain = createServer((socket) => {
      track(socket);
      socket.end("hello\r\n");
    });
    servers.push(plain);
    const at = await listen(plain);
    expect(await errorOf(https({ insecure: true }, "127.0.0.1", at))).toBe(
      `127.0.0.1:${at} does not speak TLS`,
    );
    const broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    expect(await errorOf(https({ caPem: broken }))).toStartWith("cannot check: ");
  });
});
