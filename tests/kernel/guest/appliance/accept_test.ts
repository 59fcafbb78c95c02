/** The lab's kernel has no nftables for IP: what asks for it is refused in words, at start and at a reload. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { createLab, type Lab, type LabNode, waitFor, webYaml } from "../../../netns/lab.ts";
import { describeGuest } from "../guest.ts";

const REASON = "Cannot set accept: false on web: this kernel has no nftables for IP";

describeGuest("accept: false without nftables", () => {
  let lab: Lab;
  let node: LabNode;

  beforeAll(() => {
    lab = createLab("accept");
    node = lab.node("a", { addresses: ["10.0.0.1/24"] });
  }, 30_000);
  afterAll(() => lab.close(), 30_000);

  test("does not start", async () => {
    const daemon = await node.startAppliance(webYaml(150, { accept: false }), { ready: false });
    const end = await waitFor(() => daemon.process.end, {
      timeoutMs: 10_000,
      what: "the daemon to end",
      explain: () => daemon.log,
    });
    expect(end.code).toBe(1);
    expect(daemon.process.stderr).toContain(`appliance: ${REASON}`);
  }, 20_000);

  test("refuses a reload and goes on as before", async () => {
    const daemon = await node.startAppliance(webYaml(150));
    daemon.writeConfig(webYaml(150, { accept: false }));
    const { code, stderr, stdout } = daemon.command("reload");
    expect(code).toBe(2);
    expect(stderr + stdout).toContain(REASON);
    await daemon.waitState("web", "master", 5000);
    expect((await daemon.stop()).code).toBe(0);
  }, 30_000);
});
