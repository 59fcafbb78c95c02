/**
 * What the probe tests share: configs, real servers on loopback, and waiting with a bound.
 *
 * @module
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import type { AddressInfo, Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createCheck } from "../../../../mod/probe/checks/mod.ts";
import type { HttpRequest, ProbeConfig, ProbeResult } from "../../../../mod/probe/model.ts";

export const common = { name: "p", intervalMs: 50, timeoutMs: 500, rise: 1, fall: 1, jitterMs: 0 } as const;

export function request(url: string, more: Partial<HttpRequest> = {}): HttpRequest {
  return {
    url,
    method: "GET",
    headers: [],
    host: null,
    sni: null,
    caPem: null,
    insecure: false,
    status: [{ from: 200, to: 299 }],
    body: null,
    ...more,
  };
}

/** Listens on a free port of a loopback address and returns it. */
export async function listen(server: Server, host = "127.0.0.1"): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  return (server.address() as AddressInfo).port;
}

/** One run of a probe's check. */
export async function runOnce(config: ProbeConfig): Promise<ProbeResult> {
  const check = createCheck(config, () => {});
  try {
    return await check.run(new AbortController().signal);
  } finally {
    check.close?.();
  }
}

/** The error of a run that must fail. */
export async function errorOf(config: ProbeConfig): Promise<string> {
  const result = await runOnce(config);
  if (result.ok) throw new Error("the probe succeeded");
  return result.error;
}

/** Waits until a condition holds; throws after `limitMs`. */
export async function until(what: string, holds: () => boolean, limitMs = 5000): Promise<void> {
  const end = performance.now() + limitMs;
  while (!holds()) {
    if (performance.now() > end) throw new Error(`not within ${limitMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

/** A process that lives: not gone, not a zombie. */
export function lives(pid: number): boolean {
  try {
    return !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return false;
  }
}

export function temporaryFolder(): { readonly path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), `probe-test-${process.pid}-`));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

/** A certificate authority and a server certificate for good.test and 127.0.0.1 signed by it. */
export function makeCertificates(folder: string) {
  const at = (name: string) => join(folder, name);
  const openssl = (...args: string[]) => {
    const { status, stderr } = spawnSync("openssl", args, { cwd: folder, encoding: "utf8" });
    if (status !== 0) throw new Error(`openssl ${args[0]}: ${stderr}`);
  };
  const ec = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
  for (const ca of ["ca", "other"]) {
    openssl(
      "req",
      "-x509",
      ...ec,
      "-days",
      "2",
      "-keyout",
      `${ca}.key`,
      "-out",
      `${ca}.pem`,
      "-subj",
      `/CN=${ca}`,
    );
  }
  openssl("req", ...ec, "-keyout", "srv.key", "-out", "srv.csr", "-subj", "/CN=good.test");
  writeFileSync(at("ext"), "subjectAltName=DNS:good.test,IP:127.0.0.1\n");
  const signing = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile", "ext"];
  openssl("x509", "-req", "-in", "srv.csr", ...signing, "-out", "srv.pem");
  const read = (name: string) => readFileSync(at(name), "utf8");
  return { ca: read("ca.pem"), other: read("other.pem"), key: read("srv.key"), cert: read("srv.pem") };
}
