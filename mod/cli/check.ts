/**
 * `appliance check`: validates a config file.
 *
 * @module
 */
import type { Config, NamedInterface, Problem } from "../config/model.ts";
import { addCommand, type Cli, handle, jsonOption, printJson } from "./cli.ts";
import { readConfigFile } from "./client.ts";
import { EXIT } from "./failure.ts";

/** Every link takes IPv4 packets of this size (RFC 791). */
const LEAST_MTU = 68;

interface Options {
  readonly config: string;
  readonly json?: boolean;
}

export function addCheck(cli: Cli): void {
  const command = addCommand(cli, "check", "validates a config; tells every problem with its line and column")
    .argument("[FILE]", "config file, as with -c; - = standard input")
    .addOption(jsonOption())
    .addHelpText("after", "\nExit code: 0 the config is good, 2 it is not");
  handle<Options>(
    cli,
    command,
    (options, file) => check(cli, { ...options, config: file ?? options.config }),
  );
}

async function check({ out }: Cli, { config, json }: Options): Promise<number> {
  const file = config === "-" ? "/dev/stdin" : config;
  const text = readConfigFile(file);
  const { formatProblem, loadConfig } = await import("../config/load.ts");
  const result = loadConfig(text, file);
  const problems = result.ok
    ? [
      ...result.warnings,
      ...await absenceWarnings(result),
      ...await machineWarnings(result.config, text, file),
    ]
    : result.problems;
  if (json) {
    printJson(out, {
      file,
      ok: result.ok,
      problems,
      ...(result.ok ? { summary: summary(result.config) } : { error: `${file} cannot be run` }),
    });
  } else {
    for (const problem of problems) out.write(`${formatProblem(problem)}\n`);
    if (result.ok) out.write(`${file}: ok\n${summary(result.config).map((line) => `  ${line}\n`).join("")}`);
  }
  return result.ok ? EXIT.GOOD : EXIT.USAGE;
}

/** Interfaces that are not there: they are waited for at the start, and a reload that newly names one is refused. */
async function absenceWarnings(
  loaded: { readonly config: Config; readonly interfaces: readonly NamedInterface[] },
): Promise<Problem[]> {
  const { absentInterfaces } = await import("../control/load.ts");
  try {
    return absentInterfaces(loaded).map((problem) => ({
      ...problem,
      severity: "warning",
      what: `on this machine, ${problem.what}`,
    }));
  } catch {
    // Where the kernel cannot be asked nothing is known of this machine.
    return [];
  }
}

/** Something that stands in the way on this machine, and where in the file it is told. */
interface MachineTrouble {
  readonly path: readonly string[];
  readonly what: string;
  readonly instead: string;
}

/** What stands in the way on this machine, each told where the file has what it stands in the way of. */
async function machineWarnings(config: Config, text: string, file: string): Promise<Problem[]> {
  const troubles = [...await tunnelTroubles(config), ...await advertTroubles(config)];
  if (troubles.length === 0) return [];
  const { offsetOf, parseConfigDocument } = await import("../config/document.ts");
  const { root, position } = parseConfigDocument(text);
  return troubles.map(({ path, what, instead }): Problem => ({
    severity: "warning",
    file,
    ...position(offsetOf(root, path, "key")),
    path: path.join("."),
    what: `on this machine, ${what}`,
    instead,
  }));
}

async function tunnelTroubles({ tunnels }: Config): Promise<MachineTrouble[]> {
  if (tunnels.length === 0) return [];
  const [{ tunnelFindings }, { readMachineFacts }, { hasTun }] = await Promise.all([
    import("../tunnel/machine/findings.ts"),
    import("../tunnel/machine/read.ts"),
    import("../../lib/libc/mod.ts"),
  ]);
  const read = await readMachineFacts(tunnels, { modprobe: false });
  // Whoever may not make tunnels cannot find out which there are.
  const facts = process.getuid?.() === 0 ? read : { ...read, gre: null };
  return tunnels.flatMap((tunnel) =>
    tunnelFindings(tunnel, facts, { user: hasTun() }).map(({ what, fix }) => {
      return { path: ["tunnels", tunnel.name], what, instead: fix };
    })
  );
}

/** Instances whose advertisements are longer than their interface takes. */
async function advertTroubles({ vrrp, tunnels }: Config): Promise<MachineTrouble[]> {
  const { advertPacketLength } = await import("../vrrp/config.ts");
  // The rest fits everywhere; tunnels were judged by what they will take.
  const made = new Set(tunnels.map(({ name }) => name));
  const long = vrrp.filter((instance) =>
    advertPacketLength(instance) > LEAST_MTU && !made.has(instance.interface)
  );
  if (long.length === 0) return [];
  const { listLinks, NETLINK_ROUTE, NetlinkConnection } = await import("../../lib/netlink/mod.ts");
  const connection = new NetlinkConnection(NETLINK_ROUTE);
  try {
    const mtus = new Map(listLinks(connection).map(({ name, mtu }) => [name, mtu]));
    return long.flatMap((instance) => {
      const { unit, interface: name, addresses } = instance;
      const [mtu, length] = [mtus.get(name) ?? Infinity, advertPacketLength(instance)];
      if (length <= mtu) return [];
      const what =
        `an advertisement with ${addresses.length} addresses has ${length} bytes, but ${name} takes ${mtu}`;
      const instead = `split them over several instances, or: ip link set ${name} mtu ${length}`;
      return [{ path: ["vrrp", unit, "addresses"], what, instead }];
    });
  } finally {
    connection.close();
  }
}

/** What the config makes of this node, a line for each thing. */
function summary({ node, vrrp, groups, probes, api }: Config): string[] {
  const plural = (count: number, word: string) => `${count} ${word}${count === 1 ? "" : "s"}`;
  // The routers of one instance, of which there are two where it has addresses of both families, have its name.
  const instances = Map.groupBy(vrrp, ({ unit }) => unit);
  return [
    `node ${node}: ${plural(instances.size, "instance")}, ${
      plural(probes.length, "probe")
    }, API on ${api.socket}`,
    ...[...instances].map(([name, routers]) => {
      const { interface: link, vrid, version, priority } = routers[0]!;
      const addresses = routers.flatMap((router) => router.addresses);
      return `instance ${name}: ${link}, VRID ${vrid}, VRRPv${version}, priority ${priority}, ` +
        `${addresses.slice(0, 4).map(({ address, prefix }) => `${address}/${prefix}`).join(", ")}` +
        `${addresses.length > 4 ? ` and ${addresses.length - 4} more` : ""}`;
    }),
    ...groups.map(({ name, members }) => `group ${name}: ${members.join(", ")}`),
  ];
}
