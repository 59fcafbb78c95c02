/**
 * The status document as one screen.
 *
 * @module
 */
import type { InstanceEntry, StatusDocument } from "../status/schema.ts";
import { ageText, listText } from "../status/words.ts";
import { type Colour, coloured, plain } from "./output.ts";
import { type Cell, marked, table, type TableStyle } from "./table.ts";

const COLOURS: Readonly<Record<string, Colour>> = {
  master: "green",
  up: "green",
  running: "green",
  backup: "bold",
  init: "yellow",
  unknown: "yellow",
  fault: "red",
  down: "red",
  failed: "red",
};

/** A screen names no more instances than this to be resumed. */
const MOST_RESUMED = 3;

/**
 * The screen, with a line feed at its end.
 *
 * @param options What a command takes to reach this daemon: ` -c FILE`.
 * @param rows Lines of a terminal that shows no more than the beginning: what is wrong stands there if all does not fit.
 */
export function statusScreen(
  status: StatusDocument,
  style: TableStyle,
  options = "",
  rows: number | null = null,
): string {
  const ago = (iso: string | undefined) =>
    iso === undefined ? "" : `${ageText(Math.max(0, Date.parse(status.time) - Date.parse(iso)))} ago`;
  const head = [[headline(status, style)]];
  const blocks: string[][] = [];
  if (status.instances.length > 0) blocks.push(instanceTable(status.instances, ago, style));
  if (status.groups.length > 0) {
    blocks.push(table(
      ["GROUP", "STATE", "SINCE", "MEMBERS"],
      status.groups.map((group) => [
        group.name,
        state(group.state),
        ago(group.since),
        group.members.join(", "),
      ]),
      style,
    ));
  }
  if (status.probes.length > 0) {
    blocks.push(tableAbove(
      ["PROBE", "TYPE", "STATE", "LATENCY", "SINCE"],
      status.probes.map((probe) => [
        probe.name,
        probe.type,
        state(probe.state),
        latency(probe.latency_ms),
        ago(probe.since),
      ]),
      status.probes.map(({ error }) => error ?? ""),
      style,
    ));
  }
  if (status.tunnels.length > 0) {
    blocks.push(tableAbove(
      ["TUNNEL", "TYPE", "STATE", "LOCAL", "REMOTE", "LATENCY", "SINCE"],
      status.tunnels.map((tunnel) => [
        tunnel.name,
        tunnel.type,
        state(tunnel.state),
        tunnel.local ?? "",
        tunnel.remote ?? "",
        latency(tunnel.latency_ms ?? null),
        ago(tunnel.since),
      ]),
      status.tunnels.map(({ error }) => error ?? ""),
      style,
    ));
  }
  if (status.services.length > 0) {
    blocks.push(tableAbove(
      ["SERVICE", "STATE", "PID", "RESTARTS", "SINCE"],
      status.services.map((service) => [
        service.name,
        state(service.state),
        String(service.pid ?? ""),
        String(service.restarts),
        ago(service.since),
      ]),
      status.services.map(({ error }) => error ?? ""),
      style,
    ));
  }
  const troubles: string[][] = [];
  const warnings = warningsOf(status);
  if (warnings.length > 0) {
    troubles.push(
      warnings.flatMap((text) =>
        marked("! ", text, style.columns).map((line) => coloured(line, "yellow", style.colours))
      ),
    );
  }
  const cures = curesOf(status, options);
  if (cures.length > 0) troubles.push(cureLines(cures, style));
  const whole = asText([...head, ...blocks, ...troubles]);
  return rows === null || whole.split("\n").length <= rows
    ? whole
    : asText([...head, ...troubles, ...blocks]);
}

function asText(blocks: readonly string[][]): string {
  return blocks.map((lines) => lines.join("\n")).join("\n\n") + "\n";
}

/** Why an instance is in its state matters most: where the screen is too narrow it gets lines of its own. */
function instanceTable(
  instances: readonly InstanceEntry[],
  ago: (iso: string) => string,
  style: TableStyle,
): string[] {
  const head = ["INSTANCE", "STATE", "SINCE", "PRIORITY", "MASTER", "ADDRESSES"];
  const rows = instances.map((instance) => [
    instance.name,
    state(instance.state),
    ago(instance.since),
    priority(instance),
    master(instance),
    addresses(instance),
  ]);
  const wide = table(
    [...head, "INTERFACE", "REASON"],
    rows.map((row, i) => [...row, instances[i]!.interface, instances[i]!.reason]),
    { ...style, columns: null },
  );
  if (fits(wide, style)) return wide;
  const narrow = table(head, rows, { ...style, columns: null });
  if (fits(narrow, style)) {
    return below(narrow, instances.map((entry) => `${entry.interface}: ${entry.reason}`), style);
  }
  return below(
    table(head.slice(0, -1), rows.map((row) => row.slice(0, -1)), style),
    instances.map((entry) => `${addresses(entry)} on ${entry.interface}: ${entry.reason}`),
    style,
  );
}

/** A table whose last column, called ERROR, gets lines of its own where the screen is too narrow. */
function tableAbove(
  head: readonly string[],
  rows: readonly (readonly Cell[])[],
  errors: readonly string[],
  style: TableStyle,
): string[] {
  const wide = table([...head, "ERROR"], rows.map((row, i) => [...row, errors[i]!]), {
    ...style,
    columns: null,
  });
  return fits(wide, style) ? wide : below(table(head, rows, style), errors, style);
}

/** Whether lines fit the screen. */
function fits(lines: readonly string[], { columns }: TableStyle): boolean {
  // deno-lint-ignore no-control-regex
  return columns === null || lines.every((line) => line.replace(/\x1b\[\d+m/g, "").length <= columns);
}

/** A table with a text below each of its rows. */
function below([head, ...rows]: readonly string[], texts: readonly string[], style: TableStyle): string[] {
  const text = (i: number) =>
    texts[i] === ""
      ? []
      : marked("  ", texts[i]!, style.columns).map((line) => coloured(line, "dim", style.colours));
  return [head!, ...rows.flatMap((row, i) => [row, ...text(i)])];
}

function headline(status: StatusDocument, { colours }: TableStyle): string {
  const { node, healthy, maintenance, uptime_s, version } = status;
  const health = healthy ? coloured("healthy", "green", colours) : coloured("NOT HEALTHY", "red", colours);
  const held = maintenance ? `  ${coloured("IN MAINTENANCE", "yellow", colours)}` : "";
  return `${coloured(plain(node), "bold", colours)}  ${health}${held}  up ${
    ageText(uptime_s * 1000)
  }  appliance ${version}`;
}

function state(text: string): Cell {
  return { text, colour: COLOURS[text] ?? null };
}

function priority({ priority: { base, effective } }: InstanceEntry): Cell {
  return base === effective ? String(base) : { text: `${effective} (of ${base})`, colour: "yellow" };
}

function master({ master, state }: InstanceEntry): string {
  if (master === null) return "-";
  return state === "master" ? `${master.address} (self)` : `${master.address} (${master.priority})`;
}

/** The first of each family, and how many more there are. */
function addresses({ addresses }: InstanceEntry): string {
  const first = [false, true].map((v6) => addresses.find((address) => address.includes(":") === v6));
  const shown = first.filter((address) => address !== undefined);
  if (shown.length === 0) return "-";
  const more = addresses.length - shown.length;
  return shown.join(", ") + (more === 0 ? "" : ` +${more}`);
}

function latency(ms: number | null): string {
  return ms === null ? "" : `${ms < 10 ? Number(ms.toFixed(1)) : Math.round(ms)} ms`;
}

/** What the tables do not show. */
function warningsOf({ instances, config, engine, probes, problems }: StatusDocument): string[] {
  const warnings = [...problems];
  const tracked = new Set(instances.flatMap(({ track }) => track.map(({ source }) => source)));
  for (const { name, state } of probes) {
    if (state === "down" && !tracked.has(`probe:${name}`)) {
      warnings.push(`probe ${name} is down (tracked by nothing)`);
    }
  }
  for (const { name, adverts } of instances) {
    const dropped = Object.entries(adverts.dropped).filter(([, count]) => count > 0);
    if (dropped.length > 0) {
      warnings.push(
        `instance ${name} ignored ${listText(dropped.map(([why, count]) => `${count} (${why})`))} packets`,
      );
    }
  }
  if (config !== null && !config.ok) {
    warnings.push(`the last reload was refused: ${config.problems.join("; ")}`);
  }
  const { control_restarts: restarts } = engine;
  if (restarts > 0) {
    warnings.push(`the control process was started anew ${restarts} time${restarts === 1 ? "" : "s"}`);
  }
  return warnings;
}

type Cure = readonly [command: string, why: string];

/** What to type next, and what for. */
function curesOf(
  { healthy, maintenance, instances, config }: StatusDocument,
  options: string,
): Cure[] {
  const cures: Cure[] = [];
  if (maintenance) cures.push([`appliance maintenance off${options}`, "take part again"]);
  else {
    for (const { name } of instances.filter(({ released }) => released).slice(0, MOST_RESUMED)) {
      cures.push([`appliance resume ${name}${options}`, "take part again"]);
    }
  }
  if (config !== null && !config.ok) {
    cures.push([`appliance reload${options}`, "when the file is corrected"]);
  }
  if (!healthy) {
    cures.push([`appliance explain${options}`, "why, in sentences"]);
    if (instances.some(isNotHeard)) {
      cures.push([`appliance doctor${options}`, "why the routers do not hear each other"]);
    }
  }
  return cures;
}

/** Commands stay in one piece, to be copied; what they are for is left out where it does not fit. */
function cureLines(cures: readonly Cure[], { colours, columns }: TableStyle): string[] {
  const width = Math.max(...cures.map(([command]) => command.length));
  const room = (columns ?? Infinity) - Math.max(...cures.map(([, why]) => width + why.length)) - 8;
  return cures.map(([command, why], i) => {
    const start = `${i === 0 ? "do" : "  "}  `;
    return room < 0
      ? start + plain(command)
      : `${start}${plain(command).padEnd(width)}  ${coloured(`# ${why}`, "dim", colours)}`;
  });
}

function isNotHeard({ split_brain_with, send_error, unheard }: InstanceEntry): boolean {
  return split_brain_with !== null || send_error !== null || unheard.length > 0;
}
