/**
 * A config of keepalived, given to us: one sentence says what it is, instead of what a YAML parser makes of it.
 *
 * @module
 */
import type { ConfigDocument } from "./document.ts";

/** Words that keepalived's blocks begin with at the top of a file. */
const BLOCKS = [
  "global_defs",
  "vrrp_instance",
  "vrrp_sync_group",
  "vrrp_script",
  "vrrp_track_process",
  "vrrp_track_file",
  "track_file",
  "bfd_instance",
  "garp_group",
  "interface_up_down_delays",
  "linkbeat_interfaces",
  "static_ipaddress",
  "static_routes",
  "static_rules",
  "virtual_server",
  "virtual_server_group",
].join("|");

/** Such a line, which would have a colon in YAML; the brace may be on the next one. */
const BLOCK_LINE = new RegExp(
  `^[ \\t]*(?:${BLOCKS})(?:[ \\t]+[^\\s{]*[^\\s:{])*[ \\t]*(?:\\{.*|[!#].*)?\\r?$`,
  "m",
);
/** Comments as keepalived's own example begins, and what else may stand before the first block. */
const OPENING_LINE = /^(?:![^\n]*|include[rmwba]*[ \t]+\/[^\n]*)$/m;

export const KEEPALIVED = {
  what: "this is in keepalived's format, which is not read",
  instead: "write it in YAML: each `vrrp_instance NAME {` becomes `NAME:` under `vrrp:`, " +
    "docs/interop.md shows one beside the other; there is no command that imports it yet",
} as const;

/** Where a text shows that it is keepalived's, as an offset; null when it does not. */
export function keepalivedAt(text: string, { root, problems }: ConfigDocument): number | null {
  // What YAML reads as a mapping from end to end is ours, whatever stands in its texts.
  if (root?.kind === "map" && !problems.some(({ structural }) => structural)) return null;
  const block = BLOCK_LINE.exec(text);
  // Something of keepalived's that was pasted into one of ours is judged as one of ours.
  const first = text.search(/^(?![ \t]*(?:[#!]|\r?$))/m);
  if (block !== null && (root?.kind !== "map" || block.index <= first)) {
    return block.index + block[0].search(/\S/);
  }
  return root?.kind === "map" ? null : OPENING_LINE.exec(text)?.index ?? null;
}
