/**
 * `ticker.ts LENGTH_MS`: a bare real-time loop that is due each 10 ms and does nothing. Prints how late each tick was served, in
 * milliseconds, as a JSON list: what the machine itself takes from everybody.
 */
import { DeadlineTimer, Epoll, monotonicNs, setScheduling } from "../../../lib/libc/mod.ts";

const INTERVAL_NS = 10e6;
/** Below both daemons, so that it takes nothing from them. */
const PRIORITY = 40;

const count = Math.floor(Number(process.argv[2]) * 1e6 / INTERVAL_NS);
if (!setScheduling(PRIORITY)) throw new Error("Cannot tick: no real-time scheduling here");
const timer = new DeadlineTimer();
const epoll = new Epoll();
epoll.add(timer.fd);
const late: number[] = [];
let due = monotonicNs() + INTERVAL_NS;
while (late.length < count) {
  timer.arm(due);
  epoll.wait();
  timer.fired();
  const now = monotonicNs();
  if (now < due) continue;
  late.push((now - due) / 1e6);
  due += INTERVAL_NS;
}
console.log(JSON.stringify(late));
