/** The store: one append-only log, and the projections that are written in the same transaction as each event. */
import type { Clock } from "../clock.ts";
import { PartnerdError } from "../errors.ts";
import type { Desired, Rejected, Removed } from "../events/decoded.ts";
import { resolve } from "../events/resolve.ts";
import type { DesiredPeer, EventRejected, LogEvent, ObservedEvent, StreamClosed } from "../events/types.ts";
import type { PeerId } from "../ids.ts";
import { storeFailure } from "./failure.ts";
import { columnsOf, type Logged } from "./logged.ts";
import { Memory } from "./memory.ts";
import { type OpenOptions, openDatabase } from "./open.ts";
import { type StoredPayload, storedPayload } from "./payload.ts";
import { project } from "./project.ts";
import { Repetitions } from "./repetitions.ts";
import { type Projections, replay, tableDifferences } from "./replay.ts";
import { rollingLimit } from "./rolling-limit.ts";
import { endedBy, type PeerStatus, repeatedBy } from "./status.ts";
import { type Tables, tables } from "./tables.ts";

/** The `source` of what the daemon itself observed. */
export const OWN_SOURCE = "oc-partnerd";

/**
 * Anyone can mint PeerIDs and be refused with each; the log must not grow with them. Known peers have a limit of their own, so
 * that strangers cannot use it up.
 */
const MAX_REFUSALS_PER_HOUR = 600;
const HOUR_MS = 3_600_000;

/** A message that was received and decoded. */
export interface Received {
  readonly decoded: Desired | Removed | Rejected;
  readonly subject: string;
  /** The whole message, as received. */
  readonly payload: Uint8Array;
  /** What makes its redelivery recognisable; null where the transport never redelivers. */
  readonly dedupeKey: string | null;
}

/**
 * Every method is synchronous, and throws a PartnerdError: `database_failed` where SQLite fails, in which case nothing of the
 * call was written. What a method has returned is on the disk.
 */
export interface Store extends Disposable {
  /** Appends the batch, all or nothing. One answer for each message, in order; `duplicate`: its dedupe key is in the log already. */
  appendReceived(batch: readonly Received[]): readonly (Logged | "duplicate")[];
  /**
   * Appends what happened, now or at `atMs` (wall). `repeated`: a failure or refusal like the peer's last, which is only counted, and the count written
   * with the next row, after a second, or at the end.
   * `suppressed`: one refusal too many in this hour, which is counted in `suppressedRefusals` alone.
   */
  appendObserved(event: ObservedEvent, atMs?: number): Logged<ObservedEvent> | "repeated" | "suppressed";
  /** At boot: closes every stream that the log still holds open, with the reason `daemon_restart`. Returns the rows. */
  closeDanglingSessions(): readonly Logged<StreamClosed>[];

  /** The desired state of one peer, whatever its standing. Never throws, nor does `list`. */
  get(peerId: PeerId): DesiredPeer | undefined;
  /** Every peer that any desired event was about, by PeerID. */
  list(): readonly DesiredPeer[];
  status(peerId: PeerId): PeerStatus | undefined;
  /** Every peer that anything was observed of, by PeerID. */
  statuses(): readonly PeerStatus[];
  /** What the log says of a peer, newest first; `beforeSeq` continues after the last row of a page. */
  history(peerId: PeerId, page: { limit: number; beforeSeq?: number }): readonly Logged[];
  /** The newest row of the log; `seq` is 0 while it is empty. */
  head(): { readonly seq: number; readonly atMs: number | null };
  /** Refusals that were not logged since the start, because too many were. */
  readonly suppressedRefusals: number;

  /** Folds the whole log in memory, and leaves the tables alone. */
  replayProjections(): Projections;
  /** How the log and the tables differ from a replay, one sentence each; empty when all is well. Reads the whole log. */
  verifyProjections(): string[];
}

export interface StoreOptions extends OpenOptions {
  readonly directory: string;
  readonly clock: Clock;
}

/** Throws `data_dir_unwritable`, `database_newer` or `database_failed`. */
export function openStore({ directory, clock, ...options }: StoreOptions): Store {
  const database = openDatabase(directory, options);
  const rows = tables(database);
  const memory = new Memory({ head: rows.head, desiredPeers: rows.desiredPeers, status: rows.lookup.status });
  const repetitions = new Repetitions(clock);
  const append = appender(rows, memory, repetitions, clock);
  const refusals = {
    known: rollingLimit(MAX_REFUSALS_PER_HOUR, HOUR_MS),
    stranger: rollingLimit(MAX_REFUSALS_PER_HOUR, HOUR_MS),
  };
  let suppressedRefusals = 0;

  const appendReceived = database.transaction((batch: readonly Received[]) =>
    batch.map((received) => receive(rows, append, received)),
  );

  const appendObserved = database.transaction((event: ObservedEvent, atMs: number) => {
    const status = memory.status(event.peerId);
    const repeated = repeatedBy(status, event);
    if (repeated !== undefined) {
      repetitions.count(repeated.seq, Math.round(atMs));
      if (repetitions.due) repetitions.take().forEach(rows.addRepetition);
      return "repeated";
    }
    if (event.type === "InboundRefused") {
      const limit = memory.peer(event.peerId) === undefined ? refusals.stranger : refusals.known;
      if (!limit.take(clock.monotonicMs())) {
        suppressedRefusals++;
        return "suppressed";
      }
    }
    const causeSeq = event.type === "StreamClosed" ? (endedBy(status, event)?.seq ?? null) : null;
    return append(withWellFormedText(event), { ...OBSERVED, causeSeq }, atMs);
  });

  const closeDanglingSessions = database.transaction(() =>
    rows.openStreams().map(({ seq, peerId, protocol, direction }) => {
      const closed: StreamClosed = { type: "StreamClosed", peerId, protocol, direction, reason: "daemon_restart" };
      return append(closed, { ...OBSERVED, causeSeq: seq });
    }),
  );

  const verifyProjections = database.transaction(() => {
    const { desired, status, faults } = replay(rows.log());
    const desiredRows = new Map(rows.desiredPeers().map((peer) => [peer.peerId, peer]));
    const statusRows = new Map(rows.statuses().map((peer) => [peer.peerId, peer]));
    return [
      ...faults,
      ...tableDifferences("desired_peers", desiredRows, desired),
      ...tableDifferences("peer_status", statusRows, status),
    ];
  });

  const replayProjections = database.transaction((): Projections => {
    const { desired, status } = replay(rows.log());
    return { desired, status };
  });

  const run = <Result>(doing: string, work: () => Result): Result => {
    if (!database.open) throw new PartnerdError("database_failed", `cannot ${doing}: the store is closed`);
    try {
      const result = work();
      memory.commit();
      return result;
    } catch (thrown) {
      memory.rollback();
      throw storeFailure(`cannot ${doing}`, thrown);
    }
  };

  return {
    appendReceived: (batch) => run("append received events", () => appendReceived.immediate(batch)),
    appendObserved: (event, atMs = clock.wallMs()) => run(`append ${event.type}`, () => appendObserved.immediate(event, atMs)),
    closeDanglingSessions: () => run("close dangling sessions", () => closeDanglingSessions.immediate()),
    get: (peerId) => memory.peer(peerId),
    list: () => memory.list(),
    status: (peerId) => run("read a peer's status", () => memory.status(peerId)),
    statuses: () => run("read the peers' status", () => rows.statuses()),
    history: (peerId, { limit, beforeSeq }) =>
      run("read a peer's history", () => rows.history(peerId, limit, beforeSeq ?? Number.MAX_SAFE_INTEGER)),
    head: () => run("read the head of the log", () => rows.head() ?? { seq: 0, atMs: null }),
    get suppressedRefusals() {
      return suppressedRefusals;
    },
    replayProjections: () => run("replay the log", () => replayProjections()),
    verifyProjections: () => run("verify the projections", () => verifyProjections()),
    [Symbol.dispose]: () => {
      if (!database.open) return;
      run("close the database", () => {
        try {
          repetitions.take().forEach(rows.addRepetition);
          // Passive: it waits for no reader. The last connection to close checkpoints what is left.
          database.pragma("wal_checkpoint(PASSIVE)");
        } finally {
          database.close();
        }
      });
    },
  };
}

/** What a row says of where its event comes from. */
interface Origin extends Pick<Logged, "source" | "subject" | "dedupeKey" | "causeSeq"> {
  readonly payload: StoredPayload | null;
}

const OBSERVED: Omit<Origin, "causeSeq"> = { source: OWN_SOURCE, subject: null, dedupeKey: null, payload: null };

type Append = <Event extends LogEvent>(event: Event, origin: Origin, atMs?: number) => Logged<Event>;

/** Appends one event and projects it. Only ever called within a write transaction, which makes `seq` gapless. */
function appender(rows: Tables, memory: Memory, repetitions: Repetitions, clock: Clock): Append {
  return (event, { payload, ...origin }, happenedAtMs = clock.wallMs()) => {
    repetitions.take().forEach(rows.addRepetition);
    const seq = memory.headSeq + 1;
    // A virtual clock may give fractions of a millisecond; the log holds whole ones.
    const atMs = Math.round(happenedAtMs);
    const { effect, supersededPeerId, desired, statuses } = project(memory, event, { seq, atMs, causeSeq: origin.causeSeq });
    const { payload: bytes = null, payloadEncoding = null, payloadBytes = null, payloadSha256 = null } = payload ?? {};
    const place = { seq, atMs, effect, supersededPeerId, ...origin, payloadBytes, payloadSha256 };
    rows.insertEvent({ ...columnsOf(event), ...place, payload: bytes, payloadEncoding });
    memory.appended(seq);
    for (const peer of desired) {
      rows.upsertDesired(peer);
      memory.setDesired(peer);
    }
    for (const status of statuses) {
      rows.upsertStatus(status);
      memory.setStatus(status.after);
    }
    return { ...place, event };
  };
}

function receive(rows: Tables, append: Append, received: Received): Logged | "duplicate" {
  const { subject, dedupeKey } = withWellFormedText({ subject: received.subject, dedupeKey: received.dedupeKey });
  if (dedupeKey !== null && rows.holds(dedupeKey)) return "duplicate";
  const decoded = withWellFormedText(received.decoded);
  const resolved = decoded.kind === "rejected" ? decoded : resolve(decoded, rows.lastPeerOfResource);
  const event = "kind" in resolved ? rejection(resolved) : resolved;
  const payload = storedPayload(received.payload);
  return append(event, { source: decoded.source, subject, dedupeKey, payload, causeSeq: null });
}

function rejection({ reason, message }: Rejected): EventRejected {
  return { type: "EventRejected", reason, message };
}

/** SQLite's text is UTF-8, which holds no lone surrogates: what JSON may carry has to be folded as it will be read back. */
function withWellFormedText<Value extends object>(value: Value): Value {
  const fields: [string, unknown][] = Object.entries(value);
  return Object.fromEntries(
    fields.map(([key, field]) => [key, typeof field === "string" ? field.toWellFormed() : field]),
  ) as Value;
}
