/**
 * `appliance lab-child client ADDRESS INTERVAL_MS`: asks again and again, and prints what came of each request.
 *
 * Each request has a connection of its own and is given up before the kernel would repeat a lost segment (RFC 6298
 * §2: one second), so an answer shows that the address was served at that very moment.
 *
 * @module
 */
import { connect } from "node:net";
import { setParentDeathSignal, SIGKILL } from "../../lib/libc/mod.ts";
import { lineOutput, reasonOf } from "../../lib/runtime/mod.ts";
import { encodeOutcome, type Outcome } from "./outage.ts";
import { SERVED_BY } from "./web.ts";

const REQUEST_TIMEOUT_MS = 100;
const SERVER = new RegExp(`^${SERVED_BY}: (\\S+)\r$`, "im");

/** Milliseconds since 1970 with fractions. */
export function nowMs(): number {
  return performance.timeOrigin + performance.now();
}

/** Sends a request to port 80 each `intervalMs`, whatever became of those before, until SIGTERM. */
export async function runClient(address: string, intervalMs: number): Promise<number> {
  setParentDeathSignal(SIGKILL);
  const print = lineOutput();
  const timer = setInterval(() => ask(address, (outcome) => print(encodeOutcome(outcome))), intervalMs);
  await new Promise((resolve) => process.once("SIGTERM", resolve));
  clearInterval(timer);
  return 0;
}

/** Sends one request; `settle` is called exactly once. */
function ask(address: string, settle: (outcome: Outcome) => void): void {
  const startMs = nowMs();
  let text = "";
  let settled = false;
  const end = (outcome: Outcome) => {
    if (settled) return;
    settled = true;
    clearTimeout(timer);
    socket.destroy();
    settle(outcome);
  };
  const fail = (why: string) => end({ ok: false, atMs: nowMs(), why });
  const socket = connect({ host: address, port: 80 });
  // An answer that has come counts, though this process was too late to take it before its time was up.
  const late = () => setImmediate(fail, "no answer in time");
  const timer = setTimeout(late, REQUEST_TIMEOUT_MS);
  socket.setEncoding("utf8");
  socket.on("connect", () => socket.write(`GET / HTTP/1.0\r\nHost: ${address}\r\n\r\n`));
  socket.on("data", (part: string) => text += part);
  socket.on("error", (error) => fail(reasonOf(error)));
  socket.on("close", () => {
    const who = /^HTTP\/1\.[01] 200 [^]*\r\n\r\n./.test(text) ? SERVER.exec(text)?.[1] : undefined;
    if (who === undefined) return fail("the connection ended without an answer");
    const atMs = nowMs();
    end({ ok: true, atMs, rttMs: atMs - startMs, who });
  });
}
