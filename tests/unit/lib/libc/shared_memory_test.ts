import { expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { mapFile } from "../../../../lib/libc/mod.ts";

test("memory behind a file has its room on the file system from the start", () => {
  const directory = mkdtempSync(join(tmpdir(), "appliance-map-"));
  try {
    const path = join(directory, "map");
    const bytes = mapFile(path, 100_000);
    // A store into a hole ends the process when the file system is full.
    expect(statSync(path).blocks * 512).toBeGreaterThanOrEqual(100_000);
    bytes[99_999] = 7;
    expect(readFileSync(path)[99_999]).toBe(7);
  } finally {
    rmSync(directory, { recursive: true });
  }
});
