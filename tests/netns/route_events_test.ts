import { afterAll, beforeAll, expect, test } from "bun:test";
import { addRoute, getLink, removeRoute, setLink } from "../../lib/netlink/mod.ts";
import { ROUTE_PROTOCOL } from "../../mod/route/plan.ts";
import { drainRoutes, listenRoutes } from "../../mod/route/shell.ts";
import { canListen, Listening } from "./lab/listening.ts";

let kernel: Listening;

beforeAll(() => {
  if (!canListen) return;
  kernel = new Listening("rev", listenRoutes);
  for (const name of ["eth0", "peer0"]) {
    setLink(kernel.connection, getLink(kernel.connection, name)!.index, { up: true }, name);
  }
}, 30_000);
afterAll(() => kernel?.close(), 30_000);

test.skipIf(!canListen)(
  "a route that came and went before anybody looked is gone, whatever came first",
  () => {
    const { connection, listener, ifindex } = kernel;
    const destination = { address: Uint8Array.of(10, 5, 0, 0), prefix: 16 };
    const route = { family: "ipv4" as const, destination, ifindex, scope: 253, protocol: ROUTE_PROTOCOL };
    drainRoutes(listener);
    addRoute(connection, route);
    removeRoute(connection, route);
    const away = drainRoutes(listener);
    expect([away.gone.length, away.come.length]).toEqual([1, 0]);
    addRoute(connection, route);
    removeRoute(connection, route);
    addRoute(connection, route);
    const back = drainRoutes(listener);
    expect([back.gone.length, back.come.length]).toEqual([0, 1]);
  },
);
