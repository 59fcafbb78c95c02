/**
 * Durations as operators write them: a number and a unit, `500ms`, `1s`, `1.5s`, `2m`, `1h`; `0` needs no unit.
 *
 * @module
 */
import { parseAddress } from "../../lib/packet/address.ts";

const UNITS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 } as const;

/** A value that was read, or what is wrong with its text and what to write instead. */
export type Reading<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly what: string; readonly instead: string | null };

function wrong(what: string, instead: string | null): Reading<never> {
  return { ok: false, what, instead };
}

/** The sum of a duration that other programs would read in parts, as `1m30s`; null when it is none. */
function sumOfParts(text: string): number | null {
  if (!/^(?:\d{1,6}(?:ms|s|m|h)\s*){2,}$/.test(text)) return null;
  return [...text.matchAll(/(\d+)(ms|s|m|h)/g)].reduce((sum, [, amount, unit]) => {
    return sum + Number(amount) * UNITS[unit as keyof typeof UNITS];
  }, 0);
}

/** A duration in whole milliseconds, never negative. `what` continues a sentence that begins with the key's name. */
export function parseDuration(text: string): Reading<number> {
  const match = /^(-?)(\d+(?:\.\d+)?)\s*([A-Za-zµ]*)$/.exec(text);
  if (match === null) {
    const sum = sumOfParts(text);
    if (sum !== null) return wrong(`is \`${text}\`, more than one duration`, `write ${formatDuration(sum)}`);
    return wrong(`is \`${text}\`, which is not a duration`, "write 500ms, 1s, 2m or 1h");
  }
  const [, sign, digits, unit] = match;
  const amount = Number(digits);
  if (sign === "-") return wrong(`is \`${text}\`, but a duration cannot be negative`, "write 0s or more");
  if (unit === "") {
    if (amount === 0) return { ok: true, value: 0 };
    return wrong(`is \`${text}\`, a number without a unit`, `write ${digits}s or ${digits}ms`);
  }
  const scale = Object.hasOwn(UNITS, unit!) ? UNITS[unit as keyof typeof UNITS] : undefined;
  if (scale === undefined) {
    return wrong(`is \`${text}\`: there is no unit \`${unit}\``, "write ms, s, m or h");
  }
  const exact = amount * scale;
  const ms = Math.round(exact);
  // The product of a decimal fraction is not exact.
  const dust = Math.max(1e-6 * Math.max(1, scale / 1000), 4 * Number.EPSILON * exact);
  if (Math.abs(exact - ms) > dust) {
    return wrong(`is \`${text}\`, finer than a millisecond`, "write whole milliseconds");
  }
  if (ms > 365 * 24 * UNITS.h) return wrong(`is \`${text}\`, longer than a year`, null);
  return { ok: true, value: ms };
}

/** The shortest text that `parseDuration` reads as this many milliseconds: `1.5s`, `250ms`, `2m`, `0s`. */
export function formatDuration(ms: number): string {
  if (ms === 0) return "0s";
  if (ms % UNITS.h === 0) return `${ms / UNITS.h}h`;
  if (ms % UNITS.m === 0) return `${ms / UNITS.m}m`;
  if (ms >= 1000 && ms % 10 === 0) return `${ms / 1000}s`;
  return `${ms}ms`;
}

/** A whole decimal number. `051` and `0x33` are refused: which number they mean depends on the reader. */
export function parseInteger(text: string): Reading<number> {
  if (/^-?(0|[1-9]\d{0,14})$/.test(text)) return { ok: true, value: text === "-0" ? 0 : Number(text) };
  const bare = /^([+-]?)0*(\d{1,15})$/.exec(text);
  if (bare !== null) {
    const sign = bare[1] === "-" ? "-" : "";
    const why = /^\+(0|[1-9]\d*)$/.test(text)
      ? "with a sign that it does not need"
      : "which some read as an octal number";
    return wrong(`is \`${text}\`, ${why}`, `write ${sign}${Number(bare[2])}`);
  }
  if (/^[+-]?\d{16,}$/.test(text)) return wrong(`is \`${text}\`, far out of range`, null);
  return wrong(`is \`${text}\`, which is not a whole number`, "write decimal digits only");
}

/** `host:port`, with an IPv6 address in brackets. `host` comes without the brackets; `port` is 1..65535. */
export function parseHostPort(text: string): Reading<{ readonly host: string; readonly port: number }> {
  const match = /^(?:\[([0-9A-Fa-f:.%\w]+)\]|([^\s:[\]/]+)):(\d{1,5})$/.exec(text);
  if (match === null) {
    return wrong(`is \`${text}\`, which is not an address and a port`, "write 127.0.0.1:8405 or [::1]:8405");
  }
  const port = Number(match[3]);
  if (port < 1 || port > 65535) return wrong(`has port ${match[3]}`, "write a port from 1 to 65535");
  const host = match[1] ?? match[2]!;
  if (/^[\d.]+$/.test(host) && parseAddress(host)?.length !== 4) {
    return wrong(
      `is \`${text}\`, whose host is not an IP address`,
      "write four numbers up to 255, or a name",
    );
  }
  return { ok: true, value: { host, port } };
}

/** Program and arguments from one line, split at blanks; quotes and backslashes as in a shell, but no shell is run. */
export function splitCommand(text: string): Reading<readonly string[]> {
  const words: string[] = [];
  let word: string | null = null;
  let quote = "";
  for (let i = 0; i < text.length; i++) {
    const char = text[i]!;
    if (quote !== "") {
      if (char === quote) quote = "";
      else if (char === "\\" && quote === '"' && i + 1 < text.length) word += text[++i]!;
      else word += char;
    } else if (char === "'" || char === '"') {
      quote = char;
      word ??= "";
    } else if (char === "\\" && i + 1 < text.length) {
      word = (word ?? "") + text[++i]!;
    } else if (/\s/.test(char)) {
      if (word !== null) words.push(word);
      word = null;
    } else if ("|&;<>`$".includes(char)) {
      return wrong(`has a \`${char}\`, which only a shell understands`, 'write [sh, -c, "…"], or quote it');
    } else {
      word = (word ?? "") + char;
    }
  }
  if (quote !== "") return wrong(`has a ${quote} that is never closed`, null);
  if (word !== null) words.push(word);
  if (words.length === 0 || words[0] === "") return wrong("names no program", "write [program, argument]");
  return { ok: true, value: words };
}
