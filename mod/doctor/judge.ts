/**
 * From facts to findings: the whole of the doctor's opinion. Pure.
 *
 * @module
 */
import { judgeApi } from "./judge/api.ts";
import { judgeClock } from "./judge/clock.ts";
import { judgeDaemons } from "./judge/daemon.ts";
import { judgeFirewall } from "./judge/firewall.ts";
import { judgeInterfaces } from "./judge/interface.ts";
import { judgeKernel, unknownFeatures } from "./judge/kernel.ts";
import { judgeRights } from "./judge/rights.ts";
import { judgeSysctls } from "./judge/sysctl.ts";
import { judgeTunnels, type TunnelJudge } from "./judge/tunnel.ts";
import { judgeWire, unheard } from "./judge/wire.ts";
import {
  type Area,
  AREAS,
  type Diagnosis,
  type DoctorConfig,
  type Facts,
  type Finding,
  type Unchecked,
} from "./model.ts";

const JUDGES = [
  judgeRights,
  judgeKernel,
  judgeInterfaces,
  judgeSysctls,
  judgeFirewall,
  judgeDaemons,
  judgeWire,
  judgeApi,
  judgeClock,
] as const;

const SEVERITIES = ["error", "warning", "note"];

/** Areas that there is something to look at in. */
function areasOf(config: DoctorConfig | null): readonly Area[] {
  if (config === null) return ["rights", "kernel", "daemons", "clock"];
  return AREAS.filter((area) =>
    area === "tunnels" ? config.tunnels.length > 0 : area === "wire" ? config.vrrp.length > 0 : true
  );
}

/**
 * Judges a machine.
 *
 * @param config What it is to run; null = the machine alone is looked at.
 * @param tunnels Judges a tunnel.
 * @returns Findings by area, the worst of each first.
 */
export function diagnose(config: DoctorConfig | null, facts: Facts, tunnels: TunnelJudge): Diagnosis {
  const findings = [
    ...JUDGES.flatMap((judge) => judge(config, facts)),
    ...judgeTunnels(config, facts, tunnels),
  ];
  const unknown = unknownFeatures(config, facts);
  const what = `whether the kernel has ${unknown.join(", ")}`;
  const kernel: Unchecked[] = unknown.length === 0
    ? []
    : [{ area: "kernel", what, why: "this user is not permitted to ask" }];
  return arrange(findings, areasOf(config), [...kernel, ...unheard(config, facts), ...facts.unchecked]);
}

function arrange(
  findings: readonly Finding[],
  areas: readonly Area[],
  unchecked: readonly Unchecked[],
): Diagnosis {
  const key = ({ area, what, why }: Unchecked) => `${area} ${what} ${why}`;
  const order = ({ area, severity }: Finding) => AREAS.indexOf(area) * 10 + SEVERITIES.indexOf(severity);
  return {
    findings: findings.toSorted((a, b) => order(a) - order(b)),
    unchecked: [...new Map(unchecked.map((entry) => [key(entry), entry])).values()],
    areas: AREAS.filter((area) => areas.includes(area) || findings.some((entry) => entry.area === area)),
  };
}

/** Whether nothing was found that stops the daemon from doing what the config says. */
export function isFit({ findings }: Pick<Diagnosis, "findings">): boolean {
  return !findings.some(({ severity }) => severity === "error");
}
