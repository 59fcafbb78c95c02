/**
 * Does the kernel have what the config asks of it? Pure.
 *
 * @module
 */
import { finding, instancesOf, list, unique } from "../facts.ts";
import {
  type DoctorConfig,
  type Facts,
  type Feature,
  FEATURES,
  type Finding,
  type Severity,
} from "../model.ts";

/** What each feature is for, as the end of "This kernel cannot …". */
const PURPOSE: Readonly<Record<Feature, string>> = {
  macvlan: "make interfaces with a virtual MAC address (vmac)",
  ip_gre: "make gre and gretap tunnels",
  ip6_gre: "make ip6gre and ip6gretap tunnels",
  tun: "make the device of a user-space tunnel",
  ip_vs: "balance connections (IPVS)",
  nf_tables: "drop packets to addresses that are not accepted (accept: false)",
};

/** A feature that is wanted, by whom, and how bad it is to be without. */
interface Need {
  readonly feature: Feature;
  readonly users: readonly string[];
  readonly severity: Severity;
}

function need(feature: Feature, users: readonly string[], severity: Severity = "error"): Need[] {
  return users.length === 0 ? [] : [{ feature, users, severity }];
}

function isThere(facts: Facts, feature: Feature): boolean {
  const state = facts.features[feature];
  return state !== "missing" && !(state === "loadable" && facts.modulesLocked);
}

/** What the config wants of the kernel. */
export function needsOf(config: DoctorConfig, facts: Facts): Need[] {
  const tunnels = config.tunnels;
  const named = (list: typeof tunnels) => list.map(({ name }) => `tunnel ${name}`);
  const gre = (["ip_gre", "ip6_gre"] as const).flatMap((feature) => {
    const mine = tunnels.filter(({ type }) => type.startsWith("ip6") === (feature === "ip6_gre"));
    const auto = mine.filter(({ datapath }) => datapath === "auto");
    return [
      ...need(feature, named(mine.filter(({ datapath }) => datapath === "kernel"))),
      // Without the kernel's the user-space tunnel takes over.
      ...need(feature, named(auto), isThere(facts, "tun") ? "warning" : "error"),
    ];
  });
  const byUser = tunnels.filter(({ datapath, type }) =>
    datapath === "user" ||
    (datapath === "auto" && !isThere(facts, type.startsWith("ip6") ? "ip6_gre" : "ip_gre"))
  );
  const vrrp = instancesOf(config);
  return [
    ...need(
      "macvlan",
      vrrp.filter(({ vmac }) => vmac).map(({ name }) => `instance ${name}`),
    ),
    ...gre,
    ...need("tun", named(byUser)),
    ...need("ip_vs", (config.balance?.length ?? 0) > 0 ? ["balance"] : []),
    ...need("nf_tables", vrrp.filter(({ accept }) => !accept).map(({ name }) => `instance ${name}`)),
  ];
}

/** What of the kernel matters and could not be found out. */
export function unknownFeatures(config: DoctorConfig | null, facts: Facts): Feature[] {
  const wanted = config === null ? FEATURES : needsOf(config, facts).map(({ feature }) => feature);
  return unique(wanted.filter((feature) => facts.features[feature] === "unknown"));
}

/** Findings about the kernel. */
export function judgeKernel(config: DoctorConfig | null, facts: Facts): Finding[] {
  const found: Finding[] = [];
  const { release, major, minor } = facts.kernel;
  if (major < 5 || (major === 5 && minor < 3)) {
    found.push(finding(
      "kernel",
      "warning",
      `Linux ${release} is older than 5.3`,
      "The end of a watched process is noticed at the probe's next interval instead of at once (no pidfd)",
    ));
  }
  // Without a config it is told what this machine could not do.
  const needs: readonly Need[] = config === null
    ? FEATURES.map((feature) => ({ feature, users: [], severity: "note" }))
    : needsOf(config, facts);
  for (const entry of needs) found.push(...judgeNeed(facts, entry));
  return found;
}

function judgeNeed(facts: Facts, { feature, users, severity }: Need): Finding[] {
  const state = facts.features[feature];
  const by = users.length === 0 ? "" : `Needed by ${list(users)}`;
  const load = [
    `modprobe ${feature}`,
    `echo ${feature} > /etc/modules-load.d/appliance-${feature}.conf   # for the next boot`,
  ];
  if (state === "there" || state === "unknown") return [];
  if (state === "loadable") {
    if (users.length === 0) return [];
    if (!facts.modulesLocked) {
      return [
        finding(
          "kernel",
          "note",
          `Module ${feature} is not loaded yet`,
          `${by}; it is loaded with its first use`,
          load,
        ),
      ];
    }
    return [finding(
      "kernel",
      severity,
      `Module ${feature} is not loaded, and kernel.modules_disabled forbids to load it`,
      by,
      [load[1]!, "reboot"],
    )];
  }
  const what = `Module ${feature} is missing: this kernel cannot ${PURPOSE[feature]}`;
  const instead = severity === "warning"
    ? `${by}: a program of ours will move their packets (datapath: auto), at less speed`
    : by;
  if (users.length === 0) return [finding("kernel", "note", what)];
  if (feature === "tun") {
    return [finding("kernel", severity, what, `${by}; in a container the device must be handed in`, [
      load[0]!,
      "--device /dev/net/tun   # for a container",
    ])];
  }
  return [finding(
    "kernel",
    severity,
    what,
    `${instead}. Where modprobe does not find it either, the kernel was built without it: install the distribution's ` +
      "full kernel (Ubuntu: linux-modules-extra)",
    load,
  )];
}
