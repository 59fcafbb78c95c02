/**
 * `appliance lab`: whole clusters in network namespaces on this machine.
 *
 * @module
 */
import { Argument } from "commander";
import { type Cli, handle, jsonOption, type LabOptions } from "./cli.ts";

export function addLab(cli: Cli): void {
  const command = cli.program.command("lab").description(
    "whole clusters in network namespaces on this machine",
  )
    .addArgument(
      new Argument("<demo|up|down>", "show a fail-over, leave a cluster standing, or remove those that stand")
        .choices(["demo", "up", "down"]),
    )
    .addOption(jsonOption())
    .option("--gre", "two servers in different subnets, joined by a GRE tunnel")
    .option("--keep", "do not clean up at the end")
    .addHelpText(
      "after",
      "\nTakes root. Touches nothing but network namespaces of its own; uses nginx where it is installed.\n\n" +
        "Exit code: 0 good, 1 the lab could not be made or an address did not move in time",
    );
  handle<Partial<Record<"json" | "gre" | "keep", boolean>>>(cli, command, async (options, verb) => {
    const { json = false, gre = false, keep = false } = options;
    const { runLab } = await cli.entries.lab();
    return await runLab({ verb: verb as LabOptions["verb"], json, gre, keep });
  });

  const child = cli.program.command("lab-child", { hidden: true }).description(
    "a program of the lab, started by it",
  )
    .argument("<role>").argument("<first>").argument("<second>").argument("[third]");
  handle(cli, child, async (_, role, ...rest) => {
    const { runLabChild } = await cli.entries.lab();
    return await runLabChild(role!, rest.filter((word) => word !== undefined));
  });
}
