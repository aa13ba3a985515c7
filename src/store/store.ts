/** The store: one append-only log, and the projections that are written in the same transaction as each event. */

import type { Database } from "better-sqlite3";
import type { Clock } from "../base/clock.ts";
import type { PartnerdError } from "../base/errors.ts";
import type { PeerId } from "../base/ids.ts";
import type { DeliveryChanged, DeliveryEvent, DesiredEvent, DesiredPeer, ObservedEvent } from "../events/types.ts";
import { removeLeftovers } from "./archive/remove-archived.ts";
import type { Reinterpreted } from "./fold/reinterpret.ts";
import type { Projections } from "./fold/replay.ts";
import type { PeerStatus } from "./fold/status.ts";
import type { HeadFile } from "./head/head-file.ts";
import { openHeadFile } from "./head/open-head-file.ts";
import type { BrokerPosition, Cursor } from "./model/cursor.ts";
import type { LogEntry } from "./model/log-entry.ts";
import { type LogHead, NO_ROWS } from "./model/log-head.ts";
import { type OpenOptions, openDatabase } from "./sql/open.ts";
import { projectionDifferences, replayTables, type Tables, tables } from "./sql/statements/tables.ts";
import { emptyWal, walBytes } from "./sql/wal.ts";
import { appender } from "./write/append.ts";
import { AppendFeed, type AppendListener } from "./write/append-feed.ts";
import { CommittedState } from "./write/committed-state.ts";
import { DeliveryAppender } from "./write/delivery-appender.ts";
import { type Observation, ObservedAppender, type Start, type StartInit } from "./write/observed-appender.ts";
import type { IngestItem } from "./write/receive.ts";
import { Repetitions } from "./write/repetitions.ts";
import { type CommitHooks, TransactionRunner } from "./write/transaction-runner.ts";

/**
 * Every method is synchronous, and throws a PartnerdError: `database_failed` where SQLite fails, in which case nothing of the
 * call was written. What a method has returned is on the disk.
 */
export interface Store extends Disposable {
  /**
   * Appends the batch and moves the cursor to `position`, all or nothing; the cursor never moves back. One answer for each item, in
   * order; `duplicate`: its dedupe key is in the log already.
   */
  appendReceived(batch: readonly IngestItem[], position?: BrokerPosition): readonly (LogEntry | "duplicate")[];
  /**
   * Appends how messages come from now on, or what is missing of them, and puts the cursor where `cursor` says, if given. Where they came
   * by core NATS before, the stream's messages up to `lastSequence` that came that way already are duplicates.
   */
  appendDelivery(events: readonly DeliveryEvent[], cursor?: Cursor, lastSequence?: number): readonly LogEntry<DeliveryEvent>[];
  /**
   * Appends what happened. `repeated`: a failure or refusal like the peer's last one, which is only counted; the count is written with
   * the next row, after a second, or at the end. `suppressed`: one refusal too many this hour, counted in `suppressedRefusals` alone.
   */
  appendObserved(observation: Observation): LogEntry<ObservedEvent> | "repeated" | "suppressed";
  /** Appends that the daemon started, and closes every stream that the log still holds open, with the reason `daemon_restart`. */
  appendStarted(init: StartInit): Start;
  /** Appends that the daemon stopped in good order, `durationMs` (monotonic) after it started. */
  appendStopped(durationMs: number): void;
  /** Appends the events of `reinterpret`, each with the message that decides it as its cause. Returns the rows that changed anything. */
  appendReinterpreted(changes: readonly Reinterpreted[]): readonly LogEntry<DesiredEvent>[];
  /** Calls `listener` with every row appended from now on, until disposed. */
  onAppended(listener: AppendListener): Disposable;

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
  readonly headFailing: PartnerdError | null;
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
  /** For a simulator; default none. */
  readonly commitHooks?: CommitHooks;
}

/** Throws `data_dir_unwritable`, `database_newer`, `log_truncated` or `database_failed`. */
export function openStore({ directory, clock, headFile = true, commitHooks, ...options }: StoreOptions): Store {
  using opened = new DisposableStack();
  const database = opened.adopt(openDatabase(directory, options), (connection) => void connection.close());
  const rows = tables(database);
  removeLeftovers(database);
  const head = headFile ? opened.use(openHeadFile(database, rows, directory)) : undefined;
  const store = storeOf(database, rows, clock, head, commitHooks);
  // From here on the store closes them.
  opened.move();
  return store;
}

function storeOf(
  database: Database,
  rows: Tables,
  clock: Clock,
  headFile: HeadFile | undefined,
  hooks: CommitHooks | undefined,
): Store {
  const committed = new CommittedState(rows);
  const repetitions = new Repetitions(clock);
  const append = appender(rows, committed, repetitions, clock);
  const deliveries = new DeliveryAppender(rows, committed, append);
  const observations = new ObservedAppender({ rows, committed, append, repetitions, clock });
  const feed = new AppendFeed();
  const onAppended = (entries: readonly LogEntry[]) => {
    const newest = entries.at(-1);
    if (newest !== undefined) headFile?.write(newest);
    feed.publish(entries);
  };
  const runner = new TransactionRunner(database, committed, onAppended, hooks);

  return {
    appendReceived: (batch, position) => runner.write("append received events", () => deliveries.received(batch, position)),
    appendDelivery: (events, cursor, lastSequence = 0) =>
      runner.write("append how events are delivered", () => deliveries.delivery(events, cursor, lastSequence)),
    appendObserved: (observation) => runner.write(`append ${observation.event.type}`, () => observations.observed(observation)),
    appendStarted: (init) => runner.write("append DaemonStarted", () => observations.started(init)),
    appendStopped: (durationMs) => runner.write("append DaemonStopped", () => observations.stopped(durationMs)),
    appendReinterpreted: (changes) => runner.write("append reinterpreted events", () => observations.reinterpreted(changes)),
    onAppended: (listener) => feed.subscribe(listener),
    get: (peerId) => committed.peer(peerId),
    list: () => committed.list(),
    status: (peerId) => runner.run("read a peer's status", () => committed.status(peerId)),
    statuses: () => runner.run("read the peers' status", () => rows.statuses()),
    history: (peerId, { limit, beforeSeq = Number.MAX_SAFE_INTEGER }) =>
      runner.run("read a peer's history", () => rows.history(peerId, limit, beforeSeq)),
    head: () => runner.run("read the head of the log", () => rows.head() ?? NO_ROWS),
    get headFailing() {
      return headFile?.failing ?? null;
    },
    cursor: () => committed.cursor,
    delivery: () => runner.run("read how events are delivered", () => rows.delivery()?.event),
    deliveries: () => runner.run("read how events were delivered", () => rows.deliveries()),
    walBytes: () => walBytes(database.name),
    emptyWal: () => runner.run("empty the write-ahead log", () => emptyWal(database)),
    get suppressedRefusals() {
      return observations.suppressedRefusals;
    },
    replayProjections() {
      const { desired, status } = runner.read("replay the log", () => replayTables(rows));
      return { desired, status };
    },
    verifyProjections: () => runner.read("verify the projections", () => projectionDifferences(rows)),
    [Symbol.dispose]() {
      if (!database.open) return;
      runner.run("close the database", () => {
        try {
          observations.writeRepetitions();
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
