/** Appending one event: its place, its row in the chain, what it does to the projections. */
import type { Clock } from "../../base/clock.ts";
import type { LogEvent } from "../../events/types.ts";
import { project } from "../fold/project.ts";
import { chainHash } from "../model/chain.ts";
import { columnsOf, type LogEntry, OWN_SOURCE } from "../model/log-entry.ts";
import type { StoredPayload } from "../model/payload.ts";
import type { Tables } from "../sql/statements/tables.ts";
import type { CommittedState } from "./committed-state.ts";
import type { Repetitions } from "./repetitions.ts";

/** What a row says of where its event comes from. */
interface Origin extends Pick<LogEntry, "source" | "subject" | "dedupeKey" | "causeSeq" | "streamSequence"> {
  readonly payload: StoredPayload | null;
}

export const OBSERVED: Origin = {
  source: OWN_SOURCE,
  subject: null,
  dedupeKey: null,
  causeSeq: null,
  streamSequence: null,
  payload: null,
};

export type Append = <Event extends LogEvent>(event: Event, origin: Origin, atMs?: number) => LogEntry<Event>;

/** Appends one event and projects it. Only ever called within a write transaction, which makes `seq` gapless. */
export function appender(rows: Tables, committed: CommittedState, repetitions: Repetitions, clock: Clock): Append {
  return (event, { payload, ...origin }, happenedAtMs = clock.wallMs()) => {
    repetitions.take().forEach(rows.addRepetition);
    const head = committed.head;
    const seq = head.seq + 1;
    // A virtual clock may give fractions of a millisecond; the log holds whole ones.
    const atMs = Math.round(happenedAtMs);
    const { effect, supersededPeerId, desired, statuses } = project(committed, event, { seq, atMs, causeSeq: origin.causeSeq });
    const {
      payload: bytes = null,
      payloadEncoding = null,
      payloadBytes = null,
      payloadSha256 = null,
      storedSha256 = null,
    } = payload ?? {};
    const place = { seq, atMs, effect, supersededPeerId, ...origin, payloadBytes, payloadSha256 };
    // One object for both: this is done for every event of a flood.
    const row = { ...columnsOf(event), ...place, payloadEncoding, storedSha256, payload: bytes, chainHash: "" };
    row.chainHash = chainHash(head.chainHash, row);
    rows.insertEvent(row);
    const hash = row.chainHash;
    committed.appended({ seq, chainHash: hash, atMs });
    for (const peer of desired) {
      rows.upsertDesired(peer);
      committed.setDesired(peer);
    }
    for (const status of statuses) {
      rows.upsertStatus(status);
      committed.setStatus(status.after);
    }
    return { ...place, event, chainHash: hash };
  };
}

/** SQLite's text is UTF-8, which holds no lone surrogates: what JSON may carry has to be folded as it will be read back. */
export function withWellFormedText<Value extends object>(value: Value): Value {
  if (Object.values(value).every((field) => typeof field !== "string" || field.isWellFormed())) return value;
  const fields: [string, unknown][] = Object.entries(value);
  return Object.fromEntries(
    fields.map(([key, field]) => [key, typeof field === "string" ? field.toWellFormed() : field]),
  ) as Value;
}
