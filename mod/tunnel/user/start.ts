/**
 * How a process that is to move a tunnel's packets comes by device and sockets: from the one before it, or new.
 *
 * @module
 */
import { closeFd, Epoll, interfaceIndex, monotonicNs } from "../../../lib/libc/mod.ts";
import { adoptDevice, openDevice, type TunnelDevice } from "./device.ts";
import { sharesNumbers, sharesSockets } from "./inheritance.ts";
import { type Bequest, Predecessor } from "./predecessor.ts";
import type { UserTunnelSettings } from "./settings.ts";
import { adoptUnderlay, type Underlay } from "./underlay.ts";
import type { GreEnd } from "./wire.ts";

/** How long the device of a process that has ended may take to go, and how often it is looked. */
const GOING = 1e9;
const LOOK_MS = 10;

/** What there is to begin with. */
export interface Beginning {
  readonly device: TunnelDevice;
  /** Null = to be opened. */
  readonly underlay: Underlay | null;
  /** Both ends count on where they were. */
  readonly continued: boolean;
}

/**
 * Takes over from the process that moves this tunnel's packets so far, or makes the device. The numbers that go on are
 * set in `gre`. Throws an Error whose message is a sentence for the operator.
 */
export function begin(settings: UserTunnelSettings, gre: GreEnd): Beginning {
  const predecessor = Predecessor.find(settings.name);
  const bequest = predecessor?.inherit() ?? null;
  if (predecessor !== null && bequest !== null) {
    const beginning = (() => {
      try {
        return adopt(settings, gre, bequest);
      } catch (error) {
        predecessor.refuse();
        throw error;
      }
    })();
    if (beginning !== null) {
      predecessor.take();
      return beginning;
    }
    for (const fd of [bequest.device, ...bequest.sockets]) closeFd(fd);
    predecessor.dismiss();
  }
  if (predecessor !== null) awaitEnd(settings.name);
  return { device: openDevice(settings), underlay: null, continued: false };
}

/** Null when the tunnel needs another device. */
function adopt(settings: UserTunnelSettings, gre: GreEnd, bequest: Bequest): Beginning | null {
  const { inheritance, sockets } = bequest;
  const device = adoptDevice(settings, bequest.device);
  if (device === null) return null;
  const continued = sharesNumbers(inheritance.settings, settings);
  if (continued) Object.assign(gre, inheritance.numbers);
  let underlay: Underlay | null = null;
  if (sockets.length > 1 && sharesSockets(inheritance.settings, settings)) {
    try {
      underlay = adoptUnderlay(settings, sockets);
    } catch {
      // They are opened anew, or it is told why they cannot be.
    }
  }
  if (underlay === null) { for (const fd of sockets) closeFd(fd); }
  return { device, underlay, continued };
}

function exists(name: string): boolean {
  try {
    return interfaceIndex(name) > 0;
  } catch {
    return false;
  }
}

/** Waits until a device is gone that is about to go. */
function awaitEnd(name: string): void {
  const nothing = new Epoll();
  for (const until = monotonicNs() + GOING; exists(name) && monotonicNs() < until;) nothing.wait(LOOK_MS);
  nothing.close();
}
