/** Appends what the daemon observed, and counts what would fill the log. Only ever called within a write transaction. */
import type { Clock } from "../../base/clock.ts";
import type { ObservedEvent, StreamClosed } from "../../events/types.ts";
import { endedBy, repeatedBy } from "../fold/status.ts";
import type { LogEntry } from "../model/log-entry.ts";
import type { Tables } from "../sql/statements/tables.ts";
import { type Append, OBSERVED, withWellFormedText } from "./append.ts";
import type { CommittedState } from "./committed-state.ts";
import type { Repetitions } from "./repetitions.ts";

/**
 * Anyone can mint PeerIDs and be refused with each; the log must not grow with them. Known peers have a limit of their own, so
 * that strangers cannot use it up.
 */
const MAX_REFUSALS_PER_HOUR = 600;
const HOUR_MS = 3_600_000;

interface ObservedAppenderInit {
  readonly rows: Tables;
  readonly committed: CommittedState;
  readonly append: Append;
  readonly repetitions: Repetitions;
  readonly clock: Clock;
}

export class ObservedAppender {
  readonly #init: ObservedAppenderInit;
  readonly #knownPeers = rollingLimit(MAX_REFUSALS_PER_HOUR, HOUR_MS);
  readonly #strangers = rollingLimit(MAX_REFUSALS_PER_HOUR, HOUR_MS);
  #suppressedRefusals = 0;

  constructor(init: ObservedAppenderInit) {
    this.#init = init;
  }

  get suppressedRefusals(): number {
    return this.#suppressedRefusals;
  }

  /** As Store.appendObserved. */
  observed(event: ObservedEvent, atMs: number): LogEntry<ObservedEvent> | "repeated" | "suppressed" {
    const { committed, append, repetitions } = this.#init;
    const status = committed.status(event.peerId);
    const repeated = repeatedBy(status, event);
    if (repeated !== undefined) {
      repetitions.count(repeated.seq, Math.round(atMs));
      if (repetitions.due) this.writeRepetitions();
      return "repeated";
    }
    if (event.type === "InboundRefused" && this.#isOneTooMany(event)) {
      this.#suppressedRefusals++;
      return "suppressed";
    }
    const causeSeq = event.type === "StreamClosed" ? (endedBy(status, event)?.seq ?? null) : null;
    return append(withWellFormedText(event), { ...OBSERVED, causeSeq }, atMs);
  }

  /** As Store.closeOrphanedStreams. */
  orphanedStreams(): LogEntry<StreamClosed>[] {
    const { rows, append } = this.#init;
    return rows.openStreams().map(({ seq, peerId, protocol, direction }) => {
      const closed: StreamClosed = { type: "StreamClosed", peerId, protocol, direction, reason: "daemon_restart" };
      return append(closed, { ...OBSERVED, causeSeq: seq });
    });
  }

  writeRepetitions(): void {
    this.#init.repetitions.take().forEach(this.#init.rows.addRepetition);
  }

  #isOneTooMany({ peerId }: ObservedEvent): boolean {
    const { committed, clock } = this.#init;
    const limit = committed.peer(peerId) === undefined ? this.#strangers : this.#knownPeers;
    return !limit(clock.monotonicMs());
  }
}

/** Whether something may happen at `nowMs` (monotonic), at most so often in any window of time; if so, it has. */
function rollingLimit(maxTimes: number, windowMs: number): (nowMs: number) => boolean {
  const takenAtMs: number[] = [];
  return (nowMs) => {
    while (takenAtMs[0] !== undefined && takenAtMs[0] <= nowMs - windowMs) takenAtMs.shift();
    if (takenAtMs.length >= maxTimes) return false;
    takenAtMs.push(nowMs);
    return true;
  };
}
