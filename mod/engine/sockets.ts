/**
 * What virtual routers hear: the VRRP sockets in use, one pair for each interface and family that an instance runs on,
 * opened and closed as interfaces come and go.
 *
 * @module
 */
import { closeFd, EAGAIN, EINTR, ENETDOWN, errnoText } from "../../lib/libc/mod.ts";
import { formatAddress } from "../../lib/packet/mod.ts";
import { noDrops } from "../bus/messages.ts";
import type { LinkTable } from "../link/model.ts";
import { linkNamed } from "../link/step.ts";
import type { ReceivedPacket } from "../vrrp/model.ts";
import { openOwnerSocket } from "../vrrp/owner.ts";
import {
  closeVrrpSockets,
  openVrrpSockets,
  type PacketTaker,
  RECEIVE_BATCH,
  receivePackets,
  type VrrpSockets,
} from "../vrrp/shell.ts";
import type { Instance } from "./instance.ts";

/** At most this many packets of one socket are read in one wake-up, so that a flood cannot starve deadlines. */
const PACKETS_PER_WAKE = 1024;

/** So many owners are known on one interface at most: anybody can make up more. */
const MAX_OWNERS = 255;

/** Told of each descriptor to watch, and of each that is about to be closed. */
export interface SocketWatcher {
  readonly opened: (fd: number, read: () => void) => void;
  readonly closed: (fd: number) => void;
}

/** What the sockets need of the routers around them. */
export interface SocketsHost {
  readonly watcher: SocketWatcher;
  /** A packet for this instance has come. */
  readonly heard: (instance: Instance, packet: ReceivedPacket) => void;
  readonly failed: (error: string) => void;
}

interface Entry {
  readonly sockets: VrrpSockets;
  /** By VRID. */
  readonly instances: Map<number, Instance>;
  /** Virtual addresses that another router was heard to own, as text. */
  readonly owners: Map<string, Uint8Array>;
  /** Hears them when we have these addresses; null = there are none. */
  ownersFd: number | null;
}

/** All receiving sockets, and which virtual router each packet is for. */
export class SocketSet {
  readonly #host: SocketsHost;
  readonly #entries = new Map<string, Entry>();
  readonly #bySockets = new Map<VrrpSockets, Entry>();

  /** Packets that belong to no instance, by reason. */
  readonly strays = noDrops();

  constructor(host: SocketsHost) {
    this.#host = host;
  }

  /** Opens what the instances need on the interfaces that exist now, and closes the rest. */
  sync(instances: readonly Instance[], links: LinkTable): void {
    const wanted = new Map<string, Instance[]>();
    for (const instance of instances) {
      const link = linkNamed(links, instance.config.interface);
      const key = link === null ? null : `${link.index} ${link.name} ${instance.config.family}`;
      if (key !== null) wanted.set(key, [...wanted.get(key) ?? [], instance]);
      instance.socketError = null;
      if (instance.sockets?.ifindex === link?.index) continue;
      instance.sockets = null;
      instance.forgetTemplate();
    }
    for (const [key, entry] of this.#entries) {
      if (!wanted.has(key)) this.#close(key, entry);
    }
    for (const [key, users] of wanted) this.#attach(key, users, links);
  }

  /** Closes the sockets on interfaces that are gone, though there may be others with the same index and name by now. */
  forget(isGone: (ifindex: number) => boolean): void {
    for (const [key, entry] of this.#entries) {
      const { sockets } = entry;
      if (!isGone(sockets.ifindex)) continue;
      for (const instance of entry.instances.values()) {
        if (instance.sockets === sockets) instance.sockets = null;
      }
      this.#close(key, entry);
    }
  }

  closeAll(): void {
    for (const [key, entry] of this.#entries) this.#close(key, entry);
  }

  #attach(key: string, users: readonly Instance[], links: LinkTable): void {
    let entry = this.#entries.get(key);
    if (entry === undefined) {
      const { family, interface: name } = users[0]!.config;
      try {
        const sockets = openVrrpSockets(family, linkNamed(links, name)!.index, name);
        entry = { sockets, instances: new Map(), owners: new Map(), ownersFd: null };
        this.#entries.set(key, entry);
        this.#bySockets.set(sockets, entry);
        for (const fd of receivingFds(sockets)) this.#host.watcher.opened(fd, () => this.#read(sockets, fd));
      } catch (error) {
        // The instance waits in FAULT; the next change of the interface tries again.
        for (const instance of users) {
          instance.socketError = (error as Error).message;
          // Those that it had are closed by now, and their numbers may be another's.
          instance.sockets = null;
        }
        return;
      }
    }
    entry.instances.clear();
    for (const instance of users) {
      instance.sockets = entry.sockets;
      // Of a leaving instance and its successor with the same VRID the successor hears.
      if (!instance.leaving || !entry.instances.has(instance.config.vrid)) {
        entry.instances.set(instance.config.vrid, instance);
      }
    }
  }

  /** Reads the packets that wait on `fd`, one of these sockets. */
  #read(sockets: VrrpSockets, fd: number): void {
    // The last of their users may leave for what it hears: they are closed then.
    for (let count = 0; count < PACKETS_PER_WAKE && this.#bySockets.has(sockets);) {
      const received = receivePackets(sockets, fd, this.#take);
      if (received === -EAGAIN) return;
      if (received < 0 && received !== -EINTR && received !== -ENETDOWN) {
        return this.#host.failed(`cannot receive on ${sockets.interface}: ${errnoText(-received)}`);
      }
      if (received >= 0 && received < RECEIVE_BATCH) return;
      count += Math.max(received, 1);
    }
  }

  readonly #take: PacketTaker = (sockets, reception) => {
    const entry = this.#bySockets.get(sockets);
    if (entry === undefined) return false;
    if (reception.type === "refused") this.strays[reception.reason]++;
    if (reception.type !== "packet") return true;
    const { vrid, packet } = reception;
    const instance = entry.instances.get(vrid);
    if (instance === undefined) this.strays[packet.decode.ok ? "vrid" : packet.decode.reason]++;
    else {
      if (isOwner(packet, instance)) this.#noteOwner(entry, packet.source);
      this.#host.heard(instance, packet);
    }
    return this.#bySockets.has(sockets);
  };

  /** Takes in what the kernel keeps from the raw socket: as backup an instance hears it there. */
  readonly #takeOwner: PacketTaker = (sockets, reception) => {
    if (reception.type !== "packet") return true;
    const instance = this.#bySockets.get(sockets)?.instances.get(reception.vrid);
    return instance?.state.phase !== "master" || this.#take(sockets, reception);
  };

  /** Gets ready to hear the owner of a virtual address when we have taken it over. */
  #noteOwner(entry: Entry, owner: Uint8Array): void {
    const text = formatAddress(owner);
    if (entry.owners.has(text) || entry.owners.size === MAX_OWNERS) return;
    entry.owners.set(text, owner);
    const { sockets } = entry;
    this.#closeOwners(entry);
    try {
      const fd = openOwnerSocket(sockets.ifindex, sockets.interface, [...entry.owners.values()]);
      entry.ownersFd = fd;
      this.#host.watcher.opened(fd, () => void receivePackets(sockets, fd, this.#takeOwner));
    } catch (error) {
      this.#host.failed((error as Error).message);
    }
  }

  #closeOwners(entry: Entry): void {
    if (entry.ownersFd === null) return;
    this.#host.watcher.closed(entry.ownersFd);
    closeFd(entry.ownersFd);
    entry.ownersFd = null;
  }

  #close(key: string, entry: Entry): void {
    this.#entries.delete(key);
    this.#bySockets.delete(entry.sockets);
    for (const fd of receivingFds(entry.sockets)) this.#host.watcher.closed(fd);
    this.#closeOwners(entry);
    closeVrrpSockets(entry.sockets);
  }
}

/** Whether a packet is from the owner of one of an instance's IPv4 addresses, by that address. */
function isOwner({ source, decode }: ReceivedPacket, { config }: Instance): boolean {
  return decode.ok && decode.advert.priority === 255 && config.priority !== 255 && source.length === 4 &&
    config.addresses.some(({ address }) => address === formatAddress(source));
}

function receivingFds({ receiveFd, ahFd }: VrrpSockets): readonly number[] {
  return ahFd === null ? [receiveFd] : [receiveFd, ahFd];
}
