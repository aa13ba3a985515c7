/** The store: one append-only log, and the projections that are written in the same transaction as each event. */

import type { Database } from "better-sqlite3";
import type { Clock } from "../base/clock.ts";
import { PartnerdError } from "../base/errors.ts";
import type { PeerId } from "../base/ids.ts";
import type { DeliveryChanged, DeliveryEvent, DesiredPeer, ObservedEvent, StreamClosed } from "../events/types.ts";
import { removeLeftovers } from "./archive/remove-archived-rows.ts";
import { type Projections, replay, tableDifferences } from "./fold/replay.ts";
import { endedBy, type PeerStatus, repeatedBy } from "./fold/status.ts";
import type { HeadFile } from "./head/head-file.ts";
import { openHeadFile } from "./head/open-head-file.ts";
import { type Cursor, isSameStream, type StreamPosition } from "./model/cursor.ts";
import type { LogEntry } from "./model/log-entry.ts";
import { type LogHead, NO_ROWS } from "./model/log-head.ts";
import { storeFailure } from "./sql/failure.ts";
import { type OpenOptions, openDatabase } from "./sql/open.ts";
import { type Tables, tables } from "./sql/tables.ts";
import { emptyWal, walBytes } from "./sql/wal.ts";
import { appender, OBSERVED, withWellFormedText } from "./write/append.ts";
import { CommittedState } from "./write/committed-state.ts";
import { CoreDedupe } from "./write/core-dedupe.ts";
import { type IngestItem, receive } from "./write/receive.ts";
import { Repetitions } from "./write/repetitions.ts";
import { rollingLimit } from "./write/rolling-limit.ts";

/**
 * Anyone can mint PeerIDs and be refused with each; the log must not grow with them. Known peers have a limit of their own, so
 * that strangers cannot use it up.
 */
const MAX_REFUSALS_PER_HOUR = 600;
const HOUR_MS = 3_600_000;

/**
 * Every method is synchronous, and throws a PartnerdError: `database_failed` where SQLite fails, in which case nothing of the
 * call was written. What a method has returned is on the disk.
 */
export interface Store extends Disposable {
  /**
   * Appends the batch and moves the cursor to `position`, all or nothing; the cursor never moves back. One answer for each arrival, in
   * order; `duplicate`: its dedupe key is in the log already.
   */
  appendReceived(batch: readonly IngestItem[], position?: StreamPosition): readonly (LogEntry | "duplicate")[];
  /**
   * Appends how messages come from now on, or what is missing of them, and puts the cursor where `cursor` says, if given. Where they came
   * by core NATS before, the stream's messages up to `lastSequence` that came that way already are duplicates.
   */
  appendDelivery(events: readonly DeliveryEvent[], cursor?: Cursor, lastSequence?: number): readonly LogEntry<DeliveryEvent>[];
  /**
   * Appends what happened, now or at `atMs` (wall). `repeated`: a failure or refusal like the peer's last, which is only counted, and the count written
   * with the next row, after a second, or at the end.
   * `suppressed`: one refusal too many in this hour, which is counted in `suppressedRefusals` alone.
   */
  appendObserved(event: ObservedEvent, atMs?: number): LogEntry<ObservedEvent> | "repeated" | "suppressed";
  /** At boot: closes every stream that the log still holds open, with the reason `daemon_restart`. Returns the rows. */
  closeOrphanedStreams(): readonly LogEntry<StreamClosed>[];

  /** The desired state of one peer, whatever its standing. Never throws, nor does `list`. */
  get(peerId: PeerId): DesiredPeer | undefined;
  /** Every peer that any desired event was about, by PeerID. */
  list(): readonly DesiredPeer[];
  status(peerId: PeerId): PeerStatus | undefined;
  /** Every peer that anything was observed of, by PeerID. */
  statuses(): readonly PeerStatus[];
  /**
   * What the log says of a peer, newest first; `beforeSeq` continues after the last row of a page. Where more is in an archive, a LogArchived
   * with the seq of its last row says so.
   */
  history(peerId: PeerId, page: { limit: number; beforeSeq?: number }): readonly LogEntry[];
  /** The newest row of the log; `seq` is 0 while it is empty. */
  head(): LogHead;
  /** Why the head is not in its file beside the database (head-file.ts); null while it is. No append fails for it. */
  readonly headFailing: string | null;
  /** The size of the write-ahead log beside the database. */
  walBytes(): number;
  /** Moves the write-ahead log into the database; false where a reader keeps it from being emptied. Waits for nobody. */
  emptyWal(): boolean;
  /** Where the log stands in the broker's stream; undefined as long as nothing came from one. Never throws. */
  cursor(): Cursor | undefined;
  /** How messages come now; undefined where none ever came. */
  delivery(): DeliveryChanged | undefined;
  /** How messages came and what was missing of them, oldest first. */
  deliveries(): readonly LogEntry<DeliveryEvent>[];
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
  /** False: without the head file, for those who let thousands of stores die and leave no handle open; default true. */
  readonly headFile?: boolean;
}

/** Throws `data_dir_unwritable`, `database_newer`, `log_truncated` or `database_failed`. */
export function openStore({ directory, clock, headFile: hasHeadFile = true, ...options }: StoreOptions): Store {
  const database = openDatabase(directory, options);
  const rows = tables(database);
  removeLeftovers(database);
  const headFile = hasHeadFile ? openHeadFileOrClose(database, rows, directory) : undefined;
  const memory = new CommittedState({
    head: rows.head,
    desiredPeers: rows.desiredPeers,
    status: rows.lookup.status,
    cursor: rows.cursor,
  });
  const repetitions = new Repetitions(clock);
  const coreDedupe = new CoreDedupe();
  /** A stream that was set back gives sequences up to here once more. */
  let reusedUpTo = newestReused(rows.deliveries().map(({ event }) => event));
  const append = appender(rows, memory, repetitions, clock);
  const refusals = {
    known: rollingLimit(MAX_REFUSALS_PER_HOUR, HOUR_MS),
    stranger: rollingLimit(MAX_REFUSALS_PER_HOUR, HOUR_MS),
  };
  let suppressedRefusals = 0;

  const appendReceived = database.transaction((batch: readonly IngestItem[], position: StreamPosition | undefined) => {
    const before = position && memory.cursor && isSameStream(position, memory.cursor) ? memory.cursor : undefined;
    // What stands behind all that ever came from this stream cannot be in the log: most messages need not be looked up.
    let newest = before === undefined ? Number.POSITIVE_INFINITY : Math.max(before.sequence, reusedUpTo);
    const answers = batch.map((arrival) => {
      if ("type" in arrival) return append(arrival, ofStream(arrival));
      const { streamSequence = 0 } = arrival;
      const isNew = streamSequence > newest;
      if (isNew) newest = streamSequence;
      return receive({ rows, append, coreDedupe }, before, isNew, arrival);
    });
    if (position !== undefined && position.sequence > (before?.sequence ?? 0))
      setCursor({ ...position, firstSequence: before?.firstSequence ?? position.sequence });
    return answers;
  });

  const appendDelivery = database.transaction((events: readonly DeliveryEvent[], cursor?: Cursor, lastSequence = 0) => {
    const delivery = rows.delivery();
    // What an earlier time of core NATS brought was matched when that ended: a row stands for one message.
    if (cursor !== undefined && delivery?.event.reason === "at_most_once")
      coreDedupe.expect(rows.receivedByCore(delivery.seq, Date.parse(cursor.created)), lastSequence);
    const logged = events.map((event) => append(event, ofStream(event)));
    reusedUpTo = Math.max(reusedUpTo, newestReused(events));
    if (cursor !== undefined) setCursor(cursor);
    return logged;
  });

  const setCursor = (cursor: Cursor): void => {
    rows.setCursor(cursor);
    memory.setCursor(cursor);
  };

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

  const closeOrphanedStreams = database.transaction(() =>
    rows.openStreams().map(({ seq, peerId, protocol, direction }) => {
      const closed: StreamClosed = { type: "StreamClosed", peerId, protocol, direction, reason: "daemon_restart" };
      return append(closed, { ...OBSERVED, causeSeq: seq });
    }),
  );

  const verifyProjections = database.transaction(() => {
    const start = rows.replayStart();
    const { desired, status, faults } = replay(rows.log(start.seq), start);
    const desiredRows = new Map(rows.desiredPeers().map((peer) => [peer.peerId, peer]));
    const statusRows = new Map(rows.statuses().map((peer) => [peer.peerId, peer]));
    return [
      ...faults,
      ...tableDifferences("desired_peers", desiredRows, desired),
      ...tableDifferences("peer_status", statusRows, status),
    ];
  });

  const replayProjections = database.transaction((): Projections => {
    const start = rows.replayStart();
    const { desired, status } = replay(rows.log(start.seq), start);
    return { desired, status };
  });

  const run = <Result>(doing: string, work: () => Result): Result => {
    if (!database.open) throw new PartnerdError("database_failed", `cannot ${doing}: the store is closed`);
    try {
      const result = work();
      const appended = memory.commit();
      if (appended !== undefined) headFile?.write(appended);
      return result;
    } catch (thrown) {
      memory.rollback();
      throw storeFailure(`cannot ${doing}`, thrown);
    }
  };

  return {
    appendReceived: (batch, position) => run("append received events", () => appendReceived.immediate(batch, position)),
    appendDelivery: (events, cursor, lastSequence) =>
      run("append how events are delivered", () => appendDelivery.immediate(events, cursor, lastSequence)),
    appendObserved: (event, atMs = clock.wallMs()) => run(`append ${event.type}`, () => appendObserved.immediate(event, atMs)),
    closeOrphanedStreams: () => run("close dangling sessions", () => closeOrphanedStreams.immediate()),
    get: (peerId) => memory.peer(peerId),
    list: () => memory.list(),
    status: (peerId) => run("read a peer's status", () => memory.status(peerId)),
    statuses: () => run("read the peers' status", () => rows.statuses()),
    history: (peerId, { limit, beforeSeq }) =>
      run("read a peer's history", () => rows.history(peerId, limit, beforeSeq ?? Number.MAX_SAFE_INTEGER)),
    head: () => run("read the head of the log", () => rows.head() ?? NO_ROWS),
    get headFailing() {
      return headFile?.failing ?? null;
    },
    cursor: () => memory.cursor,
    delivery: () => run("read how events are delivered", () => rows.delivery()?.event),
    deliveries: () => run("read how events were delivered", () => rows.deliveries()),
    walBytes: () => walBytes(database.name),
    emptyWal: () => run("empty the write-ahead log", () => emptyWal(database)),
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
          headFile?.[Symbol.dispose]();
        }
      });
    },
  };
}

/** Closes the database where it fails. */
function openHeadFileOrClose(database: Database, rows: Tables, directory: string): HeadFile {
  try {
    return openHeadFile(database, rows, directory);
  } catch (thrown) {
    database.close();
    throw thrown;
  }
}

function newestReused(events: readonly DeliveryEvent[]): number {
  const reused = events.filter((event) => event.type === "DeliveryGap" && event.reason === "reused");
  return Math.max(0, ...reused.map(({ streamSequence }) => (streamSequence ?? 1) - 1));
}

const ofStream = ({ streamSequence }: DeliveryEvent) => ({ ...OBSERVED, streamSequence });
