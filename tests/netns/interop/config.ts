/**
 * The same virtual routers in our file and in keepalived's.
 *
 * @module
 */
import { yamlOf } from "../lab.ts";

export type Side = "ours" | "theirs";

/** A form in which virtual routers are run. */
export interface Form {
  readonly name: string;
  readonly version: 2 | 3;
  readonly family: "ipv4" | "ipv6";
  readonly unicast?: boolean;
  /** Key of the authentication header. */
  readonly ah?: string;
  /** Two virtual routers, on eth0 and eth1, as a sync group. */
  readonly group?: boolean;
}

interface Router {
  readonly name: string;
  readonly device: string;
  readonly vrid: number;
  readonly addresses: readonly string[];
}

function routersOf({ family, group }: Form): Router[] {
  if (family === "ipv6") {
    return [{ name: "web", device: "eth0", vrid: 51, addresses: ["fe80::100/64", "2001:db8::100/64"] }];
  }
  const web = { name: "web", device: "eth0", vrid: 51, addresses: ["10.0.0.100/24"] };
  return group ? [web, { name: "lan", device: "eth1", vrid: 52, addresses: ["10.1.0.100/24"] }] : [web];
}

/** The address that a side's unicast comes from. */
function own(form: Form, side: Side): string {
  const last = side === "ours" ? 1 : 2;
  return form.family === "ipv4" ? `10.0.0.${last}` : `2001:db8::${last}`;
}

/** Our file. */
export function ourFile(form: Form, priority: number): string {
  const routers = routersOf(form);
  const instances = routers.map(({ name, device, vrid, addresses }) => [name, {
    interface: device,
    vrid,
    version: form.version,
    priority,
    advert_interval: form.version === 2 ? "1s" : "100ms",
    addresses,
    ...(form.unicast ? { source: own(form, "ours"), peers: [own(form, "theirs")] } : {}),
    ...(form.ah === undefined ? {} : { auth: { type: "ah", key: form.ah } }),
  }]);
  const groups = form.group ? { groups: { both: { members: routers.map(({ name }) => name) } } } : {};
  return yamlOf({ vrrp: Object.fromEntries(instances), ...groups });
}

/** keepalived's file. */
export function keepalivedFile(form: Form, priority: number): string {
  const routers = routersOf(form);
  const lines = ["global_defs {", "  router_id lab", `  vrrp_version ${form.version}`, "}"];
  if (form.group) {
    lines.push(
      "vrrp_sync_group both {",
      "  group {",
      ...routers.map(({ name }) => `    ${name}`),
      "  }",
      "}",
    );
  }
  for (const { name, device, vrid, addresses } of routers) {
    lines.push(
      `vrrp_instance ${name} {`,
      "  state BACKUP",
      `  interface ${device}`,
      `  virtual_router_id ${vrid}`,
      `  priority ${priority}`,
      `  advert_int ${form.version === 2 ? 1 : 0.1}`,
    );
    if (form.unicast) {
      const peer = own(form, "ours");
      lines.push(`  unicast_src_ip ${own(form, "theirs")}`, "  unicast_peer {", `    ${peer}`, "  }");
    }
    if (form.ah !== undefined) {
      lines.push("  authentication {", "    auth_type AH", `    auth_pass ${form.ah}`, "  }");
    }
    lines.push("  virtual_ipaddress {", ...addresses.map((address) => `    ${address}`), "  }", "}");
  }
  return lines.join("\n") + "\n";
}
