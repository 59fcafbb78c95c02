/**
 * For the tests that run inside the kernel lab.
 *
 * @module
 */
import { describe } from "bun:test";
import { must } from "../../netns/lab.ts";

/** Whether this process runs inside the lab (init.sh hands the mark on). */
export const inGuest: boolean = process.env.APPLIANCE_KERNEL_LAB === "guest";

/** `describe` for tests that would be wrong anywhere but inside the lab; elsewhere they are skipped. */
export function describeGuest(theme: string, body: () => void): void {
  describe.skipIf(!inGuest)(theme, body);
}

/** A link as `ip -d -j link` tells it, as far as tests look. */
export interface IpLink {
  readonly ifindex: number;
  readonly ifname: string;
  readonly mtu: number;
  readonly flags: readonly string[];
  readonly linkinfo?: { readonly info_kind: string; readonly info_data?: Readonly<Record<string, unknown>> };
}

/** One link of the lab's own namespace, as iproute2 reads it. Throws when there is none. */
export function ipLink(name: string): IpLink {
  const [link] = JSON.parse(must(["ip", "-d", "-j", "link", "show", "dev", name])) as IpLink[];
  return link!;
}
