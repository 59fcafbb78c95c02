/**
 * TCP through a network, as a test needs it.
 *
 * @module
 */
import { type LabNode, waitFor } from "../lab.ts";

const TRAFFIC = `${import.meta.dirname}/traffic.ts`;
const PORT = 5001;

/** Sends over one TCP connection for `seconds`; how many bytes arrived. */
export async function transfer(
  from: LabNode,
  to: LabNode,
  address: string,
  seconds: number,
): Promise<number> {
  const lines: string[] = [];
  const sink = to.spawn([process.execPath, TRAFFIC, "sink", String(PORT)], (line) => lines.push(line));
  await waitFor(() => lines.length > 0, { timeoutMs: 20_000, what: "the sink", explain: () => sink.stderr });
  const source = from.spawn([process.execPath, TRAFFIC, "pour", address, String(PORT), String(seconds)]);
  await waitFor(() => source.end !== null, {
    timeoutMs: seconds * 1000 + 20_000,
    what: `TCP to ${address} to end`,
    explain: () => source.stderr,
  });
  sink.child.stdin!.end();
  await sink.ended;
  return (JSON.parse(lines.at(-1)!) as { bytes: number }).bytes;
}
