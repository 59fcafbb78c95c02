/** The two-server scenario as a user runs it, here over the kernel's own gretap. */
import { expect, test } from "bun:test";
import { appliancePath, run } from "../../../netns/lab.ts";
import { describeGuest } from "../guest.ts";

interface Report {
  readonly ok: boolean;
  readonly failures: readonly string[];
  readonly datapath: string;
  readonly phases: readonly { readonly name: string; readonly served_after: string }[];
}

describeGuest("appliance lab demo --gre", () => {
  test("moves the address to and fro over a gretap of the kernel, and the client is served", () => {
    const { code, stdout, stderr } = run([appliancePath(), "lab", "demo", "--gre", "--json"], {
      timeoutMs: 60_000,
    });
    const { ok, failures, datapath, phases } = JSON.parse(stdout) as Report;
    expect({ failures, ok, code, datapath }).toEqual({ failures: [], ok: true, code: 0, datapath: "kernel" });
    expect(stderr).toBe("");
    expect(phases.map(({ name, served_after }) => `${name} ${served_after}`)).toEqual([
      "web-killed server-b",
      "web-started server-a",
      "stopped server-b",
      "started server-a",
      "isolated server-b",
      "healed server-a",
    ]);
  }, 70_000);
});
