import { expect, test } from "bun:test";
import { listLinks, NETLINK_ROUTE, NetlinkConnection } from "../../../lib/netlink/mod.ts";
import { tunnelFindings } from "../../../mod/tunnel/machine/findings.ts";
import { readMachineFacts } from "../../../mod/tunnel/machine/read.ts";
import { probeKernelGre } from "../../../mod/tunnel/support.ts";
import { must, run } from "../../netns/lab.ts";
import { describeGuest, ipLink } from "./guest.ts";
import { tunnelConfig } from "./tunnel_keeper.ts";

const ALL = { gre: true, gretap: true, ip6gre: true, ip6gretap: true } as const;
const NONE = { gre: false, gretap: false, ip6gre: false, ip6gretap: false } as const;

function linkNames(): string[] {
  const connection = new NetlinkConnection(NETLINK_ROUTE);
  try {
    return listLinks(connection).map(({ name }) => name);
  } finally {
    connection.close();
  }
}

describeGuest("what the kernel offers", () => {
  test("all four types and the ioctl; asking makes nothing", () => {
    const before = linkNames();
    expect(probeKernelGre()).toEqual({ netlink: ALL, ioctl: true });
    expect(linkNames()).toEqual(before);
  });

  test("nothing without the modules, and all again when they were loaded as needed", async () => {
    must(["modprobe", "-r", "ip6_gre", "ip_gre"]);
    // The kernel would load what it is asked for by itself.
    const modprobe = must(["cat", "/proc/sys/kernel/modprobe"]).trim();
    must(["sh", "-c", "echo /bin/false > /proc/sys/kernel/modprobe"]);
    try {
      expect(probeKernelGre()).toEqual({ netlink: NONE, ioctl: false });
      const config = tunnelConfig(1, "gretap");
      const without = await readMachineFacts([config], { modprobe: false });
      expect(tunnelFindings(config, without)[0]).toMatchObject({ severity: "error", fix: "modprobe ip_gre" });
      const facts = await readMachineFacts([config, tunnelConfig(1, "ip6gre")]);
      expect(facts.gre!.netlink).toEqual(ALL);
      expect(facts.moduleFailures).toEqual({});
    } finally {
      must(["sh", "-c", `echo ${modprobe} > /proc/sys/kernel/modprobe`]);
      for (const module of ["ip_gre", "ip6_gre"]) must(["modprobe", module]);
    }
  });
});

describeGuest("the machine as it is read", () => {
  test("interfaces, addresses, routes, sysctls: what is wrong is told", async () => {
    must(["ip", "link", "add", "lab-under", "mtu", "1400", "type", "dummy"]);
    try {
      must(["ip", "addr", "add", "192.0.2.1/24", "dev", "lab-under"]);
      must(["ip", "link", "set", "lab-under", "up"]);
      must([
        "sh",
        "-c",
        "echo 1 > /proc/sys/net/ipv4/conf/all/rp_filter; echo 0 > /proc/sys/net/ipv4/ip_forward",
      ]);
      const { ifname, mtu } = ipLink("lab-under");
      const route = {
        destination: "10.8.0.0",
        prefix: 16,
        via: null,
        metric: null,
        source: null,
        table: null,
      };
      const good = tunnelConfig(1, "gretap", { mtu: 1362 });
      const facts = await readMachineFacts([good]);
      expect(facts.interfaces).toContainEqual({
        name: ifname,
        kind: "dummy",
        up: true,
        mtu,
        addresses: expect.arrayContaining(["192.0.2.1"]),
      });
      expect(tunnelFindings(good, facts).map(({ fix }) => fix)).toEqual([
        "sysctl -w net.ipv4.conf.default.rp_filter=2",
      ]);
      const bad = tunnelConfig(1, "gretap", { mtu: 1363, local: "192.0.2.7", routes: [route] });
      const fixes = tunnelFindings(bad, facts).map(({ fix }) => fix).join("\n");
      for (const part of ["ip addr add 192.0.2.7/24", "mtu: 1362", "rp_filter=2", "net.ipv4.ip_forward=1"]) {
        expect(fixes).toContain(part);
      }
    } finally {
      run(["ip", "link", "del", "lab-under"]);
      must(["sh", "-c", "echo 0 > /proc/sys/net/ipv4/conf/all/rp_filter"]);
    }
  });
});
