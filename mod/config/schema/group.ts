/**
 * Schema of one sync group: `groups.NAME`.
 *
 * @module
 */
import * as z from "zod/mini";
import { list, mapping, text } from "./base.ts";
import { notify, track } from "./vrrp.ts";

/** Keys that a group must have, and what they hold. */
export const GROUP_REQUIRED = { members: "list the instances that share one state" } as const;

/** Schema of one group. */
export const group = mapping("Instances that share one state: all are master or none is.", {
  members: list(
    { description: "Names of instances under `vrrp`.", minItems: 2 },
    text("Name of an instance.", { type: "string" }),
  ),
  track: list({ description: "What all members depend on." }, z.optional(track)),
  notify: z.optional(notify),
}, GROUP_REQUIRED);

/** A group as it was read; what was wrong or absent is undefined. */
export type RawGroup = z.infer<typeof group>;
