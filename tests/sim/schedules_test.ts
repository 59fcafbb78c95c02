/**
 * Random schedules of four kinds; a failure tells the seed that brings it back.
 *
 * @module
 */
import { expect, test } from "bun:test";
import { runMany, runsOr } from "./runs.ts";

const LIMIT_MS = 600_000;

test("once the networks are healthy there is one master, and one leader of each group", async () => {
  const runs = runsOr(93_000);
  const { masters } = await runMany("election", runs);
  expect(masters).toBeGreaterThan(runs / 2);
}, LIMIT_MS);

test("a planned hand-over leaves no moment without an owner", async () => {
  const runs = runsOr(1500);
  const { handed } = await runMany("hand_over", runs);
  expect(handed).toBeGreaterThan(runs / 2);
}, LIMIT_MS);

test("a restart in time is none, and one that is late resumes nothing", async () => {
  const runs = runsOr(4000);
  const { inTime, late } = await runMany("restart", runs);
  expect(inTime).toBeGreaterThan(runs / 5);
  expect(late).toBeGreaterThan(runs / 20);
}, LIMIT_MS);

test("repeated authenticated advertisements move nothing", async () => {
  const runs = runsOr(1500);
  const { repeated } = await runMany("replay", runs);
  expect(repeated).toBeGreaterThan(runs);
}, LIMIT_MS);
