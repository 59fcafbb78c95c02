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
  status=$("$0" status --json -c "$1" 2>/dev/null)
  case "$status" in *'"state": "master"'*'"state": "up"'*) break ;; esac
  sleep 0.1
done
echo "$status"
ip -br addr show dev eth0 >&2
kill $daemon
wait $daemon`;

describeLab("a container of an ordinary user", ["unshare"], () => {
  let lab: Lab;
  beforeAll(() => {
    lab = createLab("container");
  });
  afterAll(() => lab.close());

  test("a router takes part and has its address, and a tunnel its process", () => {
    const config = join(lab.directory, "container.yaml");
    const tunnel = "gt: { type: gretap, datapath: user, local: 10.0.0.1, remote: 10.0.0.7 }";
    const more = `tunnels: { ${tunnel} }\nruntime_dir: ${lab.directory}/container\n`;
    writeFileSync(config, `${webYaml(150)}${more}`);
    const command = ["unshare", "--map-root-user", "--net", "sh", "-c", SCRIPT, appliancePath(), config];
    const { code, stdout, stderr } = run(command, { timeoutMs: 15_000 });
    expect({ code, stderr }).toEqual({ code: 0, stderr: expect.stringContaining(VIP) });
    const { healthy, instances, tunnels } = JSON.parse(stdout);
    const states = [instances[0].state, tunnels[0].state];
    expect({ healthy, states }).toEqual({ healthy: true, states: ["master", "up"] });
  }, 20_000);
});
