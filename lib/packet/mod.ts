/** Packet formats: one encode/decode pair each, pure. Decoders return a result; encoders throw RangeError. */
export * from "./address.ts";
export * from "./ah.ts";
export * from "./arp.ts";
export * from "./bytes.ts";
export * from "./checksum.ts";
export * from "./ethernet.ts";
export * from "./gre.ts";
export * from "./icmp.ts";
export * from "./ipv4.ts";
export * from "./ipv6.ts";
export * from "./ndp.ts";
export * from "./vrrp.ts";
