/** The daemon's interface to HTTP and metrics, so that neither depends on the daemon's parts. */
import type { PeerId } from "../base/ids.ts";
import type { Check, DeliveryView, PeerDetailView, PeersView, SelfView } from "./api.ts";

export interface Views {
  self(): SelfView;
  peers(): PeersView;
  /** Undefined if no event or stream involves the peer. */
  peer(peerId: PeerId): PeerDetailView | undefined;
  delivery(): DeliveryView;
  /** Starts reading the whole broker stream again; false if there is no stream. */
  resync(): boolean;
  startup(): readonly Check[];
  liveness(): readonly Check[];
  readiness(): readonly Check[];
  metrics(): Promise<{ readonly contentType: string; readonly text: string }>;
}

/** A gauge that is read at each scrape: one number, or one for each value of `label`. */
export type GaugeView = { readonly name: string; readonly help: string } & (
  | { readonly read: () => number }
  | { readonly label: string; readonly read: () => Readonly<Record<string, number>> }
);
