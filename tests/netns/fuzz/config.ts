/**
 * What a plan means: interfaces, priorities, the file for the daemon.
 *
 * @module
 */
import { yamlOf } from "../lab.ts";
import { isIpv6, type Plan, type Router, STATIC, type Vip, type Way } from "./plan.ts";

/** Interfaces that a router has for its virtual MAC addresses. */
export function vmacsOf(plan: Plan, router: Router): readonly string[] {
  const { vmac } = router;
  return vmac === null ? [] : families(plan, router) === "4,6" ? [vmac, `${vmac}b`] : [vmac];
}

/** The interface that carries an address. */
export function carrierOf(plan: Plan, vip: Vip): string {
  const router = plan.routers.find(({ id }) => id === vip.owner);
  if (router === undefined || router.device !== vip.device) return vip.device;
  const names = vmacsOf(plan, router);
  return (isIpv6(vip) ? names.at(-1) : names[0]) ?? vip.device;
}

/** The label of an address; one on an interface of a virtual MAC address has none. */
export function labelOf(plan: Plan, vip: Vip): string | null {
  return carrierOf(plan, vip) === vip.device ? vip.label : null;
}

/** IP versions of a router's addresses: each is a router of its own to the daemon. */
export function families(plan: Plan, { id }: Router): string {
  const own = plan.vips.filter(({ owner, extra }) => owner === id && !extra);
  return [...(own.some((vip) => !isIpv6(vip)) ? ["4"] : []), ...(own.some(isIpv6) ? ["6"] : [])].join();
}

/** Base priority of a router on a side. */
export function priorityOn(router: Router, side: number): number {
  return router.prefers === side ? router.priority : router.priority - 50;
}

function vmacKeys(plan: Plan, router: Router): Record<string, string> {
  const [name, name6] = vmacsOf(plan, router);
  return { name: name!, ...(name6 === undefined ? {} : { name6 }) };
}

/** The config as YAML for a side; probes look into `directory`. */
export function render(plan: Plan, side: number, directory: string): string {
  const vips = (owner: number, extra: boolean | null, base: string | null) =>
    plan.vips.filter((vip) => vip.owner === owner && (extra === null || vip.extra === extra)).map((vip) => ({
      address: `${vip.address}/${vip.prefix}`,
      ...(vip.device === base ? {} : { dev: vip.device }),
      ...(labelOf(plan, vip) === null ? {} : { label: vip.label }),
    }));
  const ways = (owner: number) => {
    const texts = (kind: Way["kind"]) =>
      plan.ways.filter((way) => way.owner === owner && way.kind === kind).map(({ text }) => text);
    return { routes: texts("routes"), rules: texts("rules") };
  };
  const vrrp = plan.routers.map((router) => [router.name, {
    interface: router.device,
    vrid: router.vrid,
    priority: priorityOn(router, side),
    advert_interval: "100ms",
    lease: router.lease,
    accept: router.accept,
    ...(router.vmac === null ? {} : { vmac: vmacKeys(plan, router) }),
    addresses: vips(router.id, false, router.device),
    extra: vips(router.id, true, router.device),
    ...ways(router.id),
    track: [
      ...(router.probe === null ? [] : [{
        probe: router.probe.name,
        ...(router.probe.weight === 0 ? {} : { weight: router.probe.weight }),
      }]),
      ...plan.routers.filter(({ id }) => id === router.follows).map(({ name }) => ({ instance: name })),
    ],
  }]);
  const groups = Map.groupBy(plan.routers.filter(({ group }) => group !== null), ({ group }) => group!);
  return yamlOf({
    probes: Object.fromEntries(
      plan.probes.map((name) => [name, { type: "file", path: `${directory}/${name}`, interval: "100ms" }]),
    ),
    vrrp: Object.fromEntries(vrrp),
    groups: Object.fromEntries(
      [...groups].map(([name, members]) => [name, { members: members.map((router) => router.name) }]),
    ),
    static: { addresses: vips(STATIC, null, null), ...ways(STATIC) },
  });
}
