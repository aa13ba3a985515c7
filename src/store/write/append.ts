/** Appends one event: assigns its seq, extends the chain, and updates the projections. */
import type { Clock } from "../../base/clock.ts";
import type { LogEvent } from "../../events/types.ts";
import { project } from "../fold/project.ts";
import { chainHash } from "../model/chain.ts";
import { columnsOf, type LogEntry, OWN_SOURCE } from "../model/log-entry.ts";
import type { StoredPayload } from "../model/payload.ts";
import type { Tables } from "../sql/statements/tables.ts";
import type { CommittedState } from "./committed-state.ts";
import type { Repetitions } from "./repetitions.ts";

/** The origin of an event, and what caused it. */
interface Origin
  extends Pick<LogEntry, "source" | "claimedUser" | "subject" | "dedupeKey" | "causeSeq" | "openedSeq" | "streamSequence"> {
  readonly payload: StoredPayload | null;
}

export const OBSERVED: Origin = {
  source: OWN_SOURCE,
  claimedUser: null,
  subject: null,
  dedupeKey: null,
  causeSeq: null,
  openedSeq: null,
  streamSequence: null,
  payload: null,
};

export type Append = <Event extends LogEvent>(event: Event, origin: Origin, atMs?: number) => LogEntry<Event>;

/** Appends one event and projects it. Call only within a write transaction, which keeps `seq` gapless. */
export function appender(
  rows: Tables,
  committed: CommittedState,
  repetitions: Repetitions,
  clock: Pick<Clock, "wallMs">,
): Append {
  return (event, { payload, ...origin }, happenedAtMs = clock.wallMs()) => {
    repetitions.take().forEach(rows.addRepetition);
    const head = committed.head;
    const seq = head.seq + 1;
    // A virtual clock may return fractions of a millisecond; the log stores whole ones.
    const atMs = Math.round(happenedAtMs);
    // A row written late, with the time at which it happened, does not set the clock back.
    const nowMs = Math.round(clock.wallMs());
    const clockSetBackMs = head.atMs !== null && nowMs < head.atMs ? head.atMs - nowMs : null;
    const { effect, generation, supersededPeerId, desired, statuses } = project(committed, event, { seq, atMs, ...origin });
    const {
      payload: bytes = null,
      payloadEncoding = null,
      payloadBytes = null,
      payloadSha256 = null,
      storedSha256 = null,
    } = payload ?? {};
    const place = { seq, atMs, effect, generation, supersededPeerId, ...origin, payloadBytes, payloadSha256 };
    // One object serves both the hash and the insert, because this runs for every event of a flood.
    const row = { ...columnsOf(event), ...place, clockSetBackMs, payloadEncoding, storedSha256, payload: bytes, chainHash: "" };
    row.chainHash = chainHash(head.chainHash, row);
    rows.insertEvent(row);
    const entry = { ...place, event, chainHash: row.chainHash };
    committed.appended(entry);
    for (const peer of desired) {
      rows.upsertDesired(peer);
      committed.setDesired(peer);
    }
    for (const status of statuses) {
      rows.upsertStatus(status);
      committed.setStatus(status.after);
    }
    return entry;
  };
}
