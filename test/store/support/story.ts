/** The story in docs/SQL.md: a revoked partner, one that moves to a new PeerID, an unreachable one, and a message that is not JSON. */
import { type Did, resourceIdOf } from "../../../src/base/ids.ts";
import { envelopeOf } from "../../../src/fixture/format/message.ts";
import { PEER_A, PEER_B, peerIdOf } from "../../support/peers.ts";
import { addressOf, append, closed, desired, inboundRefused, observe, opened, openFailed, rejected } from "./events.ts";
import { TemporaryStore } from "./temporary-store.ts";

const PEER_C = peerIdOf("12D3KooWHFrmLWTTDD4NodngtRMEVYgxrsDMp4F9iSwYntZ9WjHa");
const PEER_D = peerIdOf("12D3KooWRm8J3iL796zPFi2EtGGtUJn58AG67gcqzMuHYcJpjUBL");

const LYON = {
  peerId: PEER_A,
  name: "lyon-1",
  resourceId: resourceIdOf("res-lyon"),
  did: "res-lyon" as Did,
  address: addressOf(PEER_A),
};
const OSLO = { peerId: PEER_B, name: "oslo-1", resourceId: resourceIdOf("res-oslo"), did: "res-oslo" as Did };
const ROME = { peerId: PEER_D, name: "rome-1", resourceId: resourceIdOf("res-rome"), did: "res-rome" as Did };

/** As oc-api publishes it about lyon-1. */
function message(user: string, relation: string): Buffer {
  const { peerId, name, resourceId: id, address } = LYON;
  return Buffer.from(envelopeOf({ peerId, name, id, address, relation, user, fromApp: "oc-api" }));
}

/** As the reconciler and the dialler word them. */
const TIMED_OUT = { message: "the peer did not answer within 5000 ms", durationMs: 5_000 };
const CONNECTION_REFUSED = {
  reason: "connection_refused",
  message: "cannot connect: connection refused",
  durationMs: 50,
} as const;

export function toldStory(): TemporaryStore {
  const temporary = new TemporaryStore();
  const { store, clock } = temporary;
  append(store, desired(LYON), { payload: message("", "PARTNER") });
  clock.stall(380);
  observe(store, opened(PEER_A));
  clock.stall(1_120);
  observe(store, opened(PEER_A, "inbound"));
  clock.stall(500);
  append(store, desired({ ...OSLO, address: addressOf(PEER_B, "10.0.0.2") }));
  for (const waitMs of [5_000, 16_000, 12_000, 14_000]) {
    clock.stall(waitMs);
    observe(store, openFailed(PEER_B, TIMED_OUT));
  }
  const payload = Buffer.from('{"FromApp":"oc-api", oops');
  append(store, rejected({ message: "the message is not JSON: unexpected token o at byte 21" }), { payload });
  clock.stall(500);
  observe(store, closed(PEER_A, { durationMs: 49_120 }));
  clock.stall(800);
  observe(store, opened(PEER_A));
  clock.stall(60_000);
  const revocation = desired({ ...LYON, claimedUser: "anna", relation: "NONE", standing: "revoked", address: null });
  append(store, revocation, { payload: message("anna", "NONE") });
  clock.stall(4);
  observe(store, closed(PEER_A, { reason: "revoked", durationMs: 60_004 }));
  observe(store, closed(PEER_A, { direction: "inbound", reason: "revoked", durationMs: 108_804 }));
  clock.stall(2_000);
  observe(store, inboundRefused(PEER_A));
  clock.stall(1_000);
  append(store, desired({ ...OSLO, peerId: PEER_C, address: addressOf(PEER_C, "10.0.0.3") }));
  clock.stall(250);
  observe(store, opened(PEER_C));
  append(store, desired({ ...ROME, address: addressOf(PEER_D, "10.0.0.4") }));
  for (const waitMs of [50, 700, 1_900]) {
    clock.stall(waitMs);
    observe(store, openFailed(PEER_D, CONNECTION_REFUSED));
  }
  return temporary;
}
