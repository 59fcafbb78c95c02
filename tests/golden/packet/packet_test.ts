/**
 * Our packets as an independent reader sees them: tshark decodes the golden captures with every checksum on.
 *
 * tshark expects a pseudo-header in the checksum of version 3 over IPv4, as keepalived does; what RFC 9568 wants
 * it calls good with `vrrp.v3_checksum_as_in_v2` only. Both are looked at both ways.
 */
import { describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type CaptureName, CAPTURES } from "./frames.ts";
import { encodePcap } from "./pcap.ts";

type Row = Readonly<Record<string, string>>;

const GOOD = "1";
const BAD = "0";
const hasTshark = spawnSync("tshark", ["--version"]).status === 0;
if (!hasTshark) console.log("skipped: tshark judges the golden packets, and it is not installed");

function fileOf(name: CaptureName): string {
  return join(import.meta.dirname, `${name}.pcap`);
}

/** The wanted fields of every frame by its name, as tshark reads them; several values are joined by a comma. */
function readCapture(
  name: CaptureName,
  fields: readonly string[],
  options: readonly string[] = [],
): Record<string, Row> {
  const wanted = ["_ws.malformed", ...fields];
  const args = [
    "-n",
    "-r",
    fileOf(name),
    "-T",
    "fields",
    "-E",
    "separator=|",
    "-o",
    "ip.check_checksum:TRUE",
  ];
  for (const option of options) args.push("-o", option);
  for (const field of wanted) args.push("-e", field);
  const result = spawnSync("tshark", args, { encoding: "utf8", timeout: 30_000 });
  if (result.status !== 0) throw new Error(`tshark ended with ${result.status}: ${result.stderr}`);
  const rows = result.stdout.trimEnd().split("\n").map((line) => {
    const values = line.split("|");
    return Object.fromEntries(wanted.map((field, i) => [field, values[i] ?? ""]));
  });
  const names = Object.keys(CAPTURES[name]);
  expect(rows.length).toBe(names.length);
  for (const row of rows) expect(row["_ws.malformed"]).toBe("");
  return Object.fromEntries(names.map((key, i) => [key, rows[i] as Row]));
}

test("the captures hold what the encoders make", () => {
  for (const [name, frames] of Object.entries(CAPTURES)) {
    const saved = new Uint8Array(readFileSync(fileOf(name as CaptureName)));
    expect(Array.from(saved)).toEqual(Array.from(encodePcap(Object.values(frames))));
  }
});

describe.skipIf(!hasTshark)("tshark", () => {
  const vrrpFields = ["vrrp.version", "vrrp.type", "vrrp.virt_rtr_id", "vrrp.prio", "vrrp.addr_count"];
  vrrpFields.push(
    "vrrp.adver_int",
    "vrrp.short_adver_int",
    "vrrp.auth_type",
    "vrrp.auth_string",
    "vrrp.ip_addr",
  );
  vrrpFields.push(
    "vrrp.ipv6_addr",
    "vrrp.checksum.status",
    "ip.checksum.status",
    "eth.dst",
    "eth.src",
    "ip.ttl",
  );

  test("reads VRRP, version 2 and 3", () => {
    const rows = readCapture("vrrp", vrrpFields);
    const common = { "vrrp.type": "1", "vrrp.virt_rtr_id": "51", "vrrp.checksum.status": GOOD };
    const ipv4 = { ...common, "ip.checksum.status": GOOD, "ip.ttl": "255", "eth.src": "00:00:5e:00:01:33" };
    expect(rows.v2None).toMatchObject({
      ...ipv4,
      "vrrp.version": "2",
      "vrrp.prio": "150",
      "vrrp.addr_count": "2",
      "vrrp.adver_int": "1",
      "vrrp.auth_type": "0",
      "vrrp.ip_addr": "10.9.0.100,10.9.0.101",
      "eth.dst": "01:00:5e:00:00:12",
    });
    expect(rows.v2Pass).toMatchObject({
      ...ipv4,
      "vrrp.version": "2",
      "vrrp.prio": "0",
      "vrrp.auth_type": "1",
      "vrrp.auth_string": "1111",
      "vrrp.ip_addr": "10.9.0.100",
    });
    expect(rows.v3Ipv6).toMatchObject({
      ...common,
      "vrrp.version": "3",
      "vrrp.prio": "255",
      "vrrp.addr_count": "2",
      "vrrp.short_adver_int": "4095",
      "vrrp.ipv6_addr": "fe80::99,2001:db8::99",
      "eth.dst": "33:33:00:00:00:12",
      "eth.src": "00:00:5e:00:02:33",
    });
    expect(rows.v3Pseudo).toMatchObject({ ...ipv4, "vrrp.version": "3", "vrrp.short_adver_int": "1" });
    expect(rows.v3UnicastPseudo).toMatchObject({ ...ipv4, "vrrp.ip_addr": "10.9.0.100" });
    for (const name of ["v3Rfc", "v3UnicastRfc", "v3UnicastLegacy"]) {
      expect(rows[name]).toMatchObject({ ...ipv4, "vrrp.checksum.status": BAD });
    }
  });

  test("finds the version 3 checksum of RFC 9568 good without the pseudo-header, and no other", () => {
    const rows = readCapture("vrrp", ["vrrp.checksum.status"], ["vrrp.v3_checksum_as_in_v2:TRUE"]);
    const states = Object.entries(rows).map(([name, row]) => [name, row["vrrp.checksum.status"]]);
    expect(Object.fromEntries(states)).toEqual({
      v2None: GOOD,
      v2Pass: GOOD,
      v3Ipv6: GOOD,
      v3Rfc: GOOD,
      v3Pseudo: BAD,
      v3UnicastRfc: GOOD,
      v3UnicastPseudo: BAD,
      v3UnicastLegacy: BAD,
    });
  });

  test("reads gratuitous ARP and neighbour advertisements", () => {
    const fields = ["eth.dst", "arp.opcode", "arp.isgratuitous", "arp.src.hw_mac", "arp.src.proto_ipv4"];
    fields.push("arp.dst.hw_mac", "arp.dst.proto_ipv4", "icmpv6.type", "icmpv6.nd.na.target_address");
    fields.push(
      "icmpv6.nd.na.flag.r",
      "icmpv6.nd.na.flag.s",
      "icmpv6.nd.na.flag.o",
      "icmpv6.opt.target_linkaddr",
    );
    fields.push("icmpv6.checksum.status", "ipv6.hlim", "ipv6.dst");
    const rows = readCapture("announce", fields);
    const arp = {
      "eth.dst": "ff:ff:ff:ff:ff:ff",
      "arp.isgratuitous": "1",
      "arp.src.hw_mac": "00:00:5e:00:01:33",
      "arp.src.proto_ipv4": "10.9.0.100",
      "arp.dst.proto_ipv4": "10.9.0.100",
    };
    expect(rows.arpRequest).toMatchObject({
      ...arp,
      "arp.opcode": "1",
      "arp.dst.hw_mac": "ff:ff:ff:ff:ff:ff",
    });
    expect(rows.arpReply).toMatchObject({ ...arp, "arp.opcode": "2", "arp.dst.hw_mac": "00:00:5e:00:01:33" });
    const advertisement = {
      "eth.dst": "33:33:00:00:00:01",
      "ipv6.dst": "ff02::1",
      "ipv6.hlim": "255",
      "icmpv6.type": "136",
      "icmpv6.checksum.status": GOOD,
      "icmpv6.nd.na.flag.s": "0",
      "icmpv6.nd.na.flag.o": "1",
    };
    expect(rows.advertisement).toMatchObject({
      ...advertisement,
      "icmpv6.nd.na.flag.r": "0",
      "icmpv6.nd.na.target_address": "2001:db8::99",
      "icmpv6.opt.target_linkaddr": "00:00:5e:00:02:33",
    });
    expect(rows.advertisementRouter).toMatchObject({
      ...advertisement,
      "icmpv6.nd.na.flag.r": "1",
      "icmpv6.nd.na.target_address": "fe80::99",
    });
  });

  test("reads GRE with Ethernet and with IPv4 inside, and echoes", () => {
    const fields = ["frame.protocols", "gre.proto", "gre.key", "gre.sequence_number", "gre.checksum.status"];
    fields.push("ip.checksum.status", "icmp.checksum.status", "icmp.type", "icmp.ident", "icmp.seq");
    fields.push(
      "icmpv6.checksum.status",
      "icmpv6.type",
      "icmpv6.echo.identifier",
      "icmpv6.echo.sequence_number",
    );
    const rows = readCapture("tunnel", fields);
    const echo = { "icmp.type": "8", "icmp.checksum.status": GOOD };
    expect(rows.echo).toMatchObject({ ...echo, "ip.checksum.status": GOOD });
    expect(rows.echo?.["icmp.ident"]).toContain("4660");
    expect(rows.echo?.["icmp.seq"]).toContain("9");
    expect(rows.echo6).toMatchObject({ "icmpv6.type": "129", "icmpv6.checksum.status": GOOD });
    expect(rows.gretap).toMatchObject({
      ...echo,
      "gre.proto": "0x6558",
      "gre.key": "0x0000002a",
      "gre.sequence_number": "3",
      "gre.checksum.status": GOOD,
      "ip.checksum.status": `${GOOD},${GOOD}`,
    });
    expect(rows.gretap?.["frame.protocols"]).toStartWith("eth:ethertype:ip:gre:eth:ethertype:ip:icmp");
    expect(rows.gre).toMatchObject({
      ...echo,
      "gre.proto": "0x0800",
      "gre.key": "",
      "gre.checksum.status": "",
    });
    expect(rows.gre?.["frame.protocols"]).toStartWith("eth:ethertype:ip:gre:ip:icmp");
  });

  test("reads AH around VRRP", () => {
    const fields = ["frame.protocols", "ah.spi", "ah.sequence", "ah.length", "ah.icv", "vrrp.auth_type"];
    fields.push("vrrp.checksum.status", "vrrp.ip_addr", "ip.checksum.status");
    const rows = readCapture("ah", fields);
    for (const row of [rows.multicast, rows.unicast]) {
      expect(row).toMatchObject({
        "frame.protocols": "eth:ethertype:ip:ah:vrrp",
        "ah.spi": "0x0a010101",
        "ah.sequence": "7",
        "vrrp.auth_type": "2",
        "vrrp.checksum.status": GOOD,
        "vrrp.ip_addr": "10.9.0.100",
        "ip.checksum.status": GOOD,
      });
      expect(row?.["ah.icv"]).toMatch(/^[0-9a-f]{24}$/);
    }
  });
});
