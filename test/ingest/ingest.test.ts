import { describe, expect, it } from "vitest";
import { PartnerdError } from "../../src/base/errors.ts";
import type { PeerId } from "../../src/base/ids.ts";
import { DEFAULT_LIMITS, DEFAULT_VOCABULARY } from "../../src/events/vocabulary.ts";
import { Ingest, type IngestResult } from "../../src/ingest/ingest.ts";
import type { ReceivedMessage } from "../../src/ingest/ingest-buffer.ts";
import { VirtualClock } from "../../src/sim/time/virtual-clock.ts";
import type { Store } from "../../src/store/store.ts";
import { TemporaryStore } from "../store/support/temporary-store.ts";
import { CREATE, envelope, REMOVE } from "../support/messages.ts";
import { peerIdOfSeed } from "../support/peer-ids.ts";
import { RecordingLogger } from "../support/recording-logger.ts";

/** The outcome of a batch that the disk refused. */
const RETRY = { retryMs: 1_000 };

const PEER_A = await peerIdOfSeed(1);
const PEER_B = await peerIdOfSeed(2);

const addressOf = (peerId: PeerId) => `/ip4/127.0.0.1/tcp/4011/p2p/${peerId}`;
const partner = (peerId: PeerId, id: string) =>
  envelope({ id, name: "lyon", stream_address: addressOf(peerId), relation: "PARTNER" });

function message(json: unknown, subject = CREATE, dedupeKey: string | null = null): ReceivedMessage {
  const text = typeof json === "string" ? json : JSON.stringify(json);
  return { subject, bytes: new TextEncoder().encode(text), dedupeKey };
}

function setUp(log: Pick<Store, "appendReceived">) {
  const logger = new RecordingLogger();
  const woken: PeerId[] = [];
  const observed: (IngestResult | PartnerdError)[] = [];
  const ingest = new Ingest({
    vocabulary: DEFAULT_VOCABULARY,
    limits: DEFAULT_LIMITS,
    log,
    clock: new VirtualClock(),
    wake: (peerId) => woken.push(peerId),
    logger,
    observer: {
      received: (result) => observed.push(result),
      appendFailed: (error) => observed.push(error),
    },
  });
  return { ingest, logger, woken, observed };
}

describe("Ingest", () => {
  it("logs each ignored integer datatype once and counts its messages, since it may mean PEER", () => {
    using temporary = new TemporaryStore();
    const { ingest, logger } = setUp(temporary.store);
    const of = (datatype: unknown) => message(envelope({}, { Datatype: datatype }));
    ingest.take([of(9), of("WORKFLOW"), of("9"), of(3), of(9)]);
    expect(logger.at("warn").map(({ fields }) => fields)).toEqual([
      { datatype: "9", app: "oc-api" },
      { datatype: "3", app: "oc-api" },
    ]);
    expect(ingest.ignoredDatatypes()).toEqual([
      { datatype: "9", messages: 3 },
      { datatype: "3", messages: 1 },
    ]);
  });

  it("takes nothing on other subjects of the stream for an event, and moves the cursor past it", () => {
    using temporary = new TemporaryStore();
    const { ingest, observed, woken } = setUp(temporary.store);
    const position = { stream: "OC", created: "2026-01-01T00:00:00Z", sequence: 1, messageHash: null };
    ingest.take([{ ...message(partner(PEER_A, "1"), "AUDIT", "created/1"), position }, message("{ not json", "AUDIT")]);
    expect([observed, woken]).toEqual([["other_subject", "other_subject"], []]);
    expect(temporary.store.cursor()?.sequence).toBe(1);
    expect(temporary.read("select type from event_log")).toEqual([]);
  });

  it("counts no more than 64 such datatypes, and those it knows for ever", () => {
    using temporary = new TemporaryStore();
    const { ingest, logger } = setUp(temporary.store);
    const of = (datatype: number) => message(envelope({}, { Datatype: datatype }));
    const all = Array.from({ length: 66 }, (_, index) => of(100 + index));
    ingest.take([...all, ...all]);
    expect(ingest.ignoredDatatypes()).toHaveLength(64);
    expect(new Set(ingest.ignoredDatatypes().map(({ messages }) => messages))).toEqual(new Set([2]));
    expect(logger.at("warn")).toHaveLength(64);
  });

  it("appends the gap before a message first", () => {
    using temporary = new TemporaryStore();
    const { ingest } = setUp(temporary.store);
    const stream = { stream: "OC", streamCreated: "2026-01-01T00:00:00Z" };
    const gap = { type: "DeliveryGap", reason: "purged", ...stream, streamSequence: 1, lastStreamSequence: 2 } as const;
    ingest.take([{ ...message(partner(PEER_A, "1")), gaps: [gap] }]);
    expect(temporary.read("select type from event_log order by seq").map(({ type }) => type)).toEqual([
      "DeliveryGap",
      "PeerDesired",
    ]);
  });

  it("moves the cursor to the first message of a stream", () => {
    using temporary = new TemporaryStore();
    const { ingest } = setUp(temporary.store);
    const position = { stream: "OC", created: "2026-01-01T00:00:00Z", sequence: 1, messageHash: null };
    ingest.take([{ ...message(partner(PEER_A, "1"), CREATE, "created/1"), position }]);
    expect(temporary.store.cursor()?.sequence).toBe(1);
  });

  it("appends desired, removed and rejected messages, counts ignored ones, and wakes the peers concerned", () => {
    using temporary = new TemporaryStore();
    const { ingest, logger, woken, observed } = setUp(temporary.store);
    const outcome = ingest.take([
      message(partner(PEER_A, "1")),
      message(partner(PEER_A, "1")),
      message(envelope({}, { FromApp: "oc-discovery" })),
      message(envelope({}, { Datatype: "WORKFLOW" })),
      message("{ not json"),
      message(envelope({ id: "1" }), REMOVE),
    ]);
    expect(outcome).toBe("done");
    expect(observed).toEqual(["echo", "other_datatype", "changed", "unchanged", "rejected", "changed"]);
    expect(woken).toEqual([PEER_A, PEER_A, PEER_A]);
    expect(logger.lines).toMatchObject([{ level: "warn", fields: { reason: "not_json", subject: CREATE } }]);
    expect(temporary.read("select type, payload from event_log order by seq").map(({ type }) => type)).toEqual([
      "PeerDesired",
      "PeerDesired",
      "EventRejected",
      "PeerRemoved",
    ]);
    expect(temporary.store.get(PEER_A)?.standing).toBe("revoked");
  });

  it("moves the cursor to the newest message of a batch, although the broker redelivered an older one behind it", () => {
    using temporary = new TemporaryStore();
    const { ingest } = setUp(temporary.store);
    const at = (sequence: number): ReceivedMessage => ({
      ...message(partner(PEER_A, "1"), CREATE, `created/${sequence}`),
      position: { stream: "OC", created: "2026-01-01T00:00:00Z", sequence, messageHash: null },
    });
    expect(ingest.take([at(1), at(2), at(3), at(1)])).toBe("done");
    expect(temporary.store.cursor()?.sequence).toBe(3);
    expect(ingest.take([at(4)])).toBe("done");
    expect(temporary.store.head().seq).toBe(4);
  });

  it("reports a fault of the program once, with its stack, and keeps the batch", () => {
    const appendReceived = () => {
      throw new TypeError("a bug");
    };
    const { ingest, logger } = setUp({ appendReceived });
    expect(ingest.take([message("{")])).toEqual(RETRY);
    expect(logger.lines).toHaveLength(1);
    expect(ingest.take([message("{")])).toEqual(RETRY);
    const stack = expect.stringContaining("ingest.test.ts") as string;
    expect(logger.lines).toMatchObject([{ message: "internal error", fields: { part: "ingest", error: "a bug", stack } }]);
  });

  it("takes any error of the database for a failure of the log", () => {
    const appendReceived = () => {
      throw Object.assign(new Error("disk I/O error"), { code: "SQLITE_IOERR" });
    };
    const { ingest } = setUp({ appendReceived });
    expect(ingest.take([message("{")])).toEqual(RETRY);
    expect(ingest.failing?.code).toBe("database_failed");
  });

  it("also wakes the peer that lost its resource to another", () => {
    using temporary = new TemporaryStore();
    const { ingest, woken } = setUp(temporary.store);
    ingest.take([message(partner(PEER_A, "1")), message(partner(PEER_B, "1"))]);
    expect(woken).toEqual([PEER_A, PEER_B, PEER_A]);
  });

  it("counts a redelivered message and wakes no peer", () => {
    using temporary = new TemporaryStore();
    const { ingest, woken, observed } = setUp(temporary.store);
    const once = message(partner(PEER_A, "1"), CREATE, "stream:1");
    ingest.take([once, once]);
    expect(observed).toEqual(["changed", "duplicate"]);
    expect(woken).toEqual([PEER_A]);
  });

  it("takes none of a batch while the log cannot be written, logs that once, and takes it all later", () => {
    using temporary = new TemporaryStore();
    let full = true;
    const { ingest, logger, woken, observed } = setUp({
      appendReceived(batch) {
        if (full) throw new PartnerdError("database_failed", "database or disk is full");
        return temporary.store.appendReceived(batch);
      },
    });
    const batch = [message(partner(PEER_A, "1")), message("nonsense"), message(envelope({}, { FromApp: "oc-discovery" }))];
    expect(ingest.take(batch)).toEqual(RETRY);
    expect(logger.lines).toHaveLength(1);
    expect(ingest.take(batch)).toEqual(RETRY);
    expect(ingest.failing).toMatchObject({ message: "database or disk is full" });
    const failures: readonly unknown[] = [expect.any(PartnerdError), expect.any(PartnerdError)];
    expect(observed).toEqual(failures);
    expect(logger.lines.map(({ level }) => level)).toEqual(["error"]);
    expect(woken).toEqual([]);

    full = false;
    expect(ingest.take(batch)).toBe("done");
    expect(ingest.failing).toBeNull();
    expect(logger.lines.map(({ level }) => level)).toEqual(["error", "info", "warn"]);
    expect(observed).toEqual([...failures, "echo", "changed", "rejected"]);
    expect(woken).toEqual([PEER_A]);
  });

  it("does not write to the log for ignored messages", () => {
    const { ingest } = setUp({
      appendReceived: () => {
        throw new Error("called");
      },
    });
    expect(ingest.take([message(envelope({}, { FromApp: "oc-discovery" }))])).toBe("done");
  });
});
