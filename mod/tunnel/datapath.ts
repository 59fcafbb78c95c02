/**
 * The seam between a tunnel's keeper and what moves its packets: the kernel's GRE, or a process of our own.
 *
 * @module
 */
import type { TunnelConfig } from "./model.ts";

/** What became of an interface. `was`: what was wrong with the one that was found, in words. */
export type Ensured =
  /** It was there and right. */
  | { readonly did: "nothing" }
  /** It was not there. */
  | { readonly did: "made" }
  /** It was there, with other parameters; changed in place, or removed and made again. */
  | { readonly did: "corrected"; readonly was: readonly string[] };

/**
 * Moves the packets of tunnels. It cares for the interface and its GRE parameters; the keeper sets mtu, addresses,
 * routes and the interface up, whoever made it, and watches the far end through it.
 */
export interface Datapath {
  readonly kind: "kernel" | "user";
  /**
   * Makes sure that there is an interface of the tunnel's name whose packets this datapath moves by the tunnel's
   * parameters. Called again after each event about that interface, so it must be cheap when nothing is to be done.
   *
   * @throws UnsupportedError when this machine cannot have it; any other Error, "Cannot …", when it failed this time.
   */
  ensure(config: TunnelConfig): Promise<Ensured>;
  /** Removes the interface and what moves its packets; one that is gone already is success. Throws Error. */
  remove(config: TunnelConfig): Promise<void>;
  /**
   * The daemon ends, and interfaces that were not removed are left as they are. `handedOn`: another daemon goes on with
   * them, so what moves their packets goes on until that one has taken over. Never rejects.
   */
  end?(handedOn: boolean): Promise<void>;
}

/** This machine cannot have such a tunnel by this datapath. `message`: "Cannot …", with what to type. */
export class UnsupportedError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "UnsupportedError";
  }
}
