/**
 * `appliance lab-child serve NAME PIDFILE PAGE`: the small web server of a node where nginx is not installed.
 *
 * @module
 */
import { writeFileSync } from "node:fs";
import { serveTcp } from "../../lib/runtime/mod.ts";
import { SERVED_BY } from "./web.ts";

/** Answers every request on port 80 with `page` until it is told to end. Throws when the port is taken. */
export async function serve(name: string, pidFile: string, page: string): Promise<number> {
  const answer = () => new Response(`${page}\n`, { headers: { connection: "close", [SERVED_BY]: name } });
  serveTcp(answer, { hostname: "0.0.0.0", port: 80 });
  // Written when it listens, as nginx does.
  writeFileSync(pidFile, `${process.pid}\n`);
  await new Promise((resolve) => process.once("SIGTERM", resolve));
  return 0;
}
