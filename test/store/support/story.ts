/** The story in docs/SQL.md: a revoked partner, one that moves to a new PeerID, an unreachable one, and a message that is not JSON. */
import { type Did, resourceIdOf } from "../../../src/base/ids.ts";
import { PEER_A, PEER_B, peerIdOf } from "../../support/peers.ts";
import { addressOf, append, closed, desired, inboundRefused, opened, openFailed, rejected } from "./events.ts";
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

export function toldStory(): TemporaryStore {
  const temporary = new TemporaryStore();
  const { store, clock } = temporary;
  append(store, desired(LYON));
  clock.stall(380);
  store.appendObserved(opened(PEER_A));
  clock.stall(1_120);
  store.appendObserved(opened(PEER_A, "inbound"));
  clock.stall(500);
  append(store, desired({ ...OSLO, address: addressOf(PEER_B, "10.0.0.2") }));
  clock.stall(10_000);
  store.appendObserved(openFailed(PEER_B));
  for (const waitMs of [11_000, 12_000, 14_000]) {
    clock.stall(waitMs);
    store.appendObserved(openFailed(PEER_B));
  }
  const payload = Buffer.from('{"FromApp":"oc-api", oops');
  append(store, rejected({ message: "the message is no JSON: unexpected token o at byte 21" }), { payload });
  clock.stall(500);
  store.appendObserved(closed(PEER_A));
  clock.stall(800);
  store.appendObserved(opened(PEER_A));
  clock.stall(60_000);
  append(store, desired({ ...LYON, relation: "NONE", standing: "revoked", address: null }));
  clock.stall(4);
  store.appendObserved(closed(PEER_A, { reason: "revoked" }));
  store.appendObserved(closed(PEER_A, { direction: "inbound", reason: "revoked" }));
  clock.stall(2_000);
  store.appendObserved(inboundRefused(PEER_A));
  clock.stall(1_000);
  append(store, desired({ ...OSLO, peerId: PEER_C, address: addressOf(PEER_C, "10.0.0.3") }));
  clock.stall(250);
  store.appendObserved(opened(PEER_C));
  append(store, desired({ ...ROME, address: addressOf(PEER_D, "10.0.0.4") }));
  for (const waitMs of [50, 700, 1_900]) {
    clock.stall(waitMs);
    store.appendObserved(openFailed(PEER_D, { reason: "refused", message: "10.0.0.4:4001 refuses connections" }));
  }
  return temporary;
}
