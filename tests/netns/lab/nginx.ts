/**
 * A real nginx in a node, with a directory and a pid file of its own.
 *
 * @module
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { descendantsOf, isAlive, killTogether, type Running } from "./command.ts";
import type { LabNode } from "./topology.ts";
import { waitFor } from "./wait.ts";

/** One nginx: answers every URL with the node's name. */
export class Nginx {
  readonly directory: string;
  readonly pidFile: string;
  #process: Running;

  constructor(readonly node: LabNode, readonly port: number = 80) {
    this.directory = node.directory("nginx");
    this.pidFile = join(this.directory, "nginx.pid");
    mkdirSync(join(this.directory, "logs"), { recursive: true });
    writeFileSync(join(this.directory, "nginx.conf"), configuration(node.name, port));
    this.#process = this.#start();
  }

  #start(): Running {
    return this.node.spawn(["nginx", "-p", `${this.directory}/`, "-c", "nginx.conf", "-e", "stderr"]);
  }

  /** Process id of the master process. */
  get masterPid(): number {
    return Number(readFileSync(this.pidFile, "utf8"));
  }

  /** Waits until it listens. */
  async ready(): Promise<this> {
    await waitFor(() => {
      if (this.#process.end !== null) throw new Error(`nginx ended: ${this.#process.stderr}`);
      return this.node.exec(["ss", "-Hltn", `sport = :${this.port}`]).stdout.includes("LISTEN");
    }, { timeoutMs: 5000, what: `nginx on ${this.node.name}` });
    return this;
  }

  /** `kill -9` of the master and its workers, which would go on serving without it. */
  async killHard(): Promise<void> {
    const pids = [this.#process.pid, ...descendantsOf(this.#process.pid)];
    killTogether(pids);
    await waitFor(() => !pids.some(isAlive), { timeoutMs: 2000, what: "nginx to be dead" });
  }

  /** Starts it again after {@link killHard}. */
  restart(): Promise<this> {
    this.#process = this.#start();
    return this.ready();
  }

  async close(): Promise<void> {
    if (this.#process.end === null) await this.killHard();
  }
}

function configuration(name: string, port: number): string {
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
    .map((kind) => `  ${kind}_temp_path tmp_${kind};`).join("\n");
  return `daemon off;
user root;
worker_processes 1;
pid nginx.pid;
events { worker_connections 256; }
http {
  access_log off;
${temporary}
  server {
    listen ${port};
    location / { default_type text/plain; return 200 "${name}"; }
  }
}
`;
}
