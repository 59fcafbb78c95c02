/**
 * Which of the known names somebody probably meant.
 *
 * @module
 */

/** Edits (insert, delete, replace, swap of neighbours) that turn one text into the other: optimal string alignment. */
export function editDistance(a: string, b: string): number {
  let before: number[] = [];
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      next[j] = Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (same ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        next[j] = Math.min(next[j]!, before[j - 2]! + 1);
      }
    }
    before = row;
    row = next;
  }
  return row[b.length]!;
}

/** Whether the letters of the one stand in the other, in their order. */
function isSubsequence(short: string, long: string): boolean {
  let found = 0;
  for (const letter of long) if (letter === short[found]) found++;
  return found === short.length;
}

/** The nearest of the known names, or null where none is near enough to be what was meant. */
export function nearest(name: string, known: Iterable<string>): string | null {
  const given = name.slice(0, 64).toLowerCase().replaceAll("-", "_");
  const longer = [...known].filter((candidate) => candidate.startsWith(given));
  if (given.length >= 3 && longer.length === 1) return longer[0]!;
  // Of two that are equally far the one from which letters were only left out.
  const shortened = (candidate: string) => isSubsequence(given, candidate.toLowerCase());
  let best: string | null = null;
  let least = Math.max(1, Math.floor(given.length / 3)) + 1;
  for (const candidate of known) {
    const distance = editDistance(given, candidate.toLowerCase().replaceAll("-", "_"));
    const likelier = best !== null && distance === least && shortened(candidate) && !shortened(best);
    if (distance < least || likelier) {
      best = candidate;
      least = distance;
    }
  }
  return best;
}

/** keepalived's word → ours, for people who write what their fingers know. */
const KEEPALIVED_WORDS: Readonly<Record<string, string>> = {
  virtual_router_id: "vrid",
  advert_int: "advert_interval",
  virtual_ipaddress: "addresses",
  virtual_ipaddress_excluded: "extra",
  virtual_routes: "routes",
  virtual_rules: "rules",
  static_ipaddress: "static",
  static_routes: "static",
  static_rules: "static",
  no_accept: "accept",
  src: "source",
  pref: "priority",
  unicast_peer: "peers",
  unicast_src_ip: "source",
  mcast_src_ip: "source",
  authentication: "auth",
  auth_type: "type",
  auth_pass: "key",
  nopreempt: "preempt",
  preempt_delay: "preempt",
  vrrp_version: "version",
  down_timer_adverts: "down_adverts",
  track_script: "track",
  track_interface: "track",
  track_process: "track",
  track_file: "track",
  garp_master_repeat: "repeat",
  garp_master_delay: "delay",
  garp_master_refresh: "refresh",
  garp_master_refresh_repeat: "refresh_repeat",
  garp_interval: "interval",
  notify_master: "notify",
  notify_backup: "notify",
  notify_fault: "notify",
  notify_stop: "notify",
  vrrp_instance: "vrrp",
  vrrp_script: "probes",
  vrrp_sync_group: "groups",
  virtual_server: "balance",
  router_id: "node",
  script: "command",
  brd: "broadcast",
  use_vmac: "vmac",
  vmac_xmit_base: "vmac",
  group: "members",
};

/** keepalived's words that stand elsewhere here: the mapping, where that is what is missing. */
const KEEPALIVED_PLACES: readonly (readonly [words: RegExp, place: string])[] = [
  [/^garp_(master|interval)/, "announce"],
  [/^auth_(type|pass)$/, "auth"],
  [/^(vrrp_)?track_(script|process|file)$/, "probes"],
];

/** keepalived's words that have no like here, or not where they stand: what to do. */
const KEEPALIVED_ADVICE: Readonly<Record<string, string>> = {
  state: "remove it: priorities decide who is master",
  weight: "write it where the probe is tracked: track: [{ probe: NAME, weight: -60 }]",
  global_defs: "remove it: its router_id is `node` here",
  vrrp_version: "write `version` in each instance",
  vrrp_strict: "remove it: there is no strict mode",
  strict_mode: "remove it: there is no strict mode",
  native_ipv6: "remove it: the addresses tell the IP version",
  nopreempt: "write `preempt: false` in each instance",
  script_user: "write `user` in each exec probe",
  enable_script_security: "remove it",
  include: "remove it: a config is one file",
  smtp_alert: "remove it: there is no mail, but `notify` runs commands",
  notification_email: "remove it: there is no mail, but `notify` runs commands",
  smtp_server: "remove it: there is no mail, but `notify` runs commands",
  notify_fifo: "remove it: `notify` runs commands",
};

/**
 * What to write for a key that does not exist here. `guess` is the known key that was probably meant, `seen` as much of
 * the name as is like it, with a colon where its value was glued to it; `shown` are listed.
 */
export function unknownKey(
  name: string,
  known: readonly string[],
  shown: readonly string[] = known,
): { readonly guess: string | null; readonly seen: string | null; readonly instead: string } {
  const colon = name.indexOf(":");
  const glued = colon < 0 ? undefined : known.find((key) => key === name.slice(0, colon));
  if (glued !== undefined) {
    return { guess: glued, seen: `${glued}:…`, instead: "write a blank after the colon" };
  }
  const words = [
    ...(Object.hasOwn(KEEPALIVED_WORDS, name) ? [KEEPALIVED_WORDS[name]!] : []),
    ...KEEPALIVED_PLACES.flatMap(([words, place]) => words.test(name) ? [place] : []),
  ];
  const guess = words.find((word) => known.includes(word)) ?? nearest(name, known);
  if (guess !== null) return { guess, seen: name, instead: `did you mean \`${guess}\`?` };
  if (Object.hasOwn(KEEPALIVED_ADVICE, name)) return { guess, seen: name, instead: KEEPALIVED_ADVICE[name]! };
  return { guess, seen: null, instead: shown.length === 0 ? "remove it" : `known here: ${shown.join(", ")}` };
}
