/**
 * The web server of a node: nginx, or where that is not installed a server of our own (see `serve.ts`).
 *
 * @module
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { type ChildPlan, ourselves } from "./child.ts";
import type { NodeFiles, WebServer } from "./model.ts";
import { findProgram } from "./program.ts";

/** The header of an answer that says which node gave it. */
export const SERVED_BY = "X-Served-By";
/** What this machine has. */
export function findWebServer(): WebServer {
  const path = findProgram("nginx");
  const version = path === null ? null : nginxVersion(path);
  return path === null || version === null ? { kind: "built-in" } : { kind: "nginx", path, version };
}

/** Version of the nginx in a file; null when it does not run. */
function nginxVersion(path: string): string | null {
  const { status, stderr } = spawnSync(path, ["-v"], { encoding: "utf8", timeout: 2000 });
  return status === 0 ? /nginx\/(\S+)/.exec(stderr)?.[1] ?? "of unknown version" : null;
}

/** Makes the files that the server of a node needs. `page`: the word or sentence that it answers. */
export function writeWebFiles(name: string, files: NodeFiles, page: string): void {
  mkdirSync(files.webDirectory, { recursive: true });
  writeFileSync(files.webConfig, nginxConfig(name, files, page));
}

/** How the server of a node is started. */
export function webCommand(
  name: string,
  files: NodeFiles,
  web: WebServer,
  page: string,
): Pick<ChildPlan, "path" | "argv"> {
  if (web.kind === "built-in") return ourselves("lab-child", "serve", name, files.webPid, page);
  return { path: web.path, argv: nginxArgv(files, web) };
}

/** The command line of nginx. */
export function nginxArgv(
  files: NodeFiles,
  { path, version }: Extract<WebServer, { kind: "nginx" }>,
): string[] {
  const argv = [path, "-p", `${files.webDirectory}/`, "-c", files.webConfig];
  // Else it opens the machine's own log before it has read its config; older ones know no other way.
  return knowsErrorLogOption(version) ? [...argv, "-e", files.webLog] : argv;
}

/** The option -e came with 1.19.5. */
function knowsErrorLogOption(version: string): boolean {
  const [major = 0, minor = 0, patch = 0] = version.split(".").map((part) => parseInt(part, 10));
  return major > 1 || (major === 1 && (minor > 19 || (minor === 19 && patch >= 5)));
}

/** Answers everything with the page, says in a header who does, and touches nothing outside its directory. */
function nginxConfig(name: string, { webPid, webLog }: NodeFiles, page: string): string {
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
    .map((kind) => `  ${kind}_temp_path tmp_${kind};\n`).join("");
  return `daemon off;
user root;
worker_processes 1;
pid ${webPid};
error_log ${webLog};
events { worker_connections 256; }
http {
  access_log off;
${temporary}  server {
    listen 80;
    location / { default_type text/plain; add_header ${SERVED_BY} ${name}; return 200 "${page}\\n"; }
  }
}
`;
}
