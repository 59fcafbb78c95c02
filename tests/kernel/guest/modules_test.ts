import { expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { must, run } from "../../netns/lab.ts";
import { DEFAULT_MODULES } from "../run.ts";
import { describeGuest } from "./guest.ts";

const IPVS_SCHEDULERS = [
  "rr",
  "wrr",
  "lc",
  "wlc",
  "lblc",
  "lblcr",
  "dh",
  "sh",
  "sed",
  "nq",
  "fo",
  "ovf",
  "mh",
];

describeGuest("the lab", () => {
  test.each([...DEFAULT_MODULES])("has %s loaded", (name) => {
    expect(existsSync(`/sys/module/${name}`)).toBe(true);
  });

  test.each(IPVS_SCHEDULERS)("can load the IPVS scheduler %s", (name) => {
    must(["modprobe", `ip_vs_${name}`]);
    expect(existsSync(`/sys/module/ip_vs_${name}`)).toBe(true);
  });

  test("makes a dummy, a macvlan, a tap, and delays packets", () => {
    must(["ip", "-batch", "-"], {
      stdin: [
        "link add lab0 type dummy",
        "link add lab1 link lab0 type macvlan mode private",
        "tuntap add lab2 mode tap",
      ].join("\n"),
    });
    must(["tc", "qdisc", "add", "dev", "lab0", "root", "netem", "delay", "10ms", "loss", "5%"]);
    expect(must(["tc", "qdisc", "show", "dev", "lab0"])).toContain("netem");
    for (const name of ["lab2", "lab1", "lab0"]) must(["ip", "link", "del", name]);
  });

  test("knows AH: a security association with HMAC-MD5-96 can be made", () => {
    const state = ["src", "192.0.2.1", "dst", "192.0.2.2", "proto", "ah", "spi", "256"];
    const auth = ["auth-trunc", "hmac(md5)", "0x00112233445566778899aabbccddeeff", "96"];
    must(["ip", "xfrm", "state", "add", ...state, ...auth]);
    expect(must(["ip", "xfrm", "state"])).toContain("proto ah spi 0x00000100");
    must(["ip", "xfrm", "state", "del", ...state]);
  });

  test("shares no run time files with the host, and its root is copy-on-write", () => {
    const mounts = readFileSync("/proc/self/mounts", "utf8").split("\n").map((line) => line.split(" "));
    const types = new Map(mounts.map(([, point, type]) => [point, type]));
    expect(types.get("/")).toBe("overlay");
    for (const point of ["/run", "/dev/shm"]) expect(types.get(point)).toBe("tmpfs");
    const shared = mounts.filter(([, , type]) => type === "hostfs").map(([, point]) => point);
    expect(shared).toEqual(["/lab"]);
  });

  test("has no way out: its only device with an address is the loopback", () => {
    const links = readdirSync("/sys/class/net").filter((name) => existsSync(`/sys/class/net/${name}/device`));
    expect(links).toEqual([]);
    expect(run(["ip", "route", "get", "192.0.2.1"]).code).not.toBe(0);
  });
});
