/** What the daemon shows of itself: the functions that HTTP and the metrics read, which keep both apart from the daemon's parts. */
import type { PeerId } from "../base/ids.ts";
import type { Check, DeliveryView, PeerDetailView, PeersView, SelfView } from "./api.ts";

export interface Views {
  self(): SelfView;
  peers(): PeersView;
  /** Undefined for a peer that is neither desired nor seen. */
  peer(peerId: PeerId): PeerDetailView | undefined;
  delivery(): DeliveryView;
  /** Reads the whole stream once more; false where there is none to read. */
  resync(): boolean;
  startup(): readonly Check[];
  liveness(): readonly Check[];
  readiness(): readonly Check[];
  metrics(): Promise<{ readonly contentType: string; readonly text: string }>;
}

/** A number that is read at each scrape of the metrics, or one number for each value of `label`. */
export type GaugeView = { readonly name: string; readonly help: string } & (
  | { readonly read: () => number }
  | { readonly label: string; readonly read: () => Readonly<Record<string, number>> }
);
