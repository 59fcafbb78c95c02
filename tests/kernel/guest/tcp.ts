/**
 * TCP from one namespace to another: the server is in this process, the client a shell, the smallest program that can.
 *
 * @module
 */
import { createServer, type Server } from "node:net";
import { inNetns } from "../../../lib/libc/mod.ts";
import type { LabNode } from "../../netns/lab.ts";

const PORT = 5001;
/** Sends bytes, and counts those that come back. */
const CLIENT = `
exec 3<>"/dev/tcp/$1/$2" || exit
head -c "$3" /dev/zero >&3 &
head -c "$3" <&3 | wc -c`;

/** A listening socket is made in the namespace of the thread that asks for it, and stays there. */
function serveEcho(namespace: string): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => {
      socket.on("error", () => {});
      socket.pipe(socket);
    });
    server.on("error", reject);
    inNetns(namespace, () => server.listen(PORT, () => resolve(server)));
  });
}

/**
 * Sends bytes over one TCP connection to a program that sends them back: how many came back, at most all of them, until
 * `timeoutMs` were over.
 *
 * @param address Of the server, IPv4 or IPv6.
 */
export async function echoedByTcp(
  from: LabNode,
  to: LabNode,
  address: string,
  { bytes = 256 << 10, timeoutMs = 10_000 } = {},
): Promise<number> {
  const server = await serveEcho(to.namespace);
  try {
    const client = from.spawn(["bash", "-c", CLIENT, "bash", address, `${PORT}`, `${bytes}`]);
    const timer = setTimeout(() => client.kill("SIGKILL"), timeoutMs);
    await client.ended;
    clearTimeout(timer);
    return Number(client.stdout.trim());
  } finally {
    server.close();
  }
}
