/**
 * Accept mode off (RFC 5798 §6.1, RFC 9568 §6.1): addresses that this machine forwards for and answers ARP and
 * neighbour solicitations for, while packets to them are dropped.
 *
 * @module
 */

/** An address that no packet is accepted for. */
export interface Guarded {
  /** 4 or 16 bytes. */
  readonly address: Uint8Array;
  /** Interface that carries it: a link-local address means another host on another link. */
  readonly interface: string;
}
