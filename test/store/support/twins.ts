/** Two logs with the same story, one of them archived: how to compare them, and what can happen to both. */
import { hash } from "node:crypto";
import fc from "fast-check";
import { resourceIdOf } from "../../../src/base/ids.ts";
import { deliveryProof } from "../../../src/store/fold/delivery-proof.ts";
import { dedupeKeyOf, messageHash } from "../../../src/store/model/dedupe-key.ts";
import type { LogEntry } from "../../../src/store/model/log-entry.ts";
import type { Store } from "../../../src/store/store.ts";
import type { Received } from "../../../src/store/write/receive.ts";
import type { Twin } from "./archiving.ts";
import {
  addressOf,
  desired,
  learned,
  observe,
  observeClosed,
  observeOpened,
  openFailed,
  received,
  rejected,
  removed,
} from "./events.ts";
import { PEERS, STREAM } from "./long-log.ts";

const FILLER = "in the place of a LogArchived";

/** Takes the seq in the one log that LogArchived takes in the other. */
export function appendFiller(store: Store): void {
  store.appendReceived([received(rejected({ message: FILLER }))]);
}

/** A row without its hash, because hashes differ after the first LogArchived. */
function said(answer: LogEntry | string): unknown {
  return typeof answer === "string" ? answer : { ...answer, chainHash: null };
}

/** Everything that must not depend on how much of the log is archived. */
export function stateOf(twin: Twin): unknown {
  const { store } = twin;
  return {
    desired: store.list(),
    statuses: store.statuses(),
    cursor: store.cursor(),
    proof: deliveryProof(store.cursor(), store.deliveries()),
    deliveries: store.deliveries().map(said),
    views: ["desired_peers", "peer_status", "peer_programs", "delivery_changes", "delivery_gaps"].map((view) =>
      twin.read(`select * from ${view}`),
    ),
  };
}

/** The rows of the views after row `lastSeq`, and about streams that were open there. */
export function historyBehind(twin: Twin, lastSeq: number): unknown {
  const isStory = `type <> 'LogArchived' and summary not like '%${FILLER}'`;
  return {
    history: twin.read(`select * from peer_history where seq > ? and ${isStory}`, lastSeq),
    relations: twin.read("select * from relation_changes where seq > ?", lastSeq),
    rejected: twin.read("select * from rejected_events where seq > ? and message <> ?", lastSeq, FILLER),
    sessions: twin.read(
      "select * from session_periods where valid_from_seq > ? or valid_to_seq > ? or valid_to_seq is null order by valid_from_seq",
      lastSeq,
      lastSeq,
    ),
  };
}

/** All stream messages in the log. */
export function streamMessages(twin: Twin): readonly Received[] {
  const rows = twin.read("select dedupe_key, stream_sequence, payload from event_log where dedupe_key is not null");
  return rows.map(({ dedupe_key, stream_sequence, payload }) => {
    const place = { dedupeKey: String(dedupe_key), streamSequence: Number(stream_sequence) };
    return received(rejected(), { ...place, payload: payload as Buffer });
  });
}

/** Something that happens to a log. Returns the outcome. */
export type Step = (twin: Twin) => unknown;

const peer = fc.constantFrom(...PEERS);
const resource = fc.option(fc.integer({ min: 0, max: 7 }).map((number) => resourceIdOf(`resource-${number}`)));
const OTHER_STREAM = { ...STREAM, created: "2026-01-01T11:00:00.5Z" };

/** A stream message: late or not, known or not, from this stream or a recreated one. `stored` distinguishes messages with the same sequence. */
const fromStream = fc
  .record({
    peerId: fc.option(peer),
    resourceId: resource,
    isRemoval: fc.boolean(),
    sequence: fc.integer({ min: 1, max: 150 }),
    stored: fc.integer({ min: 0, max: 2 }),
    stream: fc.constantFrom(STREAM, STREAM, STREAM, OTHER_STREAM),
    copies: fc.integer({ min: 1, max: 2 }),
  })
  .map(({ peerId, resourceId, isRemoval, sequence, stored, stream, copies }): Step => {
    const isRemoved = isRemoval || peerId === null;
    const decoded = isRemoved
      ? removed({ peerId, resourceId })
      : desired({ peerId, resourceId, name: `late-${sequence}`, address: addressOf(peerId) });
    const message = received(decoded, { streamSequence: sequence });
    const hashOfIt = messageHash(`17672616000000000${stored}`, hash("sha256", message.payload, "hex"));
    const keyed = { ...message, dedupeKey: dedupeKeyOf(stream, sequence, hashOfIt) };
    const position = { ...stream, sequence, messageHash: hashOfIt };
    return ({ store }) =>
      store
        .appendReceived(
          Array.from({ length: copies }, () => keyed),
          position,
        )
        .map(said);
  });

export const anyStep: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: fromStream },
  {
    weight: 2,
    arbitrary: fc.record({ peerId: fc.option(peer), resourceId: resource }).map(
      (change): Step =>
        ({ store }) =>
          store.appendReceived([received(removed(change))]).map(said),
    ),
  },
  {
    weight: 2,
    arbitrary: fc.tuple(peer, fc.constantFrom("outbound", "inbound")).map(
      ([peerId, direction]): Step =>
        ({ store }) =>
          said(observeClosed(store, peerId, { direction }) ?? "not open"),
    ),
  },
  {
    weight: 1,
    arbitrary: peer.map(
      (peerId): Step =>
        ({ store }) =>
          said(observeOpened(store, peerId)),
    ),
  },
  {
    weight: 1,
    arbitrary: peer.map(
      (peerId): Step =>
        ({ store }) =>
          said(observe(store, openFailed(peerId))),
    ),
  },
  {
    weight: 1,
    arbitrary: fc.tuple(peer, fc.constantFrom("one/1", "two/2")).map(
      ([peerId, agent]): Step =>
        ({ store }) =>
          said(observe(store, learned(peerId, { agent }))),
    ),
  },
  {
    weight: 1,
    arbitrary: fc.integer({ min: 1, max: 5_000 }).map(
      (byMs): Step =>
        ({ clock }) =>
          clock.stall(byMs),
    ),
  },
);
