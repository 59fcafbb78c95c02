import { describe, expect, test } from "bun:test";
import {
  AH_LENGTH,
  ahSpi,
  encodeAhInto,
  encodeIpv4,
  encodeVrrp,
  IP_PROTOCOL,
  parseAddress,
  signAh,
  VRRP_AUTH,
  type VrrpAdvert,
  vrrpAuthData,
} from "../../../../lib/packet/mod.ts";
import type { VrrpConfig } from "../../../../mod/vrrp/config.ts";
import type { ReceivedPacket } from "../../../../mod/vrrp/model.ts";
import { sequenceFloor } from "../../../../mod/vrrp/phase.ts";
import { judge } from "../../../../mod/vrrp/receive.ts";
import { config, HIGHER, LOWER, MS, packet, Rig, SELF } from "./rig.ts";

interface Case {
  readonly config?: Partial<VrrpConfig>;
  readonly from?: string;
  readonly advert?: Partial<VrrpAdvert>;
  readonly header?: Partial<ReceivedPacket>;
}

function verdict({ config: part = {}, from = HIGHER, advert, header }: Case): string {
  const own = config(part);
  const result = judge(own, parseAddress(SELF), packet(own, from, advert, header));
  return result.ok ? "ok" : result.reason;
}

const unicast = { peers: [HIGHER] };
const toSelf = { destination: parseAddress(SELF)! };
const v2 = { version: 2 as const };
const pass = { ...v2, auth: { type: "pass" as const, key: "1111" } };

function failed(reason: "checksum" | "version" | "interval" | "count", version: number | null) {
  return { decode: { ok: false as const, reason, vrid: 51, version } };
}

describe("judge accepts", () => {
  const cases: [string, Case][] = [
    ["multicast with TTL 255", {}],
    ["unicast from a peer with any TTL", { config: unicast, header: { ...toSelf, ttl: 63 } }],
    ["another interval in version 3", { advert: { intervalCs: 7 } }],
    ["other addresses", { advert: { addresses: [] } }],
    ["a goodbye", { advert: { priority: 0 } }],
    ["an owner", { advert: { priority: 255 } }],
    ["a lower router where this one is the owner", { config: { priority: 255 } }],
    ["a right password", {
      config: pass,
      advert: { authType: VRRP_AUTH.pass, authData: vrrpAuthData("1111") },
    }],
  ];
  test.each(cases)("%s", (_name, given) => expect(verdict(given)).toBe("ok"));
});

describe("judge refuses", () => {
  const cases: [string, string, Case][] = [
    ["multicast that crossed a router", "ttl", { header: { ttl: 254 } }],
    ["what could not be read", "checksum", { header: failed("checksum", 3) }],
    ["what could not be read and is of the other version", "version", { header: failed("checksum", 2) }],
    ["an interval of 0", "interval", { header: failed("interval", 3) }],
    ["too few bytes to know a version", "count", { header: failed("count", null) }],
    ["the other version", "version", { advert: { version: 2 } }],
    ["another VRID", "vrid", { advert: { vrid: 52 } }],
    ["our own source address", "own", { from: SELF }],
    ["multicast where unicast is configured", "mode", { config: unicast }],
    ["unicast where multicast is configured", "mode", { header: toSelf }],
    ["a stranger", "peer", { config: unicast, from: "10.1.1.9", header: toSelf }],
    ["authentication where none is configured", "auth", { config: v2, advert: { authType: VRRP_AUTH.pass } }],
    ["none where a password is configured", "auth", { config: pass }],
    ["a wrong password", "auth", {
      config: pass,
      advert: { authType: VRRP_AUTH.pass, authData: vrrpAuthData("1112") },
    }],
    ["a password without data", "auth", { config: pass, advert: { authType: VRRP_AUTH.pass } }],
    ["another interval in version 2", "interval", { config: v2, advert: { intervalCs: 200 } }],
    ["a second owner", "owner", { config: { priority: 255 }, advert: { priority: 255 } }],
  ];
  test.each(cases)("%s: %s", (_name, reason, given) => expect(verdict(given)).toBe(reason));
});

test("judge takes any source while this router has no address", () => {
  const own = config();
  expect(judge(own, null, packet(own, SELF)).ok).toBe(true);
});

test("judge does not look at authentication in version 3", () => {
  expect(verdict({ config: { auth: { type: "pass", key: "1111" } } })).toBe("ok");
});

describe("an authentication header", () => {
  const own = config({ ...v2, auth: { type: "ah", key: "secret" } });

  /** A packet as it comes from the wire, signed with a key. */
  function signed(key: string, sequence: number, from = HIGHER, priority = 100): ReceivedPacket {
    const source = parseAddress(from)!;
    const plain = packet(own, from, { authType: VRRP_AUTH.ah, priority });
    const body = encodeVrrp(
      { ...(plain.decode as { advert: VrrpAdvert }).advert, authData: new Uint8Array(8) },
      { family: "ipv4", source, destination: plain.destination },
    );
    const whole = encodeIpv4({
      tos: 0xc0,
      identification: 7,
      dontFragment: false,
      moreFragments: false,
      fragmentOffset: 0,
      ttl: 255,
      protocol: IP_PROTOCOL.ah,
      source,
      destination: plain.destination,
    }, Uint8Array.from([...new Uint8Array(AH_LENGTH), ...body]));
    encodeAhInto(whole, 20, { nextHeader: IP_PROTOCOL.vrrp, spi: ahSpi(source), sequence });
    signAh(whole, vrrpAuthData(key));
    return { ...plain, ah: { sequence, packet: whole } };
  }

  const reason = (given: ReceivedPacket, last: number) => {
    const verdict = judge(own, parseAddress(SELF), given, last);
    return verdict.ok ? "ok" : verdict.reason;
  };

  test("with the right key and a new number is believed", () =>
    expect(reason(signed("secret", 8), 7)).toBe("ok"));
  test("with the wrong key is not", () => expect(reason(signed("other", 8), 7)).toBe("auth"));
  test("with a number that was there before is not", () =>
    expect(reason(signed("secret", 7), 7)).toBe("auth"));
  test("that is missing is missed", () => {
    expect(reason(packet(own, HIGHER, { authType: VRRP_AUTH.ah }), 0)).toBe("auth");
  });
  test("where none is configured is refused", () => {
    const verdict = judge(config(v2), parseAddress(SELF), signed("secret", 8), 0);
    expect(verdict.ok ? "ok" : verdict.reason).toBe("auth");
  });
  test("numbers go on above the master's, and above that of a last advertisement that is on its way", () => {
    const rig = Rig.backup({ ...v2, auth: { type: "ah", key: "secret" } });
    rig.event({ type: "packet", packet: signed("secret", 41) });
    rig.timer();
    expect(rig.effects.filter(({ type }) => type === "advertise")).toMatchObject([{ ahSequence: 43 }]);
  });

  describe("whose number this master has used itself, the two having crossed", () => {
    /** A master that has just sent the number 2, the first of its numbers. */
    function crossed(from: string, priority = 100, key = "secret", sequence = 2): Rig {
      const rig = Rig.master({ ...v2, auth: { type: "ah", key: "secret" } });
      rig.wait(20 * MS).event({ type: "packet", packet: signed(key, sequence, from, priority) });
      return rig;
    }

    test("is answered by the better of the two, with a number that is new to both", () => {
      const rig = crossed(LOWER);
      expect(rig.told).toEqual(["dropped auth", "advertise 100", "announce"]);
      expect(rig.effects[1]).toMatchObject({ ahSequence: 3 });
    });

    test("makes the worse one speak soon, in case that the other does not know of this", () => {
      const rig = crossed(HIGHER);
      expect(rig.told).toEqual(["dropped auth"]);
      expect(rig.state.phase).toBe("master");
      rig.timer();
      expect(rig.told).toEqual(["advertise 100"]);
      // It was the last word of a rival after all: clients are led back.
      rig.timer();
      expect(rig.told).toEqual(["announce"]);
    });

    test("is answered when it is a goodbye, of a rival whom clients may believe", () => {
      expect(crossed(HIGHER, 0).told).toEqual(["dropped auth", "advertise 100", "announce"]);
    });

    test("is not answered with a wrong key", () => {
      expect(crossed(LOWER, 100, "other").told).toEqual(["dropped auth"]);
    });

    test("makes a member of a group tell its number, which waits for the others and hears nobody else", () => {
      const rig = Rig.backup({ ...v2, auth: { type: "ah", key: "secret" }, group: "site" });
      rig.state = { ...rig.state, ahSequence: 9 };
      const old = { type: "packet", packet: signed("secret", 5, LOWER) } as const;
      rig.event(old);
      expect(rig.told).toEqual(["dropped auth"]);
      rig.timer();
      rig.event(old);
      expect(rig.told).toEqual(["dropped auth", "advertise 0"]);
      expect(rig.effects[1]).toMatchObject({ ahSequence: 10 });
      rig.wait(999 * MS).event(old);
      expect(rig.told).toEqual(["dropped auth"]);
      rig.wait(1 * MS).event(old);
      expect(rig.told).toEqual(["dropped auth", "advertise 0"]);
    });

    test("means nothing to a backup", () => {
      const rig = Rig.backup({ ...v2, auth: { type: "ah", key: "secret" } });
      rig.event({ type: "packet", packet: signed("secret", 7, HIGHER) });
      const { state } = rig;
      rig.wait(20 * MS).event({ type: "packet", packet: signed("secret", 7, LOWER) });
      expect(rig.told).toEqual(["dropped auth"]);
      expect(rig.state).toEqual(state);
    });
  });

  test("numbers begin above those of an earlier life, whatever was heard, and refuse none", () => {
    const at = (text: string) => sequenceFloor(Date.parse(text));
    const floor = at("2026-11-20T00:00:00Z");
    expect(at("2026-11-20T00:00:10Z")).toBe(floor + 20);
    expect([at("1970-01-01"), at("2100-01-01")]).toEqual([0, 0]);
    const rig = Rig.backup({ ...v2, auth: { type: "ah", key: "secret" } });
    rig.state = { ...rig.state, ahFloor: floor };
    rig.event({ type: "packet", packet: signed("secret", 41) });
    expect(rig.told).toEqual(["received"]);
    rig.timer();
    expect(rig.effects).toContainEqual({ type: "advertise", priority: 100, ahSequence: floor + 1 });
    rig.timer();
    expect(rig.effects).toContainEqual({ type: "advertise", priority: 100, ahSequence: floor + 2 });
  });

  test("numbers end without a number that cannot be sent", () => {
    const rig = Rig.master({ ...v2, auth: { type: "ah", key: "secret" } });
    rig.event({ type: "packet", packet: signed("secret", 0xffffffff, LOWER, 50) });
    rig.timer();
    expect(rig.effects).toContainEqual({ type: "advertise", priority: 100, ahSequence: 0xffffffff });
  });
});
