/**
 * A thread that runs schedules.
 *
 * @module
 */
import { type Answer, type Order, runSeeds } from "./runs.ts";

self.onmessage = async ({ data }: MessageEvent<Order>) => {
  let answer: Answer;
  try {
    answer = { figures: await runSeeds(data) };
  } catch (error) {
    answer = { error: error instanceof Error ? error.message : String(error) };
  }
  postMessage(answer);
};
