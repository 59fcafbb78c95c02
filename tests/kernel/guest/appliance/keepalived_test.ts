/** keepalived over a gretap made by hand at one end, ours with its own tunnel at the other; two subnets, a router. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import {
  type Appliance,
  createLab,
  droppedOf,
  type Keepalived,
  type Lab,
  type LabNode,
  missing,
  waitFor,
} from "../../../netns/lab.ts";
import { describeGuest, inGuest } from "../guest.ts";
import { answersPing } from "../ping.ts";

const VIP = "10.1.1.100";
/** Three whole seconds, the skew of the lower priority, and time for a busy guest. */
const DOWN_MS = 3000 + 1000 + 2000;
const LEASE_MS = 3000 + 1000;
const LONG_MS = 60_000;

let lab: Lab;
let a: LabNode;
let b: LabNode;
let keepalived: Keepalived;
let daemon: Appliance;

const KEEPALIVED_CONF = `
vrrp_instance web {
  state BACKUP
  interface gretap1
  virtual_router_id 51
  priority 150
  advert_int 1
  authentication {
    auth_type PASS
    auth_pass 1111
  }
  virtual_ipaddress {
    ${VIP}/24
  }
}
`;

function yaml(priority: number): string {
  return `
tunnels:
  gretap1:
    type: gretap
    local: 10.20.2.2
    remote: 10.20.1.2
    key: 42
    addresses: [10.1.1.3/24]
    keepalive: { interval: 1s, retries: 3, target: 10.1.1.2 }
vrrp:
  web:
    interface: gretap1
    vrid: 51
    version: 2
    priority: ${priority}
    auth: { type: pass, key: "1111" }
    addresses: [${VIP}/24]
`;
}

/** A server: its place in its own subnet, and the way to the other's. */
function addServer(name: string, subnet: number, other: number): LabNode {
  const node = lab.node(name, { addresses: [`10.20.${subnet}.2/24`], switch: lab.switch(`net${subnet}`) });
  node.ip(`route add 10.20.${other}.0/24 via 10.20.${subnet}.1`);
  return node;
}

function addRouter(): void {
  const router = lab.node("router", { addresses: ["10.20.1.1/24"], switch: lab.switch("net1") });
  router.plug({ device: "eth1", addresses: ["10.20.2.1/24"], switch: lab.switch("net2") });
  router.exec(["sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward"]);
}

/** The address is on one side alone, and the other side reaches it through the tunnel. */
async function expectMaster(owner: LabNode): Promise<void> {
  const other = owner === a ? b : a;
  await waitFor(() => owner.has(VIP) && !other.has(VIP), {
    timeoutMs: DOWN_MS,
    everyMs: 50,
    what: `${owner.name} alone to have ${VIP}`,
    explain: () => `${keepalived.log}\n${daemon.log}`,
  });
  await daemon.waitState("web", owner === b ? "master" : "backup", 2000);
  expect(await answersPing(other.namespace, VIP)).toBe(true);
}

const noKeepalived = missing(["keepalived"]);
if (inGuest && noKeepalived !== null) console.warn(`skipping keepalived over gretap: ${noKeepalived}`);

describeGuest("keepalived over a gretap made by hand, ours at the other end", () => {
  describe.skipIf(noKeepalived !== null)("with keepalived", () => {
    beforeAll(async () => {
      lab = createLab("gretap");
      addRouter();
      a = addServer("a", 1, 2);
      b = addServer("b", 2, 1);
      a.ip(
        "link add gretap1 type gretap local 10.20.1.2 remote 10.20.2.2 key 42 ttl 64",
        "addr add 10.1.1.2/24 dev gretap1",
        "link set gretap1 up",
      );
      keepalived = a.startKeepalived(KEEPALIVED_CONF);
      daemon = await b.startAppliance(yaml(100));
    }, LONG_MS);
    afterAll(() => lab?.close(), 30_000);

    test("keepalived with the higher priority is the one master", async () => {
      await expectMaster(a);
      // keepalived is master before its first advertisement is out.
      await waitFor(async () => (await daemon.instance("web")).master !== null, {
        timeoutMs: DOWN_MS,
        what: "the master to be heard",
      });
      expect((await daemon.instance("web")).master).toEqual({ address: "10.1.1.2", priority: 150 });
      await waitFor(async () => (await daemon.instance("web")).adverts.received > 1, {
        timeoutMs: DOWN_MS,
        what: "advertisements",
      });
    }, LONG_MS);

    test("it is stopped: ours takes over; it returns: it is master again", async () => {
      await keepalived.stop();
      await expectMaster(b);
      keepalived = a.startKeepalived(KEEPALIVED_CONF);
      await expectMaster(a);
    }, LONG_MS);

    test("ours with the higher priority is the one master; it is killed: keepalived takes over", async () => {
      daemon.writeConfig(yaml(200));
      expect(daemon.command("reload").code).toBe(0);
      await expectMaster(b);
      expect(droppedOf(await daemon.instance("web"))).toBe(0);
      expect(await keepalived.refused()).toBe(0);
      await daemon.killHard();
      await waitFor(() => a.has(VIP), { timeoutMs: DOWN_MS, everyMs: 50, what: "keepalived to be master" });
      await waitFor(() => !b.has(VIP), { timeoutMs: LEASE_MS, everyMs: 50, what: "the lease to run out" });
    }, LONG_MS);
  });
});
