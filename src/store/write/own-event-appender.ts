/**
 * Appends the daemon's own events: what it observed, its runs, and what `reinterpret` makes of messages. Only counts a
 * failure that repeats the one before it. Call only within a write transaction.
 */
import { hash } from "node:crypto";
import type { Clock } from "../../base/clock.ts";
import type { PeerId } from "../../base/ids.ts";
import type { PeerLearned } from "../../events/learned/learned-facts.ts";
import type {
  DaemonStarted,
  DesiredEvent,
  EventsSuppressed,
  ObservedEvent,
  RunId,
  StartFacts,
  StreamClosed,
} from "../../events/types.ts";
import type { IdentityChanged } from "../../events/upkeep/upkeep-facts.ts";
import type { EventSettings } from "../../events/vocabulary.ts";
import { withWellFormedText } from "../../events/well-formed.ts";
import type { Reinterpreted } from "../fold/reinterpret.ts";
import { lastRunOf, type RunRecord, vocabularyChanged } from "../fold/run-record.ts";
import { endedBy, isLearned, repeatedBy } from "../fold/status.ts";
import type { LogEntry } from "../model/log-entry.ts";
import { knownMigrations } from "../sql/migrations.ts";
import type { Tables } from "../sql/statements/tables.ts";
import { type Append, OBSERVED } from "./append.ts";
import type { CommittedState } from "./committed-state.ts";
import { aliveUntilMs } from "./previous-run.ts";
import type { Repetitions } from "./repetitions.ts";

interface OwnEventAppenderInit {
  readonly rows: Tables;
  readonly committed: CommittedState;
  readonly append: Append;
  readonly repetitions: Repetitions;
  readonly clock: Clock;
}

export interface Observation {
  readonly event: ObservedEvent | EventsSuppressed | PeerLearned;
  /** When it happened (wall ms); default now. */
  readonly atMs?: number;
  /** The desired event in force for the peer at that time; null for a stranger. */
  readonly causeSeq: number | null;
}

/** A run: the program and its effective configuration, without secrets. */
export interface StartInit {
  readonly run: RunId;
  /** Ours. */
  readonly peerId: PeerId;
  readonly version: string;
  readonly config: Readonly<Record<string, unknown>> & { readonly events: object };
  /** The last sign of life of the previous run, wall ms; null if unknown. */
  readonly lastAliveMs: number | null;
}

/** The result of recording a start. */
export interface Start {
  readonly entry: LogEntry<DaemonStarted>;
  /** Number of streams that the previous run left open, now closed in the log. */
  readonly orphans: number;
  readonly lastRun: RunRecord | null;
  /** True if earlier runs decoded messages under another vocabulary, and the log was not reinterpreted since. */
  readonly vocabularyChanged: boolean;
}

export class OwnEventAppender {
  readonly #init: OwnEventAppenderInit;

  constructor(init: OwnEventAppenderInit) {
    this.#init = init;
  }

  /** As Store.appendObserved. */
  observed({ event, atMs = this.#init.clock.wallMs(), causeSeq }: Observation): LogEntry<Observation["event"]> | "repeated" {
    const { committed, append, repetitions } = this.#init;
    if (event.type === "EventsSuppressed") return append(event, { ...OBSERVED, causeSeq }, atMs);
    const status = committed.status(event.peerId);
    if (event.type === "PeerLearned")
      return isLearned(status, event) ? "repeated" : append(event, { ...OBSERVED, causeSeq }, atMs);
    const repeated = repeatedBy(status, event);
    if (repeated !== undefined) {
      repetitions.count(repeated.seq, Math.round(atMs));
      if (repetitions.due) this.writeRepetitions();
      return "repeated";
    }
    const openedSeq = event.type === "StreamClosed" ? (endedBy(status, event)?.seq ?? null) : null;
    return append(withWellFormedText(event), { ...OBSERVED, causeSeq, openedSeq }, atMs);
  }

  /** As Store.appendStart. */
  started({ run, peerId, version, config, lastAliveMs }: StartInit): Start {
    const { rows, append } = this.#init;
    const lastRun = rows.lastRun();
    const orphans = this.closeOrphans(lastAliveMs);
    const plain = JSON.parse(JSON.stringify(config)) as NonNullable<StartFacts["config"]>;
    const configSha256 = hash("sha256", JSON.stringify(plain), "hex");
    const isSame = configSha256 === lastRun?.configSha256 && lastRun.config !== null;
    const details = { run, peerId, version, schema: knownMigrations().size, configSha256, config: isSame ? null : plain };
    const isOther = vocabularyChanged(lastRun, plain["events"]);
    const entry = append({ type: "DaemonStarted", reason: lastRunOf(lastRun), details }, OBSERVED);
    return { entry, orphans, lastRun, vocabularyChanged: isOther };
  }

  /** As Store.appendReinterpreted. */
  reinterpreted(changes: readonly Reinterpreted[], settings: EventSettings): LogEntry<DesiredEvent>[] {
    const { append } = this.#init;
    const entries = changes.map(({ event, causeSeq }) => append(event, { ...OBSERVED, causeSeq }));
    append({ type: "LogReinterpreted", details: { vocabulary: { ...settings }, changes: entries.length } }, OBSERVED);
    return entries;
  }

  /** As Store.appendIdentityChanged. */
  identityChanged(event: IdentityChanged): LogEntry<IdentityChanged> {
    return this.#init.append(event, OBSERVED);
  }

  /** As Store.appendStopped. */
  stopped(durationMs: number): void {
    this.#init.append({ type: "DaemonStopped", durationMs: Math.round(durationMs) }, OBSERVED);
  }

  /** As Store.closeOrphans. Only wall time can tell how long the streams lasted. */
  closeOrphans(lastAliveMs: number | null): number {
    const { rows, append, committed, clock } = this.#init;
    const orphans = rows.openStreams();
    if (orphans.length === 0) return 0;
    const lastRowAtMs = rows.newestOfDaemon()?.atMs ?? null;
    const atMs = aliveUntilMs({ lastRowAtMs, lastAliveMs, nowMs: clock.wallMs() });
    for (const { seq, peerId, protocol, direction, attempt, openedAtMs } of orphans) {
      const durationMs = Math.max(0, atMs - openedAtMs);
      const ended = { reason: "daemon_restart", attempt, durationMs, durationClock: "wall" } as const;
      const closed: StreamClosed = { type: "StreamClosed", peerId, protocol, direction, ...ended };
      append(closed, { ...OBSERVED, causeSeq: committed.peer(peerId)?.generation ?? null, openedSeq: seq }, atMs);
    }
    return orphans.length;
  }

  writeRepetitions(): void {
    this.#init.repetitions.take().forEach(this.#init.rows.addRepetition);
  }
}
