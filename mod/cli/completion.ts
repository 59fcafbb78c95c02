/**
 * `appliance completion`: completions for shells, made from the commands themselves.
 *
 * @module
 */
import { Argument, type Command, type Option } from "commander";
import { type Cli, handle } from "./cli.ts";
import { EXIT } from "./failure.ts";

/** What can follow a command's name. */
interface Completion {
  readonly name: string;
  readonly summary: string;
  readonly words: readonly string[];
  /** Whether its argument is a file. */
  readonly file: boolean;
  readonly options: readonly {
    readonly short: string | null;
    readonly long: string;
    readonly summary: string;
    /** What its value is; null = it has none. */
    readonly value: "file" | "text" | null;
  }[];
}

const SHELLS = ["bash", "zsh", "fish"] as const;
type Shell = typeof SHELLS[number];

export function addCompletion(cli: Cli): void {
  const command = cli.program.command("completion").description("completions for a shell")
    .addArgument(new Argument("<bash|zsh|fish>", "which shell").choices(SHELLS))
    .addHelpText(
      "after",
      `
bash:  appliance completion bash > /etc/bash_completion.d/appliance
zsh:   appliance completion zsh > /usr/local/share/zsh/site-functions/_appliance
fish:  appliance completion fish > ~/.config/fish/completions/appliance.fish`,
    );
  handle(cli, command, (_, shell) => {
    cli.out.write(completionScript(cli.program, shell as Shell));
    return EXIT.GOOD;
  });
}

/** The completion script of a shell. */
export function completionScript(program: Command, shell: Shell): string {
  const commands = visible(program);
  if (shell === "bash") return bash(commands);
  return shell === "zsh" ? zsh(commands) : fish(commands);
}

function visible(program: Command): Completion[] {
  const help = program.createHelp();
  return help.visibleCommands(program).filter((command) => command.name() !== "help").map((command) => ({
    name: command.name(),
    summary: command.description(),
    words: command.registeredArguments.flatMap(({ argChoices }) => argChoices ?? []),
    file: command.registeredArguments.some((argument) => argument.name() === "FILE"),
    options: help.visibleOptions(command).map((option) => ({
      short: option.short ?? null,
      long: option.long!,
      summary: option.description,
      value: valueOf(option),
    })),
  }));
}

function valueOf({ required, flags }: Option): "file" | "text" | null {
  if (!required) return null;
  return /<(FILE|PATH)>/.test(flags) ? "file" : "text";
}

function bash(commands: readonly Completion[]): string {
  const names = commands.map(({ name }) => name).join(" ");
  const cases = commands.map(({ name, words, file, options }) => {
    const flags = options.flatMap(({ short, long }) => short === null ? [long] : [short, long]);
    return `    ${name}) words="${[...words, ...flags].join(" ")}"${file ? " files=1" : ""} ;;`;
  });
  return `# bash completion of appliance
_appliance() {
  local word=\${COMP_WORDS[COMP_CWORD]} before=\${COMP_WORDS[COMP_CWORD-1]} words="" files="" at=1
  case $before in
    -c|--config|--socket) compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -f -- "$word")); return ;;
  esac
  # Options may stand before the command's name.
  while [ "$at" -lt "$COMP_CWORD" ]; do
    case \${COMP_WORDS[at]} in
      -c|--config) at=$((at + 2)) ;;
      -*) at=$((at + 1)) ;;
      *) break ;;
    esac
  done
  if [ "$at" -ge "$COMP_CWORD" ]; then
    COMPREPLY=($(compgen -W "${names} -c --config --help --version" -- "$word"))
    return
  fi
  case \${COMP_WORDS[at]} in
${cases.join("\n")}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$word"))
  case $files$word in
    1-*) ;;
    1*) compopt -o filenames 2>/dev/null; COMPREPLY+=($(compgen -f -- "$word")) ;;
  esac
}
complete -F _appliance appliance
`;
}

/** Text inside single quotes. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

function zsh(commands: readonly Completion[]): string {
  const escape = (text: string) => text.replace(/[\[\]:\\]/g, "\\$&");
  const list = commands.map(({ name, summary }) => `    ${quoted(`${name}:${escape(summary)}`)}`);
  const cases = commands.map(({ name, words, file, options }) => {
    const specs = options.flatMap(({ short, long, summary, value }) => {
      const action = value === null ? "" : value === "file" ? ":file:_files" : ":value:";
      return (short === null ? [long] : [short, long]).map((flag) =>
        quoted(`${flag}[${escape(summary)}]${action}`)
      );
    });
    const rest = file
      ? [quoted("1:file:_files")]
      : words.length > 0
      ? [quoted(`1:what:(${words.join(" ")})`)]
      : [];
    return `    ${name}) _arguments ${[...specs, ...rest].join(" ")} ;;`;
  });
  return `#compdef appliance
# zsh completion of appliance
_appliance() {
  local -a commands
  commands=(
${list.join("\n")}
  )
  # Options may stand before the command's name.
  local at=2
  while (( at < CURRENT )) && [[ $words[at] == -* ]]; do
    case $words[at] in
      -c|--config) (( at += 2 )) ;;
      *) (( at++ )) ;;
    esac
  done
  if (( at > CURRENT )); then
    _files
    return
  fi
  if (( at == CURRENT )); then
    _describe command commands
    return
  fi
  local name=$words[at]
  shift $(( at - 1 )) words
  (( CURRENT -= at - 1 ))
  case $name in
${cases.join("\n")}
  esac
}
_appliance "$@"
`;
}

function fish(commands: readonly Completion[]): string {
  const lines = ["# fish completion of appliance", "complete -c appliance -f"];
  for (const { name, summary, words, file, options } of commands) {
    lines.push(`complete -c appliance -n __fish_use_subcommand -a ${name} -d ${quoted(summary)}`);
    const here = `complete -c appliance -n '__fish_seen_subcommand_from ${name}'`;
    if (words.length > 0) lines.push(`${here} -a ${quoted(words.join(" "))}`);
    if (file) lines.push(`${here} -F`);
    for (const { short, long, summary, value } of options) {
      const flags = `${short === null ? "" : `-s ${short.slice(1)} `}-l ${long.slice(2)}`;
      lines.push(
        `${here} ${flags} -d ${quoted(summary)}${value === null ? "" : value === "file" ? " -r -F" : " -x"}`,
      );
    }
  }
  return lines.join("\n") + "\n";
}
