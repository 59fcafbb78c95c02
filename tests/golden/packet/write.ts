/** Writes the golden captures beside this file: `bun tests/golden/packet/write.ts`. Have tshark judge them after. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { CAPTURES } from "./frames.ts";
import { encodePcap } from "./pcap.ts";

for (const [name, frames] of Object.entries(CAPTURES)) {
  writeFileSync(join(import.meta.dirname, `${name}.pcap`), encodePcap(Object.values(frames)));
}
