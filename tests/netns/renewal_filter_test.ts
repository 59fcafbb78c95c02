import { afterAll, beforeAll, expect, test } from "bun:test";
import { addAddress, removeAddress } from "../../lib/netlink/mod.ts";
import { formatAddress, parseAddress } from "../../lib/packet/mod.ts";
import { drainLinks, listenLinks } from "../../mod/link/shell.ts";
import { canListen, Listening } from "./lab/listening.ts";

let kernel: Listening;

beforeAll(() => {
  if (canListen) kernel = new Listening("flt", listenLinks);
}, 30_000);
afterAll(() => kernel?.close(), 30_000);

/** What the listener hears of addresses, as `address-new 10.0.0.1`. */
function heard(): string[] {
  return drainLinks(kernel.listener).events.flatMap((event) =>
    event.type === "address-new" || event.type === "address-gone"
      ? [`${event.type} ${formatAddress(event.address.local)}`]
      : []
  );
}

test.skipIf(!canListen)(
  "an address that is new or gone is heard of, a lease that is renewed is not",
  async () => {
    const { connection, ifindex } = kernel;
    const address = parseAddress("10.0.0.1")!;
    const spec = { ifindex, address, prefix: 24, validS: 60, replace: true };
    heard();
    addAddress(connection, spec);
    expect(heard()).toEqual(["address-new 10.0.0.1"]);
    // The kernel counts in hundredths of a second.
    await Bun.sleep(30);
    addAddress(connection, spec);
    addAddress(connection, { ...spec, validS: 30 });
    expect(heard()).toEqual([]);
    removeAddress(connection, { ifindex, address, prefix: 24 });
    expect(heard()).toEqual(["address-gone 10.0.0.1"]);
    addAddress(connection, { ifindex, address, prefix: 24 });
    expect(heard()).toEqual(["address-new 10.0.0.1"]);
  },
);

test.skipIf(!canListen)("IPv6 is heard of whatever it is", async () => {
  const { connection, ifindex } = kernel;
  const address = parseAddress("2001:db8::1")!;
  const spec = { ifindex, address, prefix: 64, validS: 60, noDad: true, replace: true };
  heard();
  addAddress(connection, spec);
  await Bun.sleep(30);
  addAddress(connection, spec);
  expect(heard()).toEqual(["address-new 2001:db8::1", "address-new 2001:db8::1"]);
});
