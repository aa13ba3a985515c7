/** Delivery from a broker stream: cursor, duplicates, late messages, gaps, and what can be proven. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { resourceIdOf } from "../../src/base/ids.ts";
import type { RunId } from "../../src/events/types.ts";
import { deliveryProof, proven } from "../../src/store/fold/delivery-proof.ts";
import { openLogReader } from "../../src/store/log-reader.ts";
import type { BrokerPosition } from "../../src/store/model/cursor.ts";
import { dedupeKeyOf } from "../../src/store/model/dedupe-key.ts";
import type { Received } from "../../src/store/write/receive.ts";
import { PEER_A, PEER_B } from "../support/peers.ts";
import { archiveBefore } from "./support/archiving.ts";
import { addressOf, desired, received, rejected, start } from "./support/events.ts";
import { TemporaryStore } from "./support/temporary-store.ts";

const identity = { stream: "S", created: "2026-01-01T00:00:00Z" };
const cursor = { ...identity, firstSequence: 1, sequence: 0, messageHash: null };
const at = (sequence: number): BrokerPosition => ({ ...identity, sequence, messageHash: `hash-${sequence}` });
const message = (sequence: number, change: Parameters<typeof desired>[0] = {}): Received =>
  received(desired(change), { dedupeKey: dedupeKeyOf(identity, sequence, `hash-${sequence}`), streamSequence: sequence });
const followed = {
  type: "DeliveryChanged",
  reason: "at_least_once",
  stream: identity.stream,
  streamCreated: identity.created,
  streamSequence: 1,
  message: null,
} as const;
const byCore = {
  type: "DeliveryChanged",
  reason: "at_most_once",
  stream: null,
  streamCreated: null,
  streamSequence: null,
  message: "there is no stream",
} as const;
const gap = {
  type: "DeliveryGap",
  reason: "purged",
  stream: identity.stream,
  streamCreated: identity.created,
  streamSequence: 3,
  lastStreamSequence: 4,
} as const;

let temporary: TemporaryStore;
beforeEach(() => {
  temporary = new TemporaryStore();
});
afterEach(() => temporary[Symbol.dispose]());

const typesAndSequences = () => temporary.read("select type, stream_sequence, last_stream_sequence from event_log order by seq");

describe("the cursor", () => {
  it("moves with the batch, survives a restart, and never moves back", () => {
    temporary.store.appendDelivery([followed], cursor);
    temporary.store.appendReceived([message(1), message(2)], at(2));
    expect(temporary.store.cursor()).toEqual({ ...at(2), firstSequence: 1 });
    temporary.store.appendReceived([message(1)], at(1));
    expect(temporary.store.cursor()?.sequence).toBe(2);
    expect(temporary.reopen().cursor()).toEqual({ ...at(2), firstSequence: 1 });
  });

  it("moves past messages that are not logged", () => {
    temporary.store.appendDelivery([followed], cursor);
    expect(temporary.store.appendReceived([], at(7))).toEqual([]);
    expect(temporary.store.cursor()?.sequence).toBe(7);
    expect(temporary.store.head().seq).toBe(1);
  });

  it("does not move if the batch fails", () => {
    temporary.store.appendDelivery([followed], cursor);
    temporary.write("create trigger full before insert on event_log begin select raise(abort, 'no room'); end");
    expect(() => temporary.store.appendReceived([message(1)], at(1))).toThrow("no room");
    expect(temporary.store.cursor()).toEqual(cursor);
    temporary.write("drop trigger full");
    temporary.store.appendReceived([message(1)], at(1));
    expect(temporary.reopen().cursor()?.sequence).toBe(1);
  });
});

describe("a redelivered message", () => {
  it("is a duplicate in the same batch, later, and after a restart", () => {
    temporary.store.appendDelivery([followed], cursor);
    expect(temporary.store.appendReceived([message(1), message(1)], at(1)).map((row) => row === "duplicate")).toEqual([
      false,
      true,
    ]);
    expect(temporary.reopen().appendReceived([message(1)], at(1))).toEqual(["duplicate"]);
  });

  it("is a duplicate after the stream was rewound and is read from the start, also after a restart", () => {
    temporary.store.appendDelivery([followed], cursor);
    temporary.store.appendReceived([message(1), message(2), message(3)], at(3));
    const reused = { ...gap, reason: "reused", streamSequence: 4, lastStreamSequence: null } as const;
    temporary.store.appendDelivery([reused, followed], cursor);
    expect(temporary.store.appendReceived([message(1)], at(1))).toEqual(["duplicate"]);
    expect(temporary.reopen().appendReceived([message(2), message(3)], at(3))).toEqual(["duplicate", "duplicate"]);
    expect(temporary.store.appendReceived([message(4)], at(4))).not.toEqual(["duplicate"]);
  });

  it("is a different message if the stream was rewound and reused the sequence", () => {
    temporary.store.appendReceived([message(1)], at(1));
    const reused = { ...message(1), dedupeKey: dedupeKeyOf(identity, 1, "another") };
    expect(temporary.store.appendReceived([reused], at(1))).not.toEqual(["duplicate"]);
  });
});

describe("a message that arrives after later ones of its stream", () => {
  const late = (change: Parameters<typeof desired>[0]) => temporary.store.appendReceived([message(2, change)], at(2))[0];

  beforeEach(() => {
    temporary.store.appendDelivery([followed], cursor);
    temporary.store.appendReceived([message(1), message(5, { relation: "NONE", standing: "revoked" })], at(5));
  });

  it("is kept, but does not undo what they said about the same peer", () => {
    expect(late({})).toMatchObject({ event: { type: "EventRejected", reason: "outdated" }, streamSequence: 2, causeSeq: 3 });
    expect(temporary.read("select cause_seq from event_log where reason = 'outdated'")).toEqual([{ cause_seq: 3 }]);
    expect(temporary.store.get(PEER_A)?.standing).toBe("revoked");
    expect(temporary.store.verifyProjections()).toEqual([]);
  });

  it("is kept, but does not undo what they said about the same resource", () => {
    expect(late({ peerId: PEER_B, address: addressOf(PEER_B) })).toMatchObject({ event: { reason: "outdated" }, causeSeq: 3 });
  });

  it("takes effect if they said nothing about its peer", () => {
    expect(late({ peerId: PEER_B, address: addressOf(PEER_B), resourceId: resourceIdOf("b") })).toMatchObject({
      event: { type: "PeerDesired" },
      effect: "changed",
    });
    expect(temporary.store.cursor()?.sequence).toBe(5);
  });

  it("is an ordinary rejected event if it was unusable anyway", () => {
    const unusable = received(rejected(), { dedupeKey: "k", streamSequence: 2 });
    expect(temporary.store.appendReceived([unusable], at(2))[0]).toMatchObject({ event: { reason: "not_json" } });
  });
});

describe("a gap", () => {
  it("is logged at the point where it was found, in the same transaction as the rows after it", () => {
    temporary.store.appendReceived([message(2), gap, message(5)], at(5));
    expect(typesAndSequences()).toEqual([
      { type: "PeerDesired", stream_sequence: 2, last_stream_sequence: null },
      { type: "DeliveryGap", stream_sequence: 3, last_stream_sequence: 4 },
      { type: "PeerDesired", stream_sequence: 5, last_stream_sequence: null },
    ]);
    expect(temporary.store.verifyProjections()).toEqual([]);
  });
});

describe("messages that are compared with the stream", () => {
  const known = (sequence: number) => temporary.store.knownMessages(identity, sequence, 4).map((each) => each.sequence);
  const rewound = { ...gap, reason: "reused", streamSequence: 4, lastStreamSequence: null } as const;

  it("are the newest, but none of before the stream was rewound: it reuses their sequences", () => {
    temporary.store.appendDelivery([followed], cursor);
    temporary.store.appendReceived([message(1), message(2), message(3)], at(3));
    expect(known(3)).toEqual([3, 2]);
    temporary.store.appendDelivery([rewound, followed], cursor);
    expect(known(3)).toEqual([]);
    const again = received(desired(), { dedupeKey: dedupeKeyOf(identity, 2, "hash-of-another"), streamSequence: 2 });
    // The first message of the rewound stream is ignored, and leaves no row.
    temporary.store.appendReceived([again], at(2));
    expect(known(1)).toEqual([]);
    expect(known(2)).toEqual([2]);
  });

  it.each([
    ["above", "ibid-1"],
    ["below", "early-1"],
  ])("are found if a message of before the rewind has the same sequence, and the new key is %s the old one", (_, messageHash) => {
    temporary.store.appendDelivery([followed], cursor);
    temporary.store.appendReceived([message(1), message(2), message(3)], at(3));
    temporary.store.appendDelivery([rewound, followed], cursor);
    const again = received(desired(), { dedupeKey: dedupeKeyOf(identity, 1, messageHash), streamSequence: 1 });
    temporary.store.appendReceived([again], { ...identity, sequence: 1, messageHash });
    for (const upTo of [1, 2, 3])
      expect(temporary.store.knownMessages(identity, upTo, 4), `up to ${upTo}`).toEqual([{ sequence: 1, messageHash }]);
  });
});

describe("messages from core NATS before the stream was followed", () => {
  const bytes = (text: string) => Buffer.from(text);
  const byCoreNats = (text: string) => received(rejected(), { payload: bytes(text) });
  const ofStream = (sequence: number, text: string): Received => ({ ...message(sequence), payload: bytes(text) });

  beforeEach(() => {
    temporary.store.appendDelivery([byCore]);
    temporary.store.appendReceived([byCoreNats("a"), byCoreNats("b"), byCoreNats("a")]);
  });

  it("are not appended again; each row matches one stream message", () => {
    temporary.store.appendDelivery([followed], { ...cursor, created: new Date(temporary.clock.wallMs()).toISOString() }, 9);
    const answers = temporary.store.appendReceived(
      [ofStream(1, "a"), ofStream(2, "b"), ofStream(3, "a"), ofStream(4, "a")],
      at(4),
    );
    expect(answers.map((answer) => answer === "duplicate")).toEqual([true, true, true, false]);
  });

  it("from an earlier core-NATS period, which were already deduplicated, match nothing", () => {
    const created = new Date(temporary.clock.wallMs()).toISOString();
    temporary.store.appendDelivery([followed], { ...cursor, created }, 3);
    const inStream = (sequence: number, text: string) =>
      temporary.store.appendReceived([ofStream(sequence, text)], { ...at(sequence), created })[0] === "duplicate";
    expect([inStream(1, "a"), inStream(2, "b"), inStream(3, "a")]).toEqual([true, true, true]);
    temporary.store.appendDelivery([byCore]);
    temporary.store.appendReceived([byCoreNats("b")]);
    temporary.store.appendDelivery([followed], { ...at(3), created, firstSequence: 1 }, 5);
    expect([inStream(4, "a"), inStream(5, "b")]).toEqual([false, true]);
  });

  it("match nothing that was published later, nor a stream that was created later", () => {
    temporary.store.appendDelivery([followed], cursor, 1);
    expect(temporary.store.appendReceived([ofStream(2, "a")], at(2))[0]).not.toBe("duplicate");
    temporary.store.appendDelivery([byCore]);
    const later = new Date(temporary.clock.wallMs() + 60_000).toISOString();
    temporary.store.appendDelivery([followed], { ...cursor, created: later }, 9);
    expect(temporary.store.appendReceived([ofStream(3, "b")], at(3))[0]).not.toBe("duplicate");
  });
});

describe("the proof of delivery", () => {
  const proof = () => deliveryProof(temporary.store.cursor(), temporary.store.deliveries());

  it("is empty before there is a stream", () => {
    expect(proven(proof())).toBe("completeness cannot be proved");
    temporary.store.appendDelivery([byCore]);
    expect(proof()).toMatchObject({ delivery: "at_most_once", cursor: null, missing: [], spans: [{ untilMs: null }] });
    expect(proven(proof())).toBe("completeness cannot be proved");
  });

  it("names the span of the stream, its gaps, and periods of at-most-once delivery", () => {
    temporary.store.appendDelivery([byCore]);
    temporary.store.appendDelivery([followed], cursor);
    expect(proven(proof())).toBe("no message received from stream S yet");
    temporary.store.appendReceived([message(1)], at(1));
    expect(proven(proof())).toBe("sequence 1 of stream S is in the log, no gap, no reuse");
    temporary.store.appendReceived([message(2), gap, message(5)], at(5));
    expect(proven(proof())).toBe("sequences 1 to 5 of stream S are in the log, 1 gap, no reuse");
    expect(proof().missing).toMatchObject([{ reason: "purged", firstSequence: 3, lastSequence: 4 }]);
    expect(proof().spans.map(({ delivery, untilMs }) => [delivery, untilMs === null])).toEqual([
      ["at_most_once", false],
      ["at_least_once", true],
    ]);
  });
});

it("a rollback and a clone are read as they were recorded, and a rollback is part of the proof", () => {
  const rolledBack = {
    type: "LogRolledBack",
    reason: "acknowledged",
    stream: identity.stream,
    streamCreated: identity.created,
    streamSequence: 1,
    lastStreamSequence: 9,
  } as const;
  const clone = { type: "CloneSeen", reason: "published_head", details: { otherRun: "other" } } as const;
  temporary.store.appendDelivery([followed, rolledBack], cursor);
  temporary.store.appendDelivery([clone]);
  using reader = openLogReader(temporary.directory);
  const all = { fromSeq: 1, toSeq: 9, peerIds: [] };
  expect([...reader.rows(all)].map(({ event }) => event)).toEqual([followed, rolledBack, clone]);
  const proof = deliveryProof(temporary.store.cursor(), temporary.store.deliveries());
  expect(proof.rollbacks).toMatchObject([{ reason: "acknowledged", stream: "S", firstSequence: 1, lastSequence: 9 }]);
});

it("the run of a clone is known, and the run that has seen it", () => {
  start(temporary.store, { run: "ours" as RunId });
  temporary.store.appendDelivery([{ type: "CloneSeen", reason: "published_head", details: { otherRun: "other" } }]);
  expect([temporary.store.clonesSeen(), temporary.store.contestedRuns()]).toEqual([["other"], ["other", "ours"]]);
});

it("the newest messages of a stream are known, archived or not", async () => {
  temporary.store.appendDelivery([followed], cursor);
  temporary.store.appendReceived([message(1), message(2), message(3), message(4)], at(4));
  const newest = [4, 3].map((sequence) => ({ sequence, messageHash: `hash-${sequence}` }));
  expect(temporary.store.knownMessages(identity, 4, 2)).toEqual(newest);
  await archiveBefore(temporary.directory, 5);
  expect(temporary.store.knownMessages(identity, 4, 2)).toEqual(newest);
});
