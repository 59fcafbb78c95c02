/**
 * How fast a tunnel is: packets a second, throughput and round trip through the user-space tunnel, beside the plain
 * cable it runs over and, where this kernel has it, the kernel's own gretap. Everything runs on this one machine:
 * sender, receiver, both ends of the tunnel and both stacks share its processors.
 *
 *     bun tests/bench/tunnel.ts [--seconds N] [--json] [TYPE...]
 *
 * @module
 */
import { cpus } from "node:os";
import { createLab, type Lab, type LabNode, run, type Running, waitFor } from "../netns/lab.ts";
import { settings, UserEnd } from "../netns/tunnel_user/end.ts";
import type { TunnelType } from "../../mod/tunnel/model.ts";

const TRAFFIC = `${import.meta.dirname}/../netns/tunnel_user/traffic.ts`;
const PORT = 5001;

/** One line of the table. */
interface Figures {
  readonly path: string;
  /** Datagrams of 64 bytes, and of 1300, that arrived in a second. */
  readonly smallPerSecond: number;
  readonly largePerSecond: number;
  /** TCP payload, one connection. */
  readonly megabitsPerSecond: number;
  readonly roundTripP50Us: number;
  readonly roundTripP99Us: number;
}

interface Path {
  readonly name: string;
  /** Makes it and tells the far address. */
  readonly make: () => Promise<string>;
  readonly remove: () => Promise<void>;
}

function start(node: LabNode, words: readonly (string | number)[], lines: string[]): Running {
  return node.spawn([process.execPath, TRAFFIC, ...words.map(String)], (line) => lines.push(line));
}

/** Runs a serving and an asking role; returns what both printed last. */
async function exchange(
  a: LabNode,
  b: LabNode,
  serving: readonly (string | number)[],
  asking: readonly (string | number)[],
): Promise<{ readonly served: Record<string, number>; readonly asked: Record<string, number> }> {
  const served: string[] = [];
  const asked: string[] = [];
  const server = start(b, serving, served);
  await waitFor(() => served.length > 0, {
    timeoutMs: 20_000,
    what: "the receiver",
    explain: () => server.stderr,
  });
  const client = start(a, asking, asked);
  await client.ended;
  // What is still under way arrives while this process starts to look.
  server.child.stdin!.end();
  await server.ended;
  if (client.stderr !== "") throw new Error(client.stderr);
  return { served: JSON.parse(served.at(-1)!), asked: JSON.parse(asked.at(-1) ?? "{}") };
}

async function measure(a: LabNode, b: LabNode, path: Path, seconds: number): Promise<Figures> {
  const address = await path.make();
  try {
    const rate = async (bytes: number) => {
      const { served } = await exchange(a, b, ["receive", PORT], ["send", address, PORT, bytes, seconds]);
      return Math.round(served["packets"]! / Math.max(served["seconds"]!, 1e-3));
    };
    const trips = await exchange(a, b, ["echo", PORT], ["ask", address, PORT, 2000]);
    const small = await rate(64);
    const large = await rate(1300);
    const stream = await exchange(a, b, ["sink", PORT], ["pour", address, PORT, seconds]);
    return {
      path: path.name,
      smallPerSecond: small,
      largePerSecond: large,
      megabitsPerSecond: Math.round(stream.served["bytes"]! * 8 / stream.served["seconds"]! / 1e6),
      roundTripP50Us: Math.round(trips.asked["p50Us"]!),
      roundTripP99Us: Math.round(trips.asked["p99Us"]!),
    };
  } finally {
    await path.remove();
  }
}

function kernelPath(a: LabNode, b: LabNode, type: TunnelType): Path {
  const six = type.startsWith("ip6");
  const outer = six ? ["2001:db8::1", "2001:db8::2"] : ["192.0.2.1", "192.0.2.2"];
  return {
    name: `kernel ${type}`,
    make: () => {
      [a, b].forEach((node, index) =>
        node.ip(
          `link add tun1 type ${type} local ${outer[index]} remote ${outer[1 - index]} ttl 64 key 42` +
            (six ? " encaplimit none" : ""),
          `addr add 10.1.1.${index + 1}/24 dev tun1`,
          "link set tun1 up",
        )
      );
      return Promise.resolve("10.1.1.2");
    },
    remove: () => {
      for (const node of [a, b]) node.ip("link del tun1");
      return Promise.resolve();
    },
  };
}

function userPath(a: LabNode, b: LabNode, type: TunnelType): Path {
  const outer = type.startsWith("ip6") ? ["2001:db8::1", "2001:db8::2"] : ["192.0.2.1", "192.0.2.2"];
  let ends: UserEnd[] = [];
  return {
    name: `user ${type}`,
    make: async () => {
      ends = [a, b].map((node, index) =>
        new UserEnd(
          node,
          settings({ type, local: outer[index]!, remote: outer[1 - index]!, ikey: 42, okey: 42 }),
        )
      );
      await Promise.all(ends.map((end, index) => end.up(`10.1.1.${index + 1}/24`)));
      return "10.1.1.2";
    },
    remove: async () => {
      await Promise.all(ends.map((end) => end.hangUp()));
    },
  };
}

function hasKernelTunnels(lab: Lab): boolean {
  const [node] = [lab.addNamespace("probe")];
  return run([
    "ip",
    "-n",
    node!,
    "link",
    "add",
    "probe1",
    "type",
    "gretap",
    "local",
    "192.0.2.1",
    "remote",
    "192.0.2.2",
  ])
    .code === 0;
}

function table(rows: readonly Figures[]): string {
  const head = ["path", "packets/s (64 B)", "packets/s (1300 B)", "TCP Mbit/s", "round trip p50/p99 µs"];
  const lines = [
    head,
    ...rows.map((row) => [
      row.path,
      row.smallPerSecond.toLocaleString("en"),
      row.largePerSecond.toLocaleString("en"),
      row.megabitsPerSecond.toLocaleString("en"),
      `${row.roundTripP50Us} / ${row.roundTripP99Us}`,
    ]),
  ];
  const widths = head.map((_, column) => Math.max(...lines.map((line) => line[column]!.length)));
  return lines.map((line) =>
    line.map((cell, column) => column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]!)).join(
      "  ",
    )
  ).join("\n");
}

/** Measures the plain cable and tunnels of these types, by the kernel where it can and in user space. */
export async function benchTunnels(types: readonly TunnelType[], seconds: number): Promise<Figures[]> {
  const lab = createLab("tunnelbench");
  try {
    const a = lab.node("a", { addresses: ["192.0.2.1/24", "2001:db8::1/64"] });
    const b = lab.node("b", { addresses: ["192.0.2.2/24", "2001:db8::2/64"] });
    const cable = {
      name: "veth, no tunnel",
      make: () => Promise.resolve("192.0.2.2"),
      remove: () => Promise.resolve(),
    };
    const paths: Path[] = [cable];
    const kernel = hasKernelTunnels(lab);
    for (const type of types) {
      if (kernel) paths.push(kernelPath(a, b, type));
      paths.push(userPath(a, b, type));
    }
    const rows: Figures[] = [];
    for (const path of paths) rows.push(await measure(a, b, path, seconds));
    return rows;
  } finally {
    await lab.close();
  }
}

if (import.meta.main) {
  const words = process.argv.slice(2);
  const at = words.indexOf("--seconds");
  const seconds = at < 0 ? 3 : Number(words[at + 1]);
  const types = words.filter((word, index) => !word.startsWith("--") && !(at >= 0 && index === at + 1));
  const rows = await benchTunnels(types.length > 0 ? types as TunnelType[] : ["gretap", "gre"], seconds);
  if (words.includes("--json")) console.log(JSON.stringify(rows, null, 2));
  else console.log(`${table(rows)}\n${cpus().length} processors, ${seconds} s each, one direction, key on`);
}
