/**
 * Who answers for the virtual addresses. Pure.
 *
 * @module
 */
import { macToText, virtualMac } from "../../../lib/packet/mod.ts";
import { carrierOf, daemonInstance, finding, list, speakersFor, unique } from "../facts.ts";
import type { DoctorConfig, Facts, Finding } from "../model.ts";

type Instance = DoctorConfig["vrrp"][number];
type Vip = Instance["addresses"][number];

/** Hardware addresses of other machines that answer for an address. */
function answering(facts: Facts, dev: string, address: string): string[] {
  const own = new Set(facts.links.flatMap(({ mac }) => mac === null ? [] : [macToText(mac)]));
  return facts.answers.filter((answer) =>
    answer.interface === dev && answer.address === address && !own.has(answer.mac)
  ).map(({ mac }) => mac);
}

/**
 * Finds machines that have an address of ours and should not.
 *
 * @param remedies What to look at where advertisements do not get here.
 */
export function judgeAnswers(instance: Instance, facts: Facts, remedies: readonly string[]): Finding[] {
  return instance.addresses.flatMap((vip) => judgeAddress(instance, vip, facts, remedies));
}

function judgeAddress(instance: Instance, vip: Vip, facts: Facts, remedies: readonly string[]): Finding[] {
  const { unit, vrid, family } = instance;
  // Whoever is master may have it.
  const shared = macToText(virtualMac(vrid, family));
  const dev = carrierOf(instance, vip);
  const macs = answering(facts, dev, vip.address);
  if (macs.length === 0) return [];
  const own = daemonInstance(facts, instance);
  const speakers = speakersFor(instance, facts);
  const tell = (who: readonly string[], rest: string, why: string, fix: readonly string[] = []) => {
    const what = `${vip.address} of instance ${unit} is answered for by ${list(who)} on ${dev}${rest}`;
    const program = family === "ipv6" ? `ndisc6 ${vip.address} ${dev}` : `arping -D -I ${dev} ${vip.address}`;
    const ask = `${program}   # whose hardware address is it?`;
    return finding("wire", "error", what, why, [ask, ...fix]);
  };
  if (own === null && speakers.length === 0) {
    const why =
      `Nobody was heard advertising VRID ${vrid}: either a stranger has this address, or there is a master ` +
      "whose advertisements do not get here";
    return macs.map((mac) => tell([mac], "", why, remedies));
  }
  const masters = [
    ...dev === instance.interface ? speakers.flatMap((speaker) => answering(facts, dev, speaker)) : [],
    ...macs.filter((mac) => mac === shared),
  ];
  const strangers = unique(macs.filter((mac) => !masters.includes(mac)));
  const why = "Clients reach now the one, now the other";
  if (own?.state === "master") {
    return strangers.length === 0 ? [] : [tell(strangers, ", and this machine is its master", why)];
  }
  // As long as the master's is not known, one is taken for it.
  if (strangers.length < (masters.length > 0 ? 1 : 2)) return [];
  const rest = masters.length > 0
    ? ", which is not the hardware address of its master"
    : ", of which only one can be its master";
  return [tell(strangers, rest, why)];
}
