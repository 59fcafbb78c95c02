/** What the doctor says of nftables, held against what the kernel does. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import {
  AF_INET,
  alloc,
  closeFd,
  inNetns,
  IPPROTO_GRE,
  openSocket,
  receive,
  sendTo,
  SOCK_RAW,
  sockaddrIn,
} from "../../lib/libc/mod.ts";
import { parseAddress } from "../../lib/packet/address.ts";
import type { Finding } from "../../mod/doctor/model.ts";
import { config, facts, GRETAP } from "../unit/mod/doctor/fixture.ts";
import { judgeFirewall } from "../../mod/doctor/judge/firewall.ts";
import { createLab, describeLab, type Lab, type LabNode, waitFor } from "./lab.ts";

/** Whose GRE packets must come in. */
const WANTED = config("{}", { tunnels: [{ ...GRETAP, local: "10.0.0.1", remote: "10.0.0.2" }] });
/** An empty GRE packet of a type that no kernel answers. */
const GRE = Uint8Array.of(0, 0, 0xff, 0xff);
const SILENCE_MS = 150;

let lab: Lab;
let a: LabNode;
let b: LabNode;
let inbox = -1;
let outbox = -1;

/** Whether a GRE packet gets from `b` to a socket on `a`. */
async function arrives(): Promise<boolean> {
  const buffer = alloc(256);
  while (receive(inbox, buffer) > 0);
  const packet = alloc(GRE.length);
  packet.set(GRE);
  expect(sendTo(outbox, packet, sockaddrIn(parseAddress("10.0.0.1")!))).toBe(GRE.length);
  return await waitFor(() => receive(inbox, buffer) > 0, {
    timeoutMs: SILENCE_MS,
    what: "a packet",
    everyMs: 2,
  })
    .catch(() => false);
}

/** What the doctor says of packets that come in. */
function said(): Finding[] {
  const nft = { text: a.exec(["nft", "-j", "list", "ruleset"]).stdout };
  return judgeFirewall(WANTED, facts({ firewall: { nft, iptables: null, ip6tables: null } }))
    .filter(({ what }) => what.startsWith("GRE packets (protocol 47) coming in on eth0"));
}

function load(rules: string): void {
  const input = ["type filter hook input priority 0", ...rules.split("; ")].join("\n");
  const text = `flush ruleset
    table inet filter {
      chain peers { ip saddr 10.0.0.2 accept\n }
      chain input { ${input}\n }
    }\n`;
  const { code, stderr } = a.exec(["nft", "-f", "-"], { stdin: text });
  if (code !== 0) throw new Error(stderr);
}

describeLab("what the doctor says of nftables", ["nft"], () => {
  beforeAll(() => {
    lab = createLab("nft");
    a = lab.node("a", { addresses: ["10.0.0.1/24"] });
    b = lab.node("b", { addresses: ["10.0.0.2/24"] });
    const open = () => openSocket(AF_INET, SOCK_RAW, IPPROTO_GRE, "try a firewall");
    inbox = inNetns(a.namespace, open);
    outbox = inNetns(b.namespace, open);
  }, 30_000);
  afterAll(async () => {
    for (const fd of [inbox, outbox]) if (fd >= 0) closeFd(fd);
    await lab?.close();
  }, 30_000);

  test.each<[severity: Finding["severity"] | null, rules: string]>([
    [null, "policy accept"],
    ["error", "policy drop"],
    ["error", "policy drop; tcp dport 22 accept; ct state invalid drop; iifname lo accept"],
    [null, "policy drop; ip saddr 10.0.0.2 meta l4proto gre accept"],
    [null, "policy drop; ip protocol { ah, gre, vrrp } accept"],
    [null, "policy drop; meta l4proto 40-50 accept"],
    ["error", "policy drop; ip saddr 10.0.0.0/31 accept"],
    [null, "policy drop; ip saddr { 10.0.0.0/30, 192.0.2.1 } accept"],
    ["error", "policy accept; ip protocol gre counter drop"],
    ["error", "policy accept; meta l4proto 47 reject"],
    ["error", "policy accept; meta l4proto != { tcp, udp, icmp } drop"],
    [null, 'policy drop; iifname "eth*" meta l4proto gre accept'],
    [null, "policy drop; jump peers"],
    ["error", "policy accept; ip6 nexthdr gre accept; drop"],
    [null, "policy drop; meta l4proto vmap { tcp : drop, gre : accept }"],
    ["error", "policy accept; meta l4proto vmap { tcp : accept, gre : drop }"],
  ])("says %p of %s", async (severity, rules) => {
    load(rules);
    expect({ said: said().map((finding) => finding.severity), arrives: await arrives() }).toEqual({
      said: severity === null ? [] : [severity],
      arrives: severity === null,
    });
  });

  test("what it says to type lets them in", async () => {
    load("policy drop; ip protocol gre drop");
    const [command] = said()[0]!.fix;
    expect(a.exec(["sh", "-c", command!]).stderr).toBe("");
    expect(said()).toEqual([]);
    expect(await arrives()).toBe(true);
  });
});
