/** The real HTTP app over fixed views. */
import { createApp } from "../../src/http/app.ts";
import type { DeliveryView, PeerDetailView } from "../../src/views/api.ts";
import type { Views } from "../../src/views/views.ts";
import { PEER_A, PEER_B } from "../support/peers.ts";
import { Broken } from "./target.ts";

const delivery: DeliveryView = {
  delivery: "at_most_once",
  server: null,
  reading: true,
  problem: null,
  consumer: "oc-partnerd",
  stream: null,
  behind: null,
  rereading: null,
  headSeq: 0,
  proven: "",
  missing: [],
  ignoredDatatypes: [],
  spans: [],
};
const peer = { peerId: PEER_A, phase: "closed", history: [] } as unknown as PeerDetailView;

const views: Views = {
  self: () => ({ peerId: PEER_B, addresses: [], name: "b", did: "did:b", version: "0", startedAt: "" }),
  peers: () => ({ peers: [peer] }),
  peer: (peerId) => (peerId === PEER_A ? peer : undefined),
  delivery: () => delivery,
  resync: () => true,
  startup: () => [],
  liveness: () => [],
  readiness: () => [{ name: "nats", ok: false, message: "down" }],
  metrics: () => Promise.resolve({ contentType: "text/plain; version=0.0.4", text: "up 1\n" }),
};

/** An app that answers no request with an error of its own. */
export const app = createApp(views, {
  fault: (_part, thrown) => {
    throw new Broken(`the app failed: ${String(thrown)}`);
  },
  error: (fields) => {
    throw new Broken(`the app could not answer: ${JSON.stringify(fields)}`);
  },
});
