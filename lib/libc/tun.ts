/**
 * TUN and TAP: network devices whose other end is a descriptor of ours (linux/if_tun.h).
 *
 * @module
 */
import { existsSync } from "node:fs";
import { SyscallError } from "./errno.ts";
import { closeFd, O_CLOEXEC, O_NONBLOCK, O_RDWR, openFile } from "./file.ts";
import { alloc, textOf, viewOf } from "./memory.ts";
import { ioctl } from "./socket.ts";

const TUN_PATH = "/dev/net/tun";
const TUNSETIFF = 0x400454ca;
const TUNSETCARRIER = 0x400454e2;
const TUNGETIFF = 0x800454d2;

const IFF_TUN = 0x0001;
const IFF_TAP = 0x0002;
const IFF_NO_PI = 0x1000;
const IFF_VNET_HDR = 0x4000;
/** Refuse a name that is taken instead of joining the device. */
const IFF_TUN_EXCL = 0x8000;

/** Bytes of struct virtio_net_hdr, in front of every packet both ways. */
export const VNET_HEADER_LENGTH = 10;

/** `tap` carries Ethernet frames, `tun` IP packets. */
export type TunMode = "tun" | "tap";

/** Whether this machine has the device that TUN and TAP interfaces are made with. */
export function hasTun(): boolean {
  return existsSync(TUN_PATH);
}

/**
 * Makes a device that lasts as long as the descriptor returned, which is non-blocking. Each packet has a struct
 * virtio_net_hdr in front. Throws SyscallError: ENOENT (no /dev/net/tun), EPERM, EBUSY (the name is taken).
 */
export function openTun(name: string, mode: TunMode): number {
  const fd = openFile(TUN_PATH, O_RDWR | O_NONBLOCK | O_CLOEXEC);
  const request = alloc(40);
  new TextEncoder().encodeInto(name, request.subarray(0, 15));
  viewOf(request).setUint16(
    16,
    (mode === "tap" ? IFF_TAP : IFF_TUN) | IFF_NO_PI | IFF_VNET_HDR | IFF_TUN_EXCL,
    true,
  );
  const result = ioctl(fd, TUNSETIFF, request);
  if (result < 0) {
    closeFd(fd);
    throw new SyscallError("ioctl TUNSETIFF", -result, `create ${mode} device ${name}`);
  }
  return fd;
}

/** The device behind a descriptor, or null when it is not one or the device is gone. */
export function tunDevice(fd: number): { readonly name: string; readonly mode: TunMode } | null {
  const answer = alloc(40);
  if (ioctl(fd, TUNGETIFF, answer) < 0) return null;
  const flags = viewOf(answer).getUint16(16, true);
  return { name: textOf(answer.subarray(0, 16)), mode: (flags & IFF_TAP) !== 0 ? "tap" : "tun" };
}

/** Plugs the device's cable in or pulls it. False on kernels before 4.20, which cannot. */
export function setTunCarrier(fd: number, carrier: boolean): boolean {
  const cell = alloc(4);
  viewOf(cell).setInt32(0, carrier ? 1 : 0, true);
  return ioctl(fd, TUNSETCARRIER, cell) === 0;
}
