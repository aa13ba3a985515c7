/** The views of the API and the gauges of the metrics, built from the daemon's parts. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { PartnerdError } from "../../src/base/errors.ts";
import { didOf, type PeerId } from "../../src/base/ids.ts";
import type { HealthFacts, NatsFacts } from "../../src/daemon/health.ts";
import { gaugesOf, peerViews, type ViewSources, viewsOf } from "../../src/daemon/views.ts";
import { memoryLimits } from "../../src/daemon/watch/memory-limit.ts";
import { GAP_REASONS } from "../../src/events/delivery/delivery-events.ts";
import type { SourceFacts } from "../../src/nats/event-source.ts";
import type { PeerSnapshot } from "../../src/p2p/registry/registry.ts";
import type { KeyProgress } from "../../src/reconciler/options.ts";
import type { LogEntry } from "../../src/store/model/log-entry.ts";
import type { PeerDetailView } from "../../src/views/api.ts";
import { append, closed, desired, learned, observe, opened, openFailed, rejected } from "../store/support/events.ts";
import { TemporaryStore } from "../store/support/temporary-store.ts";
import { ATTEMPT } from "../support/attempts.ts";
import { PEER_A, PEER_B, PEER_C } from "../support/peers.ts";
import { RecordingLogger } from "../support/recording-logger.ts";

const NOON = "2026-01-01T12:00:00.000Z";
const IDLE: KeyProgress = { opening: false, attempts: 0, nextAttemptAtMs: null, lastFailure: null };
const SELF = { peerId: PEER_C, addresses: [], name: "c", did: "did:c", version: "1.0.0", startedAt: NOON };
const SOURCE: SourceFacts = {
  from: "jetstream",
  reading: true,
  restarting: false,
  loop: null,
  impairment: null,
  problem: null,
  behind: 12,
  restarts: 3,
  rereading: { sequence: 4, untilSequence: 9 },
};
const NATS: NatsFacts = {
  status: { state: "connected", server: "nats:4222", sinceMs: 0, reconnects: 0, lastError: null },
  source: SOURCE,
  proof: { cursor: null, delivery: null, missing: [], rollbacks: [], spans: [] },
  dropped: 0,
};
const DENIED = new PartnerdError("nats_denied", "denied", { nextStep: "allow it" });
const STREAM = { stream: "OC", streamCreated: NOON, streamSequence: 2 } as const;

let temporary: TemporaryStore;
let logger: RecordingLogger;
let health: HealthFacts;
let snapshot: PeerSnapshot[];
let progress: Map<PeerId, KeyProgress>;
let isStarted: boolean;
let stuckMs: number;
let sources: ViewSources;

beforeEach(() => {
  temporary = new TemporaryStore();
  logger = new RecordingLogger();
  health = {
    logFailing: null,
    headSeq: 1,
    headFailing: null,
    keptHeads: null,
    addresses: ["/ip4/127.0.0.1/tcp/4011"],
    connections: null,
    descriptorsExhausted: false,
    nats: null,
  };
  snapshot = [];
  progress = new Map();
  isStarted = false;
  stuckMs = 0;
  sources = {
    clock: temporary.clock,
    logger,
    store: temporary.store,
    streams: { snapshot: () => snapshot, connectionCount: () => 7 },
    reconciler: { progress: (peerId) => progress.get(peerId) ?? IDLE, inFlightCount: 4, stuckForMs: () => stuckMs },
    self: SELF,
    dialect: { heartbeatFields: "both", heartbeatTimestamp: "unix", challenge: "require" },
    health: () => health,
    started: () => isStarted,
    consumer: "durable",
    resync: () => true,
    ignoredDatatypes: () => [{ datatype: "9", messages: 1 }],
  };
});
afterEach(() => temporary[Symbol.dispose]());

const views = () => viewsOf(sources, () => Promise.resolve({ contentType: "text/plain", text: "up 1" }));
const openStream = { did: didOf("did:b"), openedAtMs: 0, expiresAtMs: 10_000, proven: true };
/** Puts PEER_A, a partner with an open stream, PEER_B, which is revoked, and a stranger with an inbound stream in place. */
function populate(): void {
  append(temporary.store, desired());
  append(temporary.store, desired({ peerId: PEER_B, resourceId: null, standing: "revoked", relation: "NONE" }));
  snapshot = [
    { peerId: PEER_C, outbound: null, inbound: openStream },
    { peerId: PEER_A, outbound: openStream, inbound: null },
  ];
}

describe("the gauges", () => {
  const gauges = () => Object.fromEntries(gaugesOf(sources).map((gauge) => [gauge.name, gauge.read()]));
  const NO_GAPS = Object.fromEntries(GAP_REASONS.map((reason) => [reason, 0]));

  it("are all zero before anything happened", () => {
    expect(gauges()).toEqual({
      desired_partners: 0,
      inbound_streams: 0,
      connections: 7,
      operations_in_flight: 4,
      nats_connected: 0,
      event_log_head_seq: 0,
      event_log_head_hash: Number.parseInt(temporary.store.head().chainHash.slice(0, 12), 16),
      event_log_head_published_seq: 0,
      memory_limit_bytes: memoryLimits().limitBytes ?? 0,
      heap_limit_bytes: memoryLimits().heapLimitBytes,
      wal_bytes: temporary.store.walBytes(),
      delivery_at_least_once: 0,
      stream_sequence: 0,
      stream_behind: 0,
      stream_restarts: 0,
      delivery_gaps: NO_GAPS,
      log_rollbacks: 0,
      peers: { established: 0, opening: 0, backoff: 0, closed: 0 },
    });
  });

  it("count peers by phase, partners, inbound streams, and what is missing", () => {
    populate();
    append(temporary.store, desired({ peerId: PEER_C, resourceId: null, standing: "revoked", relation: "NONE" }));
    snapshot.push({ peerId: PEER_B, outbound: null, inbound: openStream });
    progress.set(PEER_B, { ...IDLE, opening: true });
    const message = null;
    temporary.store.appendDelivery(
      [
        { type: "DeliveryChanged", reason: "at_least_once", ...STREAM, message },
        { type: "DeliveryGap", reason: "purged", ...STREAM, lastStreamSequence: 3 },
        { type: "DeliveryGap", reason: "purged", ...STREAM, lastStreamSequence: 4 },
        { type: "LogRolledBack", reason: "acknowledged", ...STREAM, lastStreamSequence: 5 },
      ],
      { stream: "OC", created: NOON, firstSequence: 2, sequence: 8, messageHash: null },
    );
    health = { ...health, nats: NATS, keptHeads: { seq: 6, failing: null, cloned: null } };
    const { seq, chainHash } = temporary.store.head();
    expect(gauges()).toMatchObject({
      desired_partners: 1,
      inbound_streams: 2,
      nats_connected: 1,
      event_log_head_seq: seq,
      // Twelve hexadecimal digits: a double holds them exactly.
      event_log_head_hash: Number(`0x${chainHash.slice(0, 12)}`),
      event_log_head_published_seq: 6,
      delivery_at_least_once: 1,
      stream_sequence: 8,
      stream_behind: 12,
      stream_restarts: 3,
      delivery_gaps: { ...NO_GAPS, purged: 2 },
      log_rollbacks: 1,
      peers: { established: 1, opening: 1, backoff: 0, closed: 1 },
    });
    const labels = gaugesOf(sources).flatMap((gauge) => ("label" in gauge ? [[gauge.name, gauge.label]] : []));
    expect(labels).toEqual([
      ["delivery_gaps", "reason"],
      ["peers", "phase"],
    ]);
  });

  it("do not call a lost connection, or core NATS, delivery at least once", () => {
    health = { ...health, nats: { ...NATS, status: { ...NATS.status, state: "connecting" } } };
    const change = { stream: null, streamCreated: null, streamSequence: null, message: "no stream" };
    temporary.store.appendDelivery([{ type: "DeliveryChanged", reason: "at_most_once", ...change }]);
    expect(gauges()).toMatchObject({ nats_connected: 0, delivery_at_least_once: 0 });
  });
});

describe("the peers", () => {
  it("are those of the log and those with a stream, by PeerID", () => {
    populate();
    const peers = peerViews(sources);
    expect(peers.map(({ peerId, standing, phase }) => [peerId, standing, phase])).toEqual([
      [PEER_A, "partner", "established"],
      [PEER_B, "revoked", "closed"],
      [PEER_C, null, "closed"],
    ]);
    expect(views().peers()).toEqual({ peers });
    expect(views().self()).toBe(SELF);
  });

  it("have wall times, also where the reconciler has monotonic ones", () => {
    populate();
    snapshot = [];
    progress.set(PEER_A, { ...IDLE, attempts: 1, nextAttemptAtMs: 2_000 });
    expect(views().peer(PEER_A)).toMatchObject({ phase: "backoff", nextAttemptAt: "2026-01-01T12:00:02.000Z" });
  });

  it("are undefined if neither an event nor a stream names them", () => {
    populate();
    expect(views().peer("unknown" as PeerId)).toBeUndefined();
    expect(views().peer(PEER_C)).toMatchObject({ peerId: PEER_C, learned: null, history: [] });
  });

  it("have their newest 100 rows, newest first, and what their program shows", () => {
    append(temporary.store, desired());
    observe(temporary.store, learned(PEER_A, { heartbeatFields: "snake" }));
    for (let turn = 0; turn < 50; turn++) {
      observe(temporary.store, opened(PEER_A));
      observe(temporary.store, closed(PEER_A, { reason: "reset", durationMs: 100 }));
    }
    const { history, learned: facts, acceptsStreams } = views().peer(PEER_A) as PeerDetailView;
    expect(history).toHaveLength(100);
    expect(history[0]).toMatchObject({ seq: 102, type: "StreamClosed" });
    // It resets our streams at once, so it might want the spelling that it uses itself.
    expect([acceptsStreams, facts?.advice.map(({ setting }) => setting)]).toEqual([false, ["p2p.heartbeat.fields"]]);
  });
});

describe("a row of a peer's history", () => {
  const NOTHING = { claimedUser: null, effect: null, relation: null, standing: null, direction: null, reason: null };
  const UNTIMED = { message: null, attempt: null, durationMs: null, causeSeq: null, openedSeq: null };
  const OWN = { ...NOTHING, ...UNTIMED, app: "oc-partnerd", at: NOON };
  const rowsOf = (peerId: PeerId) => views().peer(peerId)?.history.toReversed();

  it("has the facts that its event has, and null for the others", () => {
    const relation = { relation: "PARTNER", standing: "partner" };
    append(temporary.store, desired({ claimedUser: "ada" }));
    observe(temporary.store, openFailed(PEER_A, { details: { streamEnd: "reset", errorName: null } }));
    observe(temporary.store, opened(PEER_A));
    observe(temporary.store, closed(PEER_A));
    observe(temporary.store, learned(PEER_A));
    const direction = "outbound";
    const tried = { attempt: ATTEMPT.id, durationMs: 10_000, causeSeq: 1 };
    const program = "its program: go-oc-discovery/1.4, heartbeat fields go, timestamp unix, challenge passed";
    expect(rowsOf(PEER_A)).toEqual([
      { ...OWN, seq: 1, type: "PeerDesired", app: "oc-api", claimedUser: "ada", effect: "changed", ...relation },
      { ...OWN, ...tried, seq: 2, type: "OpenFailed", reason: "timeout", message: "no answer within 10 s (reset)" },
      { ...OWN, ...tried, seq: 3, type: "StreamOpened", direction, durationMs: 380 },
      { ...OWN, ...tried, seq: 4, type: "StreamClosed", direction, reason: "expired", openedSeq: 3 },
      { ...OWN, seq: 5, type: "PeerLearned", causeSeq: 1, message: program },
    ]);
  });

  it("says which addresses of a partner are not dialled, and only of a partner", () => {
    const address = `/ip4/10.0.0.1/udp/4001/quic-v1/p2p/${PEER_A}` as never;
    append(temporary.store, desired({ address }));
    append(temporary.store, desired({ address, standing: "revoked", relation: "NONE" }));
    append(temporary.store, desired({ address: null, standing: "partner" }));
    const skipped = `not dialled, because it is not TCP: ${address}`;
    expect(rowsOf(PEER_A)?.map(({ message }) => message)).toEqual([skipped, null, null]);
  });

  it.each([
    [1, "1 earlier event is in archive.gz"],
    [2, "2 earlier events are in archive.gz"],
  ])("that stands for %i archived rows names their file", (events, message) => {
    append(temporary.store, desired());
    const entry = append(temporary.store, rejected());
    const archived = { ...entry, event: { type: "LogArchived", details: { events, file: "archive.gz" } } } as LogEntry;
    sources = { ...sources, store: { ...temporary.store, history: () => [entry, archived] } };
    expect(rowsOf(PEER_A)).toMatchObject([
      { type: "LogArchived", reason: null, message },
      { type: "EventRejected", reason: "not_json", message: "the message is not JSON" },
    ]);
  });
});

describe("the delivery", () => {
  const NONE = { server: null, reading: false, problem: null, stream: null, behind: null, rereading: null };
  const SETTLED = { consumer: "durable", ignoredDatatypes: [{ datatype: "9", messages: 1 }] };
  const EMPTY = { missing: [], rollbacks: [], spans: [] };

  it("is unknown before NATS is", () => {
    const proven = "completeness cannot be proved";
    expect(views().delivery()).toEqual({ ...NONE, ...SETTLED, ...EMPTY, delivery: null, headSeq: 0, proven });
    expect(views().resync()).toBe(true);
  });

  it("has the stream, what is proven and missing, and each span", () => {
    const core = { stream: null, streamCreated: null, streamSequence: null, message: "there is no stream" };
    temporary.store.appendDelivery([{ type: "DeliveryChanged", reason: "at_most_once", ...core }]);
    temporary.clock.advanceSync(1_000);
    const cursor = { stream: "OC", created: NOON, firstSequence: 2, sequence: 8, messageHash: null };
    temporary.store.appendDelivery(
      [
        { type: "DeliveryChanged", reason: "at_least_once", ...STREAM, message: null },
        { type: "DeliveryGap", reason: "purged", ...STREAM, lastStreamSequence: 3 },
        { type: "LogRolledBack", reason: "acknowledged", ...STREAM, lastStreamSequence: 5 },
      ],
      cursor,
    );
    health = { ...health, nats: NATS };
    const at = "2026-01-01T12:00:01.000Z";
    const text = expect.any(String) as string;
    expect(views().delivery()).toEqual({
      ...SETTLED,
      delivery: "at_least_once",
      server: "nats:4222",
      reading: true,
      problem: null,
      stream: { name: "OC", created: NOON, firstSequence: 2, sequence: 8 },
      behind: 12,
      rereading: { sequence: 4, untilSequence: 9 },
      headSeq: 4,
      proven: "sequences 2 to 8 of stream OC are in the log, 1 gap, no reuse, 1 rollback",
      missing: [{ reason: "purged", stream: "OC", firstSequence: 2, lastSequence: 3, at, message: text }],
      rollbacks: [{ reason: "acknowledged", stream: "OC", firstSequence: 2, lastSequence: 5, at, message: text }],
      spans: [
        { delivery: "at_most_once", since: NOON, until: at, message: text },
        { delivery: "at_least_once", since: at, until: null, message: text },
      ],
    });
  });

  it.each<[string, () => Partial<HealthFacts>]>([
    ["the stream cannot be read", () => ({ nats: { ...NATS, source: { ...SOURCE, problem: DENIED } } })],
    ["not all of it is read", () => ({ nats: { ...NATS, source: { ...SOURCE, impairment: DENIED } } })],
    ["a clone publishes our heads", () => ({ keptHeads: { seq: null, failing: null, cloned: DENIED } })],
  ])("names the problem if %s", (_, change) => {
    health = { ...health, ...change() };
    expect(views().delivery().problem).toEqual({ code: "nats_denied", message: "denied", nextStep: "allow it" });
  });
});

describe("the health", () => {
  it("tells whether the daemon has started, works, and is ready", () => {
    expect(views().startup()).toMatchObject([{ name: "start", ok: false }]);
    isStarted = true;
    expect(views().startup()).toMatchObject([{ name: "start", ok: true }]);
    expect(views().liveness()).toMatchObject([{ name: "reconciler", ok: true }]);
    stuckMs = 60_000;
    expect(views().liveness()).toMatchObject([{ name: "reconciler", ok: false }]);
    expect(
      views()
        .readiness()
        .map(({ name }) => name),
    ).toEqual(["event_log", "p2p", "connections", "nats"]);
  });

  it.each([
    [
      "of the disk",
      new PartnerdError("database_failed", "disk I/O error", { nextStep: "mend it" }),
      "disk I/O error; mend it",
      0,
    ],
    ["of ours", new TypeError("a bug"), "a bug", 1],
  ])("fails if the log cannot be read because of a mistake %s", (_, error, message, faults) => {
    sources = {
      ...sources,
      health: () => {
        throw error;
      },
    };
    expect(views().readiness()).toEqual([{ name: "event_log", ok: false, message }]);
    expect(logger.lines).toHaveLength(faults);
    for (const line of logger.lines) expect(line).toMatchObject({ message: "internal error", fields: { part: "http" } });
  });

  it("passes the metrics on", async () => {
    expect(await views().metrics()).toEqual({ contentType: "text/plain", text: "up 1" });
  });
});
