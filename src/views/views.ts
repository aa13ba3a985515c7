/** What the daemon shows of itself: the functions that HTTP and the metrics read, so that neither knows who answers. */
import type { PeerId } from "../base/ids.ts";
import type { GapReason } from "../events/types.ts";
import type { Check, DeliveryView, PeerDetailView, PeersView, Phase, SelfView } from "./api.ts";

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

/** Read at each scrape of the metrics. */
export interface Gauges {
  readonly peersByPhase: () => Readonly<Record<Phase, number>>;
  readonly desiredPartners: () => number;
  readonly inboundStreams: () => number;
  readonly connections: () => number;
  readonly operationsInFlight: () => number;
  readonly natsConnected: () => boolean;
  readonly logHeadSeq: () => number;
  readonly logHeadHash: () => number;
  readonly walBytes: () => number;
  readonly atLeastOnce: () => boolean;
  readonly streamSequence: () => number;
  readonly streamBehind: () => number;
  readonly streamRestarts: () => number;
  readonly deliveryGaps: () => Readonly<Record<GapReason, number>>;
}
