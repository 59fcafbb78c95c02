/**
 * Will the tunnels carry packets, and whole ones? The tunnels' own judgement, asked with what the doctor has found out.
 * Pure.
 *
 * @module
 */
import { formatAddress } from "../../../lib/packet/mod.ts";
import type { MachineFacts } from "../../tunnel/machine/facts.ts";
import type { TunnelFinding, TunnelUse } from "../../tunnel/machine/findings.ts";
import type { TunnelConfig } from "../../tunnel/model.ts";
import { confName, finding, sysctlNumber } from "../facts.ts";
import type { DoctorConfig, Facts, Finding } from "../model.ts";

/** What stands in a tunnel's way, as the tunnels' own code judges it. */
export type TunnelJudge = (
  config: TunnelConfig,
  facts: MachineFacts,
  use: TunnelUse,
) => readonly TunnelFinding[];

/** Findings about tunnels. */
export function judgeTunnels(config: DoctorConfig | null, facts: Facts, judge: TunnelJudge): Finding[] {
  const machine = machineOf(facts);
  return (config?.tunnels ?? []).flatMap((tunnel) => {
    return judge(tunnel, machine, { user: true }).map(({ severity, what, fix, lasting = [] }) =>
      finding("tunnels", severity, what.replace(/^t/, "T"), null, [fix, ...lasting])
    );
  });
}

/** The facts in the words of the tunnels. Kernel modules are an area of the doctor's own and left out. */
function machineOf(facts: Facts): MachineFacts {
  const isOn = (name: string) => {
    const value = sysctlNumber(facts, name);
    return value === null ? null : value !== 0;
  };
  const rpFilter: Record<string, number> = {};
  for (const name of ["all", "default", ...facts.links.map((link) => link.name)]) {
    const value = sysctlNumber(facts, confName("ipv4", name, "rp_filter"));
    if (value !== null) rpFilter[name] = value;
  }
  return {
    interfaces: facts.links.map(({ name, kind, up, mtu, addresses }) => ({
      name,
      kind,
      up,
      mtu,
      addresses: addresses.map(({ address }) => address),
    })),
    locals: facts.locals,
    routes: facts.routes.map(({ family, destination, prefix, dev, metric }) => ({
      destination: destination === null ? (family === "ipv4" ? "0.0.0.0" : "::") : formatAddress(destination),
      prefix,
      dev,
      metric,
    })),
    forwarding: { ipv4: isOn("net.ipv4.ip_forward"), ipv6: isOn("net.ipv6.conf.all.forwarding") },
    rpFilter,
    gre: null,
    moduleFailures: {},
  };
}
