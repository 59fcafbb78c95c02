/**
 * `http_get.ts URL INTERVAL_MS`: a line `A ARRIVAL_MS RTT_MS BODY` for each answer of status 200, `F MS 0 WHY` for each
 * failure, until it is killed or stdin ends. Every request has a connection of its own and 500 ms.
 */
import { request } from "node:http";

const [url, interval] = process.argv.slice(2);

function nowMs(): number {
  return performance.timeOrigin + performance.now();
}

function ask(): void {
  const started = nowMs();
  const failed = (why: string) => console.log(`F ${nowMs().toFixed(3)} 0 ${why}`);
  const asked = request(url!, { agent: false, signal: AbortSignal.timeout(500) }, (response) => {
    let body = "";
    response.setEncoding("utf8");
    response.on("data", (text: string) => body += text);
    response.on("error", (error) => failed(error.message));
    response.on("end", () => {
      if (response.statusCode !== 200) return failed(`status ${response.statusCode}`);
      const now = nowMs();
      console.log(`A ${now.toFixed(3)} ${(now - started).toFixed(3)} ${body}`);
    });
  });
  asked.on("error", (error) => failed(error.message));
  asked.end();
}

setInterval(ask, Number(interval));
process.stdin.on("end", () => process.exit(0)).resume();
