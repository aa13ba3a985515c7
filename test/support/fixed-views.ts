/** Views of a daemon with one peer, PEER_A, and no broker stream. */
import type { DeliveryView, PeerDetailView } from "../../src/views/api.ts";
import type { Views } from "../../src/views/views.ts";
import { PEER_A, PEER_B } from "./peers.ts";

export const FIXED_PEER = { peerId: PEER_A, phase: "closed", history: [] } as unknown as PeerDetailView;

export const FIXED_DELIVERY: DeliveryView = {
  delivery: "at_most_once",
  server: null,
  reading: true,
  problem: null,
  consumer: "oc-partnerd",
  stream: null,
  behind: null,
  rereading: null,
  ignoredDatatypes: [],
  headSeq: 0,
  proven: "completeness cannot be proven",
  missing: [],
  rollbacks: [],
  spans: [],
};

export const FIXED_VIEWS: Views = {
  self: () => ({ peerId: PEER_B, addresses: [], name: "b", did: "did:b", version: "0", startedAt: "" }),
  peers: () => ({ peers: [FIXED_PEER] }),
  peer: (peerId) => (peerId === PEER_A ? FIXED_PEER : undefined),
  delivery: () => FIXED_DELIVERY,
  resync: () => FIXED_DELIVERY.stream !== null,
  startup: () => [],
  liveness: () => [],
  readiness: () => [],
  metrics: () => Promise.resolve({ contentType: "text/plain; version=0.0.4", text: "up 1\n" }),
};
