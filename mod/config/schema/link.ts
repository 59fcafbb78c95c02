/**
 * Schema of what is said of network interfaces: `links.NAME`, and `debounce`.
 *
 * @module
 */
import * as z from "zod/mini";
import { docs, duration, mapping } from "./base.ts";

const HOUR = 3_600_000;

/** How long a change of a link has to last before it counts. */
export const debounce = mapping("How long a change of a link has to last before it counts.", {
  down: duration("How long it has to be down. 0s = it counts at once.", 0, HOUR, { preset: "0s" }),
  up: duration("How long it has to be up again. 0s = it counts at once.", 0, HOUR, { preset: "0s" }),
});

const link = mapping("A network interface that virtual routers run on or track.", {
  debounce: z.optional(debounce),
});

/** Schema of the section. */
export const links = z.optional(
  z.record(z.string(), z.optional(link)).register(docs, {
    description: "What holds of network interfaces, by name, wherever an instance runs on one or tracks it.",
    propertyNames: { maxLength: 15, pattern: "^[^/:\\s]+$" },
  }),
);
