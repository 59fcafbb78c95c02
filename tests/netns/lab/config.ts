/**
 * Configs of our daemon and of keepalived for the tests: as short as they can be, fast where the protocol allows.
 *
 * @module
 */

/** A YAML file from plain data: each top-level key on one line, below it JSON, which YAML contains. */
export function yamlOf(config: Readonly<Record<string, unknown>>): string {
  return Object.entries(config).map(([key, value]) => `${key}: ${JSON.stringify(value)}\n`).join("");
}

/** The virtual address of {@link web}. */
export const VIP = "10.0.0.100";

/** Keys of an instance that advertises each 100 ms; `keys` are added or replace. */
export function web(priority: number, keys: Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
  return {
    interface: "eth0",
    vrid: 51,
    priority,
    advert_interval: "100ms",
    addresses: [`${VIP}/24`],
    ...keys,
  };
}

/** A whole file with the one instance `web`. */
export function webYaml(
  priority: number,
  keys: Readonly<Record<string, unknown>> = {},
  more: Readonly<Record<string, unknown>> = {},
): string {
  return yamlOf({ ...more, vrrp: { web: web(priority, keys) } });
}

/** What a keepalived is told. */
export interface KeepalivedOptions {
  readonly version: 2 | 3;
  readonly priority: number;
  /** Seconds. */
  readonly interval: number;
  readonly vip: string;
  /** Lines for the instance beyond these. */
  readonly more?: readonly string[];
  readonly unicast?: { readonly source: string; readonly peer: string };
  readonly password?: string;
}

/** A keepalived.conf with one instance of VRID 51 on eth0. */
export function keepalivedConf(options: KeepalivedOptions): string {
  const { version, priority, interval, vip, unicast, password, more = [] } = options;
  const lines = [
    "global_defs {",
    "  router_id lab",
    `  vrrp_version ${version}`,
    "}",
    "vrrp_instance web {",
    "  state BACKUP",
    "  interface eth0",
    "  virtual_router_id 51",
    `  priority ${priority}`,
    `  advert_int ${interval}`,
    ...more.map((line) => `  ${line}`),
  ];
  if (unicast !== undefined) {
    lines.push(`  unicast_src_ip ${unicast.source}`, "  unicast_peer {", `    ${unicast.peer}`, "  }");
  }
  if (password !== undefined) {
    lines.push("  authentication {", "    auth_type PASS", `    auth_pass ${password}`, "  }");
  }
  lines.push("  virtual_ipaddress {", `    ${vip}`, "  }", "}");
  return lines.join("\n") + "\n";
}
