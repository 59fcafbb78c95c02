/**
 * `appliance explain`: why each instance is in its state, in sentences.
 *
 * @module
 */
import type { ExplainDocument } from "../status/schema.ts";
import { addClientCommand, type Cli, handle, jsonOption, printJson } from "./cli.ts";
import { type DaemonOptions, getDocument, socketOf } from "./client.ts";
import { EXIT } from "./failure.ts";
import { marked } from "./table.ts";

export function addExplain(cli: Cli): void {
  const command = addClientCommand(cli, "explain", "why each instance is in its state, in sentences")
    .argument("[INSTANCE]", "only this instance")
    .addOption(jsonOption())
    .addHelpText("after", "\nExit code: 0 explained, 1 no such instance, 3 no daemon");
  handle<DaemonOptions & { readonly json?: boolean }>(cli, command, async (options, instance) => {
    const path = instance === undefined ? "/explain" : `/explain/${encodeURIComponent(instance)}`;
    const explanation = await getDocument<ExplainDocument>(await socketOf(options), path);
    if (options.json) printJson(cli.out, explanation);
    else cli.out.write(paragraphs(explanation, cli.out.columns));
    return EXIT.GOOD;
  });
}

/** A paragraph for each instance and group, cut between words where there is a screen. */
function paragraphs({ instances, groups }: ExplainDocument, columns: number | null): string {
  if (instances.length === 0) return "There is no instance\n";
  return [...instances, ...groups].map(({ sentences }) =>
    sentences.flatMap((sentence, i) => marked(i === 0 ? "" : "  ", sentence, columns)).map((line) =>
      `${line}\n`
    ).join("")
  ).join("\n");
}
