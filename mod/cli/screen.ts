/**
 * The status document as one screen.
 *
 * @module
 */
import type { InstanceEntry, StatusDocument } from "../status/schema.ts";
import { ageText, listText } from "../status/words.ts";
import { type Colour, coloured, plain } from "./output.ts";
import { type Cell, cut, table, type TableStyle } from "./table.ts";

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

/** The screen, with a line feed at its end. */
export function statusScreen(status: StatusDocument, style: TableStyle): string {
  const ago = (iso: string | undefined) =>
    iso === undefined ? "" : `${ageText(Math.max(0, Date.parse(status.time) - Date.parse(iso)))} ago`;
  const blocks: string[][] = [[headline(status, style)]];
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
    blocks.push(table(
      ["PROBE", "TYPE", "STATE", "LATENCY", "SINCE", "ERROR"],
      status.probes.map((probe) => [
        probe.name,
        probe.type,
        state(probe.state),
        latency(probe.latency_ms),
        ago(probe.since),
        probe.error ?? "",
      ]),
      style,
    ));
  }
  if (status.tunnels.length > 0) {
    blocks.push(table(
      ["TUNNEL", "TYPE", "STATE", "LOCAL", "REMOTE", "LATENCY", "SINCE", "ERROR"],
      status.tunnels.map((tunnel) => [
        tunnel.name,
        tunnel.type,
        state(tunnel.state),
        tunnel.local ?? "",
        tunnel.remote ?? "",
        latency(tunnel.latency_ms ?? null),
        ago(tunnel.since),
        tunnel.error ?? "",
      ]),
      style,
    ));
  }
  if (status.services.length > 0) {
    blocks.push(table(
      ["SERVICE", "STATE", "PID", "RESTARTS", "SINCE", "ERROR"],
      status.services.map((service) => [
        service.name,
        state(service.state),
        String(service.pid ?? ""),
        String(service.restarts),
        ago(service.since),
        service.error ?? "",
      ]),
      style,
    ));
  }
  const warnings = warningsOf(status);
  if (warnings.length > 0) {
    blocks.push(warnings.map((text) => {
      const line = plain(text);
      return coloured(style.columns === null ? line : cut(line, style.columns), "yellow", style.colours);
    }));
  }
  return blocks.map((lines) => lines.join("\n")).join("\n\n") + "\n";
}

/** Why an instance is in its state matters most: where the screen is too narrow it gets a line of its own. */
function instanceTable(
  instances: readonly InstanceEntry[],
  ago: (iso: string) => string,
  style: TableStyle,
): string[] {
  const head = ["INSTANCE", "STATE", "SINCE", "PRIORITY", "MASTER", "ADDRESSES", "INTERFACE"];
  const rows = instances.map((instance) => [
    instance.name,
    state(instance.state),
    ago(instance.since),
    priority(instance),
    master(instance),
    addresses(instance),
    instance.interface,
  ]);
  const whole = (colours: boolean) =>
    table([...head, "REASON"], rows.map((row, i) => [...row, instances[i]!.reason]), {
      colours,
      columns: null,
    });
  const { columns } = style;
  if (columns === null || whole(false).every((line) => line.length <= columns)) return whole(style.colours);
  const [first, ...lines] = table(head, rows, style);
  const reason = (i: number) =>
    coloured(cut(`  ${plain(instances[i]!.reason)}`, columns), "dim", style.colours);
  return [first!, ...lines.flatMap((line, i) => [line, reason(i)])];
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
  const warnings = problems.map((problem) => `! ${problem}`);
  const tracked = new Set(instances.flatMap(({ track }) => track.map(({ source }) => source)));
  for (const { name, state } of probes) {
    if (state === "down" && !tracked.has(`probe:${name}`)) {
      warnings.push(`! probe ${name} is down (tracked by nothing)`);
    }
  }
  for (const { name, adverts } of instances) {
    const dropped = Object.entries(adverts.dropped).filter(([, count]) => count > 0);
    if (dropped.length > 0) {
      warnings.push(
        `! instance ${name} ignored ${listText(dropped.map(([why, count]) => `${count} (${why})`))} packets`,
      );
    }
  }
  if (config !== null && !config.ok) {
    warnings.push(`! the last reload was refused: ${config.problems.join("; ")}`);
  }
  const { control_restarts: restarts } = engine;
  if (restarts > 0) {
    warnings.push(`! the control process was started anew ${restarts} time${restarts === 1 ? "" : "s"}`);
  }
  return warnings;
}
