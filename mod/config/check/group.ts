/**
 * Judges sync groups: their members, and what members may not have of their own.
 *
 * @module
 */
import { nearest } from "../names.ts";
import type { RawConfig } from "../schema.ts";
import { GROUP_REQUIRED } from "../schema/group.ts";
import { lineOf, requireKeys, writtenKeys } from "./context.ts";
import type { Check } from "./context.ts";
import { checkTrack, familiesOfGroup } from "./track.ts";

function checkMember(check: Check, raw: RawConfig, path: (string | number)[], member: string): void {
  const instance = raw.vrrp?.[member];
  if (instance === undefined) {
    if (check.meant.has("vrrp") || writtenKeys(check, ["vrrp"]).includes(member)) return;
    const known = writtenKeys(check, ["vrrp"]);
    const guess = nearest(member, known);
    const instead = guess !== null
      ? `did you mean \`${guess}\`?`
      : `the instances are ${known.join(", ") || "none"}`;
    const what = `names \`${member}\`, but there is no such instance`;
    return check.report({ path, what, instead, doubtful: true });
  }
  if (instance.priority === 255) {
    const what = `names \`${member}\`, the owner of its addresses (priority 255), which is always master`;
    check.report({ path, what, instead: "remove it, or lower its priority" });
  }
  instance.track?.forEach((track, index) => {
    if (track?.weight === undefined || track.weight === 0) return;
    check.report({
      path: ["vrrp", member, "track", index, "weight"],
      what: `moves the priority of all members of group \`${String(path[1])}\`, which share one state`,
      instead: `clearer under groups.${String(path[1])}.track`,
      at: "key",
      severity: "warning",
    });
  });
}

/** Checks every group. */
export function checkGroups(check: Check, raw: RawConfig): void {
  const taken = new Map<string, string>();
  for (const [name, group] of Object.entries(raw.groups ?? {})) {
    if (group === undefined) continue;
    const path = ["groups", name];
    requireKeys(check, path, GROUP_REQUIRED);
    const { members } = group;
    if (members !== undefined && members.length < 2) {
      const what = members.length === 0 ? "is empty" : "has one member only";
      check.report({ path: [...path, "members"], what, instead: "list at least two instances" });
    }
    members?.forEach((member, index) => {
      if (member === undefined) return;
      const at = [...path, "members", index];
      checkMember(check, raw, at, member);
      const other = taken.get(member);
      if (other !== undefined) {
        const line = lineOf(check, ["groups", other]);
        const what = other === name
          ? `names \`${member}\`, which stands in this list already`
          : `names \`${member}\`, which is in \`${other}\` (line ${line}) already`;
        check.report({ path: at, what, instead: "an instance is in one group" });
      }
      taken.set(member, name);
    });
    checkTrack(check, path, { track: group.track }, familiesOfGroup(raw, group), raw);
  }
}
