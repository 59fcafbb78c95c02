/**
 * Linux through the C library: the only folder that names bun:ffi.
 *
 * @module
 */
export * from "./clock.ts";
export * from "./epoll.ts";
export * from "./errno.ts";
export * from "./file.ts";
export * from "./interface.ts";
export * from "./ipv6_receiver.ts";
export * from "./memory.ts";
export * from "./netns.ts";
export * from "./process.ts";
export * from "./send_batch.ts";
export * from "./shared_memory.ts";
export * from "./signal.ts";
export * from "./slot_batch.ts";
export * from "./socket.ts";
export * from "./socket_filter.ts";
export * from "./tun.ts";
export * from "./unix.ts";
