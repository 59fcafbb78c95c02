import { describe, expect, test } from "bun:test";
import { good, told } from "./marked.ts";

function web(keys: string, more = "", addresses = "10.0.0.1/24"): string {
  return `vrrp:\n  web:\n    interface: eth0\n    vrid: 51\n    addresses: [${addresses}]\n${keys}${more}`;
}

function vmacs(text: string) {
  return good(text).vrrp.map(({ family, vmac, addresses, extra }) => ({
    family,
    vmac,
    devs: [...addresses, ...extra].map(({ dev }) => dev),
  }));
}

describe("what is meant", () => {
  test("nothing and false are the same", () => {
    const none = { family: "ipv4" as const, vmac: null, devs: [null] };
    expect(vmacs(web(""))).toEqual([none]);
    expect(vmacs(web("    vmac: false\n"))).toEqual([none]);
  });

  test("the interface is named after the VRID and carries what names no other", () => {
    const keys =
      "    vmac: true\n    extra: [10.0.0.2/24, { address: 10.0.0.3/24, dev: eth1 }, 2001:db8::1/64]\n";
    expect(vmacs(web(keys, "", "10.0.0.1/24, { address: 10.0.0.9/24, dev: eth0 }"))).toEqual([{
      family: "ipv4",
      vmac: { name: "vrrp.51", advertise: "vmac" },
      devs: ["vrrp.51", "vrrp.51", "vrrp.51", "eth1", "vrrp.51"],
    }]);
  });

  test("each IP version has one of its own", () => {
    const both = "10.0.0.1/24, 2001:db8::1/64";
    expect(vmacs(web("    vmac: true\n", "", both))).toEqual([
      { family: "ipv4", vmac: { name: "vrrp.51", advertise: "vmac" }, devs: ["vrrp.51"] },
      { family: "ipv6", vmac: { name: "vrrp6.51", advertise: "vmac" }, devs: ["vrrp6.51"] },
    ]);
    const named = "    vmac: { name: a, name6: b, advertise: base }\n";
    expect(vmacs(web(named, "", both)).map(({ vmac }) => vmac)).toEqual([
      { name: "a", advertise: "base" },
      { name: "b", advertise: "base" },
    ]);
    expect(vmacs(web("    vmac: true\n", "", "fe80::1/64"))).toEqual([
      { family: "ipv6", vmac: { name: "vrrp6.51", advertise: "vmac" }, devs: ["vrrp6.51"] },
    ]);
    expect(vmacs(web("    vmac: { name: a }\n", "", "fe80::1/64"))[0]!.vmac!.name).toBe("a");
  });

  test("unicast is between the routers' own addresses", () => {
    expect(vmacs(web("    vmac: true\n    peers: [10.0.0.8]\n"))[0]!.vmac!.advertise).toBe("base");
  });

  test("a label begins with the interface that carries the address", () => {
    const label = (text: string) =>
      told(web("    vmac: true\n", "", `{ address: 10.0.0.1/24, label: ${text} }`)).lines;
    expect(label("vrrp.51:1")).toEqual([]);
    expect(label("eth0:1").join()).toContain("begin it with the device: vrrp.51:1");
  });

  test("the interfaces that are made need not be there", () => {
    const text = web("    vmac: true\n    routes: [10.5.0.0/16 via 10.0.0.9 dev vrrp.51]\n");
    expect(told(text)).toMatchObject({ ok: true, lines: [] });
  });
});

describe("mistakes", () => {
  const OTHER = "  lan:\n    interface: eth0\n    vrid: 52\n    addresses: [10.0.1.1/24]\n";
  test.each<[string, string, string]>([
    ["a word that is none", web("    vmac: §yes\n"), "`vmac` is `yes` (write true, false or a mapping)"],
    ["a mistyped key", web("    vmac: { §nam: a }\n"), "did you mean `name`?"],
    [
      "a name that is too long",
      web("    vmac: { name: §vrrp.webserver.51 }\n"),
      "Linux interface names have at most 15 bytes",
    ],
    ["no such way", web("    vmac: { advertise: §bse }\n"), "did you mean `base`?"],
    [
      "unicast from the virtual MAC",
      web("    vmac: { advertise: §vmac }\n    peers: [10.0.0.8]\n"),
      "advertisements to `peers` come from the interface's own MAC address (write base, or remove it)",
    ],
    [
      "a second name where there is one IP version",
      web("    vmac: { §name6: a }\n"),
      "`name6` is for instances with addresses of both IP versions (write `name`)",
    ],
    [
      "an address on another interface",
      web("    vmac: true\n", "", "{ address: 10.0.0.1/24, dev: §eth1 }"),
      "`dev` is `eth1`, but the virtual MAC is one on eth0",
    ],
    [
      "the name of a base",
      web("    vmac: { §name: eth0 }\n"),
      "`name` needs the interface name eth0, on which `web` (line 3) runs",
    ],
    [
      "the same VRID on two interfaces",
      web("    vmac: true\n", `${OTHER.replace("eth0", "eth1").replace("52", "51")}    §vmac: true\n`),
      "needs the interface name vrrp.51, which `web` (line 6) has already (name it: vmac: { name: vrrp.51b })",
    ],
    [
      "one name for both IP versions",
      web("    vmac: { name: a, §name6: a }\n", "", "10.0.0.1/24, fe80::1/64"),
      "needs the interface name a, which `web` (line 6) has already",
    ],
  ])("%s", (_, marked, text) => {
    const { ok, lines, marks, at } = told(marked);
    expect(ok).toBe(false);
    expect(lines.join("\n")).toContain(text);
    expect(at).toEqual([...marks]);
  });

  test("the same VRID for the other IP version is none", () => {
    const six = OTHER.replace("52", "51").replace("10.0.1.1/24", "fe80::1/64");
    expect(told(web("    vmac: true\n", `${six}    vmac: true\n`)).lines).toEqual([]);
  });
});
