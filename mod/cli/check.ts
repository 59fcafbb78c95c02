/**
 * `appliance check`: validates a config file.
 *
 * @module
 */
import type { Config, Problem } from "../config/model.ts";
import { addCommand, type Cli, handle, jsonOption, printJson } from "./cli.ts";
import { readConfigFile } from "./client.ts";
import { EXIT } from "./failure.ts";

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
    ? [...result.warnings, ...await tunnelWarnings(result.config, text, file)]
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

/** What stands in the way of the tunnels on this machine, each told where its tunnel stands in the file. */
async function tunnelWarnings({ tunnels }: Config, text: string, file: string): Promise<Problem[]> {
  if (tunnels.length === 0) return [];
  const [{ tunnelFindings }, { readMachineFacts }, { offsetOf, parseConfigDocument }] = await Promise.all([
    import("../tunnel/machine/findings.ts"),
    import("../tunnel/machine/read.ts"),
    import("../config/document.ts"),
  ]);
  const read = await readMachineFacts(tunnels, { modprobe: false });
  // Whoever may not make tunnels cannot find out which there are.
  const facts = process.getuid?.() === 0 ? read : { ...read, gre: null };
  const { root, position } = parseConfigDocument(text);
  return tunnels.flatMap((tunnel) => {
    const path = ["tunnels", tunnel.name];
    return tunnelFindings(tunnel, facts, { user: true }).map(({ what, fix }): Problem => ({
      severity: "warning",
      file,
      ...position(offsetOf(root, path, "key")),
      path: path.join("."),
      what: `on this machine, ${what}`,
      instead: fix,
    }));
  });
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
