/** A container without root outside: its user namespace owns the network, and has no rights over the machine. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { appliancePath, createLab, describeLab, type Lab, run, VIP, webYaml } from "./lab.ts";

const SCRIPT = `
ip link set lo up
ip link add eth0 type veth peer name eth1
ip link set eth1 up
ip link set eth0 up
ip addr add 10.0.0.1/24 dev eth0
timeout 12 "$0" run -c "$1" &
daemon=$!
for _ in $(seq 50); do
  "$0" status -c "$1" 2>/dev/null | grep -q master && break
  sleep 0.1
done
"$0" status --json -c "$1"
ip -br addr show dev eth0 >&2
kill $daemon
wait $daemon`;

describeLab("a container of an ordinary user", ["unshare"], () => {
  let lab: Lab;
  beforeAll(() => {
    lab = createLab("container");
  });
  afterAll(() => lab.close());

  test("a router takes part and has its address", () => {
    const config = join(lab.directory, "container.yaml");
    writeFileSync(config, `${webYaml(150)}runtime_dir: ${lab.directory}/container\n`);
    const command = ["unshare", "--map-root-user", "--net", "sh", "-c", SCRIPT, appliancePath(), config];
    const { code, stdout, stderr } = run(command, { timeoutMs: 15_000 });
    expect({ code, stderr }).toEqual({ code: 0, stderr: expect.stringContaining(VIP) });
    const { healthy, instances } = JSON.parse(stdout);
    expect({ healthy, state: instances[0].state }).toEqual({ healthy: true, state: "master" });
  }, 20_000);
});
