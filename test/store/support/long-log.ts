/** A log of a few hundred rows of every kind, as a daemon would write them, in its data directory. */

import { hash } from "node:crypto";
import type { Random } from "../../../src/base/clock.ts";
import type { Did, PeerId } from "../../../src/base/ids.ts";
import { resourceIdOf } from "../../../src/base/ids.ts";
import { seededRandom } from "../../../src/sim/time/random.ts";
import type { VirtualClock } from "../../../src/sim/time/virtual-clock.ts";
import { dedupeKeyOf, messageHash } from "../../../src/store/model/dedupe-key.ts";
import type { Store } from "../../../src/store/store.ts";
import type { IngestItem, Received } from "../../../src/store/write/receive.ts";
import { peerIdOf } from "../../support/peers.ts";
import {
  addressOf,
  closed,
  desired,
  inboundRefused,
  learned,
  observe,
  observeOpened,
  openFailed,
  received,
  rejected,
  removed,
} from "./events.ts";

export const PEERS = [
  "12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA",
  "12D3KooWLrYpZzrwDmMMgvG3qFvMi4yxqxZcGBUd1pUTVTsKoXxh",
  "12D3KooWPjceQrSwdWXPyLLeABRXmuqt69Rg3sBYbU1Nft9HyQ6X",
  "12D3KooWHFrmLWTTDD4NodngtRMEVYgxrsDMp4F9iSwYntZ9WjHa",
  "12D3KooWRm8J3iL796zPFi2EtGGtUJn58AG67gcqzMuHYcJpjUBL",
].map(peerIdOf);

export const STREAM = { stream: "OC_RESOURCES", created: "2026-01-01T10:00:00.123456789Z" };
const FIRST_SEQUENCE = 11;

/** Appends about `rounds` × 9 rows. The result depends only on `rounds`. */
export function appendLongLog(store: Store, clock: VirtualClock, rounds: number): void {
  const random = seededRandom(rounds);
  let sequence = store.cursor()?.sequence ?? FIRST_SEQUENCE - 1;
  if (store.cursor() === undefined) {
    store.appendReceived([received(desired({ name: "by core NATS" }))]);
    store.appendDelivery(
      [
        {
          type: "DeliveryChanged",
          reason: "at_least_once",
          stream: STREAM.stream,
          streamCreated: STREAM.created,
          streamSequence: FIRST_SEQUENCE,
          message: null,
        },
      ],
      { ...STREAM, firstSequence: FIRST_SEQUENCE, sequence, messageHash: null },
    );
  }
  for (let round = 0; round < rounds; round++) {
    const batch: IngestItem[] = [];
    let hashOfLast = "";
    const arrive = (decoded: Received["decoded"], payload?: Uint8Array) => {
      sequence += 1;
      const message = received(decoded, { streamSequence: sequence, ...(payload && { payload }) });
      hashOfLast = messageHash(`1767261600000${String(sequence).padStart(6, "0")}`, hash("sha256", message.payload, "hex"));
      batch.push({ ...message, dedupeKey: dedupeKeyOf(STREAM, sequence, hashOfLast) });
    };
    const peerId = pick(random, PEERS);
    arrive(anyDesired(random, peerId, round));
    if (round % 3 === 0) arrive(removed({ peerId: pick(random, PEERS) }));
    if (round % 4 === 1) arrive(rejected(), Buffer.from(random.bytes(40 + round)));
    if (round % 10 === 7) {
      // An echo adds no row, and a gap adds one.
      batch.push({
        type: "DeliveryGap",
        reason: "purged",
        stream: STREAM.stream,
        streamCreated: STREAM.created,
        streamSequence: sequence + 1,
        lastStreamSequence: sequence + 3,
      });
      sequence += 3;
      arrive(anyDesired(random, peerId, round));
    }
    if (round % 20 === 9) arrive(rejected({ reason: "too_large", message: "too large" }), Buffer.alloc(70_000, `${round} `));
    store.appendReceived(batch, { ...STREAM, sequence: sequence + 1, messageHash: hashOfLast });
    sequence += 1;
    clock.stall(500 + round);
    observeSomething(store, clock, random);
    if (round % 6 === 2) observe(store, learned(peerId, { agent: `agent/${round}`, protocols: ["/ipfs/id/1.0.0"] }));
  }
}

function anyDesired(random: Random, peerId: PeerId, round: number): Received["decoded"] {
  const standing = pick(random, ["partner", "partner", "partner", "revoked", "blacklisted"] as const);
  const resourceId = resourceIdOf(`resource-${Math.floor(random.next() * 6)}`);
  return desired({
    peerId,
    resourceId,
    standing,
    relation: standing === "partner" ? "PARTNER" : standing === "revoked" ? "NONE" : "BLACKLIST",
    did: round % 2 === 0 ? (`did:oc:${round}` as Did) : null,
    name: `Zürich-${round}`,
    address: addressOf(peerId, `10.0.0.${round % 250}`),
  });
}

function observeSomething(store: Store, clock: VirtualClock, random: Random): void {
  const peerId = pick(random, PEERS);
  const direction = pick(random, ["outbound", "inbound"] as const);
  observeOpened(store, peerId, direction);
  clock.stall(100);
  for (let repeat = 0; repeat < 3; repeat++) observe(store, openFailed(pick(random, PEERS)));
  observe(store, inboundRefused(pick(random, PEERS)));
  if (random.next() < 0.8) observe(store, closed(peerId, { direction, reason: "expired" }));
}

function pick<Value>(random: Random, values: readonly Value[]): Value {
  const value = values[Math.floor(random.next() * values.length)];
  if (value === undefined) throw new Error("nothing to pick from");
  return value;
}
