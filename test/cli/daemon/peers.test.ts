import { expect, test } from "vitest";
import { runPeers } from "../../../src/cli/daemon/peers.ts";
import type { DaemonClient } from "../../../src/http/client.ts";
import type { HistoryView, PeerDetailView } from "../../../src/views/api.ts";
import { PEER_A } from "../../support/peers.ts";

const message: HistoryView = {
  seq: 3,
  at: "2026-01-01T12:00:00.000Z",
  type: "PeerDesired",
  app: "oc-api",
  claimedUser: null,
  effect: "changed",
  relation: "PARTNER",
  standing: "partner",
  direction: null,
  reason: null,
  message: null,
  attempt: null,
  durationMs: null,
  causeSeq: null,
  openedSeq: null,
};
const byUs = { ...message, app: "oc-partnerd", causeSeq: 3 };

const peer: PeerDetailView = {
  peerId: PEER_A,
  did: null,
  name: "paris-1",
  relation: "PARTNER",
  standing: "revoked",
  address: null,
  skippedAddresses: [],
  phase: "closed",
  since: null,
  outbound: null,
  inbound: null,
  attempts: 0,
  nextAttemptAt: null,
  lastError: null,
  desiredSeq: 9,
  learned: null,
  acceptsStreams: null,
  history: [
    { ...byUs, seq: 11, type: "PeerRemoved", relation: null, standing: null },
    { ...byUs, seq: 9, standing: "revoked" },
    { ...byUs, seq: 7 },
    { ...message, seq: 5, relation: "ALLY" },
    message,
  ],
};

test("a peer shows its standing, and what each of its desired events meant", async () => {
  const client = { peer: () => Promise.resolve(peer) } as unknown as DaemonClient;
  const text = await runPeers(client, PEER_A, false);
  expect(text).toMatch(/^relation +PARTNER\nstanding +revoked$/m);
  const [, history = ""] = text.split("\n\n");
  const whats = history
    .split("\n")
    .slice(1)
    .map((line) => line.split(/ {2,}/).slice(3).join("|"));
  expect(whats).toEqual([
    "removed by reinterpreting event 3|oc-partnerd",
    "PARTNER (revoked) by reinterpreting event 3|oc-partnerd",
    "PARTNER (partner) by reinterpreting event 3|oc-partnerd",
    "ALLY (partner)|oc-api",
    "PARTNER|oc-api",
  ]);
});
