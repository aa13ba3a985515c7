/** The store: an append-only log, and projections that are updated in the same transaction as each event. */

import type { Database } from "better-sqlite3";
import type { Clock } from "../base/clock.ts";
import type { PartnerdError } from "../base/errors.ts";
import type { PeerId } from "../base/ids.ts";
import type { CloneSeen, DeliveryChanged, DeliveryEvent } from "../events/delivery/delivery-events.ts";
import type { DesiredEvent, DesiredPeer } from "../events/types.ts";
import type { IdentityChanged } from "../events/upkeep/upkeep-facts.ts";
import type { EventSettings } from "../events/vocabulary.ts";
import { removeLeftovers } from "./archive/remove-archived.ts";
import type { Reinterpreted } from "./fold/reinterpret.ts";
import type { Projections } from "./fold/replay.ts";
import type { PeerStatus } from "./fold/status.ts";
import type { HeadFile } from "./head/head-file.ts";
import { openHeadFile } from "./head/open-head-file.ts";
import { contradictionIn } from "./head/recorded-head.ts";
import type { BrokerPosition, BrokerStream, Cursor } from "./model/cursor.ts";
import type { KnownMessage } from "./model/dedupe-key.ts";
import type { LogEntry } from "./model/log-entry.ts";
import { type LogHead, type LogStart, NO_ROWS } from "./model/log-head.ts";
import { LockWait } from "./sql/lock-wait.ts";
import { DEFAULT_BUSY_TIMEOUT_MS, type OpenOptions, openDatabase } from "./sql/open.ts";
import { filesOf, type OpenFile, OpenFiles } from "./sql/open-files.ts";
import { projectionDifferences, replayTables, type Tables, tables } from "./sql/statements/tables.ts";
import { emptyWal, walBytes } from "./sql/wal.ts";
import { appender } from "./write/append.ts";
import { AppendFeed, type AppendListener } from "./write/append-feed.ts";
import { CommittedState } from "./write/committed-state.ts";
import { DeliveryAppender } from "./write/delivery-appender.ts";
import { type Observation, OwnEventAppender, type Start, type StartInit } from "./write/own-event-appender.ts";
import type { IngestItem } from "./write/receive.ts";
import { Repetitions } from "./write/repetitions.ts";
import { RunWriter } from "./write/run-writer.ts";
import { type CommitHooks, TransactionRunner } from "./write/transaction-runner.ts";

/**
 * Every method is synchronous. Throws a PartnerdError: `database_failed` if SQLite fails, and then nothing of the call was written.
 * When a method returns, its writes are on the disk.
 */
export interface Store extends Disposable {
  /**
   * Appends the batch and advances the cursor to `position`, all or nothing; the cursor never moves back. Returns one result per
   * item, in order; `duplicate` if its dedupe key is already in the log.
   */
  appendReceived(batch: readonly IngestItem[], position?: BrokerPosition): readonly (LogEntry | "duplicate")[];
  /**
   * Appends a change of the delivery guarantee, gaps, or a rollback or clone that reading has found; sets the cursor to `cursor`, if
   * given. If messages came by core NATS before, the stream's messages up to `lastSequence` that were already received that way are
   * duplicates.
   */
  appendDelivery(events: readonly (DeliveryEvent | CloneSeen)[], cursor?: Cursor, lastSequence?: number): readonly LogEntry[];
  /**
   * Appends an observed event. Returns `repeated` if a PeerLearned says nothing new, or if the event repeats the peer's last failure
   * or refusal, which is only counted. A count is written with the next row, with a repeat at least a second after the last write, or
   * at the end.
   */
  appendObserved(observation: Observation): LogEntry<Observation["event"]> | "repeated";
  /**
   * Registers the start of a run. Its rows are a StreamClosed (`daemon_restart`) for every stream that the log still holds open, with
   * the time of the previous run's last sign of life, and a DaemonStarted. They go before every other row that this store appends;
   * `onAppended` is called once they are on the disk.
   */
  registerStart(init: StartInit, onAppended: (start: Start) => void): void;
  /** Appends the registered start, if it is not on the disk yet. */
  appendStart(): void;
  /**
   * Closes the streams that the previous run left open in the log, with the reason `daemon_restart` and the time of its last sign of
   * life (wall ms, null if unknown). Returns their number. A command that appends desired events while the daemon is stopped must
   * call this first, because the streams ended before those events.
   */
  closeOrphans(lastAliveMs: number | null): number;
  /** The PeerID that the log belongs to: that of its newest start or IdentityChanged; undefined before its first start. */
  identity(): PeerId | undefined;
  /** Appends an IdentityChanged. Only a log that records a start has an identity to change. Call closeOrphans first. */
  appendIdentityChanged(event: IdentityChanged): LogEntry<IdentityChanged>;
  /** Appends DaemonStopped, `durationMs` (monotonic) after the start. */
  appendStopped(durationMs: number): void;
  /**
   * Appends the events of `reinterpret`, each with its message as the cause, then a LogReinterpreted with the settings under which the
   * log is now decoded. Returns the events.
   */
  appendReinterpreted(changes: readonly Reinterpreted[], settings: EventSettings): readonly LogEntry<DesiredEvent>[];
  /** Calls `listener` with every row appended from now on, until disposed. */
  onAppended(listener: AppendListener): Disposable;

  /** The desired state of a peer, of any standing. Never throws, nor does `list`. */
  get(peerId: PeerId): DesiredPeer | undefined;
  /** Every peer with a desired event, by PeerID. */
  list(): readonly DesiredPeer[];
  status(peerId: PeerId): PeerStatus | undefined;
  /** Every peer with an observed event, by PeerID. */
  statuses(): readonly PeerStatus[];
  /**
   * The events of a peer, newest first; `beforeSeq` continues after the last row of a page. Archived events are represented by one
   * LogArchived per archive, with the seq of its last row.
   */
  history(peerId: PeerId, page: { limit: number; beforeSeq?: number }): readonly LogEntry[];
  /** The newest row of the log; `seq` is 0 if it is empty. */
  head(): LogHead;
  /** How the log contradicts a head recorded earlier, in words; null if it does not, or if that row is archived. */
  contradictionOf(recorded: LogStart): string | null;
  /** Why the head file (head-file.ts) is out of date; null while it is current. Appends succeed regardless. */
  readonly headFailing: PartnerdError | null;
  /**
   * Throws `database_moved` if the database or a file that belongs to it is no longer where it was opened, or was truncated. Appends
   * look, too, before they commit, and fail.
   */
  checkFiles(): void;
  /** Size of the write-ahead log. */
  walBytes(): number;
  /** Checkpoints and empties the write-ahead log; false if a reader prevents emptying it. Does not wait for readers. */
  emptyWal(): boolean;
  /** The log's position in the broker stream; undefined until a message has come from one. Never throws. */
  cursor(): Cursor | undefined;
  /**
   * Up to `limit` messages of the stream that the log has received since the stream was last rewound, at or below `sequence`, newest
   * first: the newest ones, then some at growing distances.
   */
  knownMessages(stream: BrokerStream, sequence: number, limit: number): readonly KnownMessage[];
  /** The current delivery guarantee; undefined if no message ever arrived. */
  delivery(): DeliveryChanged | undefined;
  /** Changes of the delivery guarantee and gaps, oldest first. */
  deliveries(): readonly LogEntry<DeliveryEvent>[];
  /** The runs that have shared our consumer lately: those of clones, and those of this log that saw them. */
  contestedRuns(): readonly string[];
  /** The runs of all clones that were seen. */
  clonesSeen(): readonly string[];

  /** Replays the whole log in memory, without touching the tables. */
  replayProjections(): Projections;
  /** Differences between the tables and a replay of the whole log, one sentence each; empty if there are none. */
  verifyProjections(): string[];
}

export interface StoreOptions extends OpenOptions {
  readonly directory: string;
  readonly clock: Clock;
  /** False disables the head file, for callers that abandon thousands of stores without closing them; default true. */
  readonly headFile?: boolean;
  /** Further open files without which nothing may be written; default none. */
  readonly needed?: readonly OpenFile[];
  /** For the simulator; default none. */
  readonly commitHooks?: CommitHooks;
}

/** Throws `data_dir_unwritable`, `database_newer`, `database_retired`, `log_truncated` or `database_failed`. */
export function openStore({ directory, clock, headFile = true, needed = [], commitHooks, ...options }: StoreOptions): Store {
  using opened = new DisposableStack();
  const database = opened.adopt(openDatabase(directory, options), (connection) => void connection.close());
  const lockWait = new LockWait(database, clock, options.busyTimeoutMs ?? DEFAULT_BUSY_TIMEOUT_MS);
  const rows = tables(database);
  removeLeftovers(database);
  const head = headFile ? opened.use(openHeadFile(database, rows, directory)) : undefined;
  // By now it has been read, so its write-ahead log exists.
  const files = new OpenFiles([...filesOf(database), ...needed]);
  const store = storeOf({ database, rows, clock, lockWait, files, headFile: head, hooks: commitHooks });
  // The store closes them from here on.
  opened.move();
  return store;
}

interface StoreParts {
  readonly database: Database;
  readonly rows: Tables;
  readonly clock: Clock;
  readonly lockWait: LockWait;
  readonly files: OpenFiles;
  readonly headFile: HeadFile | undefined;
  readonly hooks: CommitHooks | undefined;
}

function storeOf({ database, rows, clock, lockWait, files, headFile, hooks }: StoreParts): Store {
  const committed = new CommittedState(rows);
  const repetitions = new Repetitions(clock);
  const append = appender(rows, committed, repetitions, clock);
  const deliveries = new DeliveryAppender(rows, committed, append);
  const ownEvents = new OwnEventAppender({ rows, committed, append, repetitions, clock });
  const feed = new AppendFeed();
  const onAppended = (entries: readonly LogEntry[]) => {
    const newest = entries.at(-1);
    if (newest !== undefined) headFile?.write(newest);
    feed.publish(entries);
  };
  const runner = new TransactionRunner({ database, lockWait, files, committed, repetitions, onAppended, hooks });
  const writer = new RunWriter(runner, ownEvents);

  return {
    appendReceived: (batch, position) => writer.write("append received events", () => deliveries.received(batch, position)),
    appendDelivery: (events, cursor, lastSequence = 0) =>
      writer.write("append a delivery change", () => deliveries.delivery(events, cursor, lastSequence)),
    appendObserved: (observation) => writer.write(`append ${observation.event.type}`, () => ownEvents.observed(observation)),
    registerStart: (init, onStarted) => writer.registerStart(init, onStarted),
    appendStart: () => writer.appendStart(),
    closeOrphans: (lastAliveMs) => writer.write("close orphaned streams", () => ownEvents.closeOrphans(lastAliveMs)),
    identity: () => runner.run("read the log's identity", () => rows.lastRun()?.peerId),
    appendIdentityChanged: (event) => writer.write("append IdentityChanged", () => ownEvents.identityChanged(event)),
    appendStopped: (durationMs) => writer.write("append DaemonStopped", () => ownEvents.stopped(durationMs)),
    appendReinterpreted: (changes, settings) =>
      writer.write("append reinterpreted events", () => ownEvents.reinterpreted(changes, settings)),
    onAppended: (listener) => feed.subscribe(listener),
    get: (peerId) => committed.peer(peerId),
    list: () => committed.list(),
    status: (peerId) => runner.run("read a peer's status", () => committed.status(peerId)),
    statuses: () => runner.run("read the peers' status", () => rows.statuses()),
    history: (peerId, { limit, beforeSeq = Number.MAX_SAFE_INTEGER }) =>
      runner.run("read a peer's history", () => rows.history(peerId, limit, beforeSeq)),
    head: () => runner.run("read the head of the log", () => rows.head() ?? NO_ROWS),
    contradictionOf: (recorded) => runner.run("compare the log with a head", () => contradictionIn(database, rows, recorded)),
    get headFailing() {
      return headFile?.failing ?? null;
    },
    cursor: () => committed.cursor,
    knownMessages: (stream, sequence, limit) =>
      runner.run("look up received messages", () => rows.knownMessages(stream, sequence, limit)),
    delivery: () => runner.run("read the delivery guarantee", () => rows.delivery()?.event),
    deliveries: () => runner.run("read the delivery history", () => rows.deliveries()),
    contestedRuns: () => runner.run("read the clones", () => rows.contestedRuns()),
    clonesSeen: () => runner.run("read the clones", () => rows.clonesSeen()),
    checkFiles: () => runner.checkFiles(),
    walBytes: () => walBytes(database.name),
    emptyWal: () => runner.run("empty the write-ahead log", () => emptyWal(database)),
    replayProjections: () => runner.read("replay the log", () => replayTables(rows)),
    verifyProjections: () => runner.read("verify the projections", () => projectionDifferences(rows)),
    [Symbol.dispose]() {
      using _head = headFile;
      if (!database.open) return;
      runner.run("close the database", () => {
        try {
          if (repetitions.isPending) files.check();
          ownEvents.writeRepetitions();
          // Passive: does not wait for readers. The last connection to close checkpoints the rest.
          database.pragma("wal_checkpoint(PASSIVE)");
        } finally {
          database.close();
        }
      });
    },
  };
}
