/**
 * The firewall's rules, as its own programs print them.
 *
 * @module
 */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import type { Facts, FeatureState, RulesText } from "../model.ts";

const TIMEOUT_MS = 2500;
const ENVIRONMENT = { PATH: "/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin", LC_ALL: "C" };
const OPTIONS = {
  timeout: TIMEOUT_MS,
  killSignal: "SIGKILL",
  env: ENVIRONMENT,
  maxBuffer: 64 << 20,
} as const;

function outputOf(program: string, args: readonly string[]): Promise<RulesText> {
  return new Promise((resolve) => {
    const failed = (error: Error & { readonly code?: unknown }, stderr = "") =>
      resolve(
        error.code === "ENOENT"
          ? null
          : { error: stderr.trim().split("\n")[0] || error.message.split("\n")[0]! },
      );
    try {
      execFile(program, [...args], OPTIONS, (error, stdout, stderr) => {
        if (error === null) resolve({ text: stdout });
        else failed(error, stderr);
      });
    } catch (thrown) {
      failed(thrown as Error);
    }
  });
}

/** What nft shows where there is nothing. */
const NO_RULES: RulesText = { text: '{"nftables":[]}' };

/**
 * Asks nft and both iptables, in the namespace of this process. Not where the kernel has not loaded what keeps their
 * rules: then there are none, and to ask would load it.
 */
export async function readFirewall(nftables: FeatureState): Promise<Facts["firewall"]> {
  const loaded = nftables === "there" || nftables === "unknown";
  const saved = (program: string, names: string) =>
    loaded || existsSync(names) ? outputOf(program, []) : Promise.resolve(null);
  const [nft, iptables, ip6tables] = await Promise.all([
    loaded ? outputOf("nft", ["-j", "list", "ruleset"]) : NO_RULES,
    saved("iptables-save", "/proc/net/ip_tables_names"),
    saved("ip6tables-save", "/proc/net/ip6_tables_names"),
  ]);
  return { nft, iptables, ip6tables };
}
