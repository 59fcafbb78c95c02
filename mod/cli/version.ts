/**
 * `appliance version`.
 *
 * @module
 */
import { COMMIT, RUNTIME, VERSION } from "../../lib/runtime/mod.ts";
import { addCommand, type Cli, handle, jsonOption, printJson } from "./cli.ts";
import { EXIT } from "./failure.ts";

export function addVersion(cli: Cli): void {
  cli.program.version(versionLine().trimEnd(), "-V, --version", "the same as the command version");
  const command = addCommand(cli, "version", "version of the program").addOption(jsonOption());
  handle<{ readonly json?: boolean }>(cli, command, ({ json }) => {
    if (json) {
      const { arch, platform } = process;
      printJson(cli.out, { version: VERSION, commit: COMMIT, runtime: RUNTIME, platform, arch });
    } else cli.out.write(versionLine());
    return EXIT.GOOD;
  });
}

function versionLine(): string {
  const build = COMMIT === null ? "" : `${COMMIT.slice(0, 12)}, `;
  return `appliance ${VERSION} (${build}${RUNTIME}, ${process.platform} ${process.arch})\n`;
}
