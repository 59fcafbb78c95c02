/**
 * All rows, in the order of the table.
 *
 * @module
 */
import type { Row } from "./measure.ts";
import { crash } from "./rows/crash.ts";
import { handover } from "./rows/handover.ts";
import { jitter } from "./rows/jitter.ts";
import { many } from "./rows/many.ts";
import { mistake } from "./rows/mistake.ts";
import { nginx } from "./rows/nginx.ts";
import { reload } from "./rows/reload.ts";
import { repair } from "./rows/repair.ts";
import { split } from "./rows/split.ts";
import { start } from "./rows/start.ts";
import { vips } from "./rows/vips.ts";

export const ROWS: readonly Row[] = [
  crash,
  handover,
  nginx,
  jitter,
  many,
  vips,
  start,
  reload,
  repair,
  split,
  mistake,
];
