/** Builds the views of the HTTP API from the daemon's parts. */
import type { Clock } from "../base/clock.ts";
import { isFault, toPartnerdError } from "../base/errors.ts";
import type { PeerId } from "../base/ids.ts";
import type { Logger } from "../base/log.ts";
import { dialability } from "../base/net/tcp-endpoint.ts";
import { counted, isoTime } from "../base/units.ts";
import type { GapReason } from "../events/delivery/delivery-events.ts";
import type { LogEvent } from "../events/types.ts";
import type { IgnoredDatatype } from "../ingest/ingest.ts";
import type { PeerSnapshot } from "../p2p/registry/registry.ts";
import type { Reconciler } from "../reconciler/reconciler.ts";
import { type DeliveryProof, deliveryProof, proven } from "../store/fold/delivery-proof.ts";
import type { LogEntry } from "../store/model/log-entry.ts";
import type { Store } from "../store/store.ts";
import type { OwnDialect } from "../views/advice.ts";
import type { DeliveryView, HistoryView, PeerDetailView, PeerView, Phase, SelfView } from "../views/api.ts";
import { missingSentence, rollbackSentence, spanSentence } from "../views/delivery-sentences.ts";
import { learnedSentence } from "../views/learned-sentence.ts";
import {
  acceptsStreams,
  failureSentence,
  learnedView,
  type PeerFacts,
  peerView,
  phaseOf,
  skippedSentence,
} from "../views/peers.ts";
import type { GaugeView, Views } from "../views/views.ts";
import { type HealthFacts, liveness, readiness, startup, unreadable } from "./health.ts";
import { memoryLimits } from "./watch/memory-limit.ts";

/** Rows of history in the view of a peer. */
const HISTORY_ROWS = 100;

/** 48 bits, which the floating-point value of a metric holds exactly. */
const HEAD_HASH_CHARS = 12;

export interface ViewSources {
  readonly clock: Clock;
  readonly logger: Pick<Logger, "fault">;
  readonly store: Store;
  readonly streams: { snapshot(): Iterable<PeerSnapshot>; connectionCount(): number };
  readonly reconciler: Pick<Reconciler, "progress" | "inFlightCount" | "stuckForMs">;
  readonly self: SelfView;
  readonly dialect: OwnDialect;
  readonly health: () => HealthFacts;
  readonly started: () => boolean;
  /** The durable consumer's name. */
  readonly consumer: string;
  readonly resync: () => boolean;
  readonly ignoredDatatypes: () => readonly IgnoredDatatype[];
}

export function gaugesOf(
  sources: Omit<ViewSources, "logger" | "self" | "dialect" | "started" | "consumer" | "resync" | "ignoredDatatypes">,
): readonly GaugeView[] {
  const { store, streams, reconciler } = sources;
  const proof = () => deliveryProof(store.cursor(), store.deliveries());
  const nats = () => sources.health().nats;
  const gauge = (name: string, help: string, read: () => number): GaugeView => ({ name, help, read });
  return [
    gauge(
      "desired_partners",
      "Peers that the log desires as partners",
      () => store.list().filter(({ standing }) => standing === "partner").length,
    ),
    gauge(
      "inbound_streams",
      "Inbound partner streams that are open",
      () => [...streams.snapshot()].filter(({ inbound }) => inbound !== null).length,
    ),
    gauge("connections", "Open libp2p connections", () => streams.connectionCount()),
    gauge("operations_in_flight", "Operations of the reconciler in progress", () => reconciler.inFlightCount),
    gauge("nats_connected", "1 while connected to NATS", () => Number(nats()?.status.state === "connected")),
    gauge("event_log_head_seq", "Sequence number of the newest event in the log", () => store.head().seq),
    gauge("event_log_head_hash", "The first 48 bits of the newest event's chain hash, as a number", () =>
      Number.parseInt(store.head().chainHash.slice(0, HEAD_HASH_CHARS), 16),
    ),
    gauge(
      "event_log_head_published_seq",
      "Sequence number of the newest head that NATS has stored in this run, 0 if none",
      () => sources.health().keptHeads?.seq ?? 0,
    ),
    gauge(
      "memory_limit_bytes",
      "The memory that the daemon's cgroup allows, 0 if it has no limit",
      () => memoryLimits().limitBytes ?? 0,
    ),
    gauge("heap_limit_bytes", "Limit of the JavaScript heap", () => memoryLimits().heapLimitBytes),
    gauge("wal_bytes", "Size of the database's write-ahead log", () => store.walBytes()),
    gauge("delivery_at_least_once", "1 while events come from a broker stream, 0 while they arrive over core NATS", () =>
      Number(proof().delivery === "at_least_once"),
    ),
    gauge("stream_sequence", "The log has the broker stream's messages up to this sequence", () => store.cursor()?.sequence ?? 0),
    gauge("stream_behind", "Messages of the broker stream that are not in the log yet", () => nats()?.source.behind ?? 0),
    gauge(
      "stream_restarts",
      "How often reading the broker stream restarted on an open connection",
      () => nats()?.source.restarts ?? 0,
    ),
    {
      name: "delivery_gaps",
      help: "Gaps in messages from broker streams, as recorded in the log",
      label: "reason",
      read: () => {
        const counts: Record<GapReason, number> = { purged: 0, recreated: 0, reused: 0, rolled_back: 0, unproven: 0 };
        for (const { reason } of proof().missing) counts[reason] += 1;
        return counts;
      },
    },
    gauge("log_rollbacks", "How often the log turned out to be an older copy, as recorded in it", () => proof().rollbacks.length),
    {
      name: "peers",
      help: "Peers by the phase of our outbound stream",
      label: "phase",
      read: () => {
        const counts: Record<Phase, number> = { established: 0, opening: 0, backoff: 0, closed: 0 };
        for (const { outbound, progress } of allFacts(sources)) counts[phaseOf(outbound, progress)] += 1;
        return counts;
      },
    },
  ];
}

export function viewsOf(sources: ViewSources, metrics: Views["metrics"]): Views {
  return {
    self: () => sources.self,
    peers: () => ({ peers: peerViews(sources) }),
    peer: (peerId) => detail(sources, peerId),
    delivery: () => deliveryView(deliveryProof(sources.store.cursor(), sources.store.deliveries()), sources),
    resync: sources.resync,
    startup: () => startup(sources.started()),
    liveness: () => liveness(sources.reconciler.stuckForMs()),
    readiness: () => {
      try {
        return readiness(sources.health());
      } catch (thrown) {
        if (isFault(thrown)) sources.logger.fault("http", thrown);
        return unreadable(toPartnerdError(thrown));
      }
    },
    metrics,
  };
}

/** The union of desired and actual, by PeerID. */
export function peerViews(sources: PeerSources): readonly PeerView[] {
  return [...allFacts(sources)].map(peerView);
}

type PeerSources = Pick<ViewSources, "clock" | "store" | "streams" | "reconciler">;

/** By PeerID. */
function* allFacts({ clock, store, streams, reconciler }: PeerSources): Generator<PeerFacts> {
  const wallOffsetMs = clock.wallMs() - clock.monotonicMs();
  const actual = new Map([...streams.snapshot()].map((peer) => [peer.peerId, peer]));
  const desired = new Map(store.list().map((peer) => [peer.peerId, peer]));
  for (const peerId of [...new Set([...desired.keys(), ...actual.keys()])].toSorted()) {
    const { outbound = null, inbound = null } = actual.get(peerId) ?? {};
    yield { peerId, desired: desired.get(peerId), outbound, inbound, progress: reconciler.progress(peerId), wallOffsetMs };
  }
}

function detail(sources: ViewSources, peerId: PeerId): PeerDetailView | undefined {
  const { store, dialect } = sources;
  const facts = [...allFacts(sources)].find((peer) => peer.peerId === peerId);
  if (facts === undefined) return undefined;
  const status = store.status(peerId);
  const rows = store.history(peerId, { limit: HISTORY_ROWS });
  const accepts = acceptsStreams(facts, rows);
  const learned = learnedView(status, dialect, accepts);
  return { ...peerView(facts), learned, acceptsStreams: accepts, history: rows.map(historyView) };
}

function deliveryView(proof: DeliveryProof, { health, consumer, store, ignoredDatatypes }: ViewSources): DeliveryView {
  const { nats, keptHeads } = health();
  const { source, status } = nats ?? {};
  const problem = source?.problem ?? source?.impairment ?? keptHeads?.cloned ?? null;
  const { cursor } = proof;
  return {
    delivery: proof.delivery,
    server: status?.server ?? null,
    reading: source?.reading ?? false,
    problem: problem && { code: problem.code, message: problem.message, nextStep: problem.nextStep },
    consumer,
    stream: cursor && {
      name: cursor.stream,
      created: cursor.created,
      firstSequence: cursor.firstSequence,
      sequence: cursor.sequence,
    },
    behind: source?.behind ?? null,
    rereading: source?.rereading ?? null,
    ignoredDatatypes: ignoredDatatypes(),
    headSeq: store.head().seq,
    proven: proven(proof),
    missing: proof.missing.map(({ atMs, ...missing }) => ({
      ...missing,
      at: isoTime(atMs),
      message: missingSentence(missing),
    })),
    rollbacks: proof.rollbacks.map(({ atMs, ...rollback }) => ({
      ...rollback,
      at: isoTime(atMs),
      message: rollbackSentence(rollback),
    })),
    spans: proof.spans.map((span) => ({
      delivery: span.delivery,
      since: isoTime(span.sinceMs),
      until: span.untilMs === null ? null : isoTime(span.untilMs),
      message: spanSentence(span),
    })),
  };
}

function historyView(entry: LogEntry): HistoryView {
  const { seq, atMs, event, source, claimedUser, effect, causeSeq, openedSeq } = entry;
  const desired = event.type === "PeerDesired" ? event : null;
  return {
    seq,
    at: isoTime(atMs),
    type: event.type,
    app: source,
    claimedUser,
    effect,
    relation: desired?.relation ?? null,
    standing: desired?.standing ?? null,
    direction: "direction" in event ? event.direction : null,
    reason: "reason" in event ? event.reason : null,
    message: historyMessage(event),
    attempt: "attempt" in event ? event.attempt : null,
    durationMs: "durationMs" in event ? event.durationMs : null,
    causeSeq,
    openedSeq,
  };
}

function historyMessage(event: LogEvent): string | null {
  if (event.type === "LogArchived") {
    const { events, file } = event.details;
    return `${counted(events, "earlier event")} ${events === 1 ? "is" : "are"} in ${file}`;
  }
  if (event.type === "PeerDesired" && event.standing === "partner" && event.address !== null)
    return skippedSentence(dialability(event.address).skipped);
  if (event.type === "PeerLearned") return learnedSentence(event.details);
  if (event.type === "OpenFailed") return failureSentence(event.message, event.details.streamEnd);
  return "message" in event ? event.message : null;
}
