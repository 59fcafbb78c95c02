/**
 * Watching a node live, by the event stream of its API.
 *
 * @module
 */
import { fetchUnix } from "../../lib/runtime/mod.ts";
import type { EventDocument } from "../status/schema.ts";

const RETRY_MS = 20;

/**
 * Calls `onEvent` with every event of a daemon, from its first on, until `signal` aborts. Comes back when the daemon is
 * not there yet or breaks off. Never rejects.
 */
export async function watchEvents(
  socket: string,
  signal: AbortSignal,
  onEvent: (event: EventDocument) => void,
): Promise<void> {
  let last = 0;
  while (!signal.aborted) {
    let connected = false;
    try {
      const response = await fetchUnix(socket, `/events?since=${last}`, { signal });
      connected = true;
      for await (const event of readEvents(response)) {
        last = event.id;
        onEvent(event);
      }
    } catch {
      // Nobody listens yet, or no more: whoever comes next counts from one again.
      if (!connected) last = 0;
    }
    if (!signal.aborted) await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  }
}

async function* readEvents(response: Response): AsyncGenerator<EventDocument> {
  if (!response.ok || response.body === null) return;
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of response.body) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop()!;
    // The daemon puts all data of an event on one line.
    for (const line of lines) if (line.startsWith("data: ")) yield JSON.parse(line.slice(6)) as EventDocument;
  }
}

/** What is looked at of a tunnel. */
export interface TunnelSeen {
  readonly state: string;
  readonly error: string | null;
  /** Who moves its packets. */
  readonly datapath: "kernel" | "user" | null;
}

/** A tunnel as a daemon shows it; null when there is no such daemon or tunnel. */
export async function seeTunnel(
  socket: string,
  name: string,
  signal: AbortSignal,
): Promise<TunnelSeen | null> {
  try {
    const response = await fetchUnix(socket, "/status", { signal });
    const { tunnels } = await response.json() as {
      readonly tunnels: readonly (TunnelSeen & { readonly name: string })[];
    };
    return tunnels.find((tunnel) => tunnel.name === name) ?? null;
  } catch {
    return null;
  }
}
