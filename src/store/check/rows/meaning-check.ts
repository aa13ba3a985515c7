/** Decodes each stored message again, under the settings recorded for its run, and compares the result with its columns. */
import { isDeepStrictEqual } from "node:util";
import { version } from "../../../base/version.ts";
import { decodeMessage } from "../../../events/decode.ts";
import { resolve } from "../../../events/resolve.ts";
import { DEFAULT_LIMITS, DEFAULT_VOCABULARY, type EventSettings } from "../../../events/vocabulary.ts";
import { withWellFormedText } from "../../../events/well-formed.ts";
import { foldRun, type RunRecord } from "../../fold/run-record.ts";
import type { UnprovenClaim } from "../../model/finding.ts";
import { rowPlace } from "../../model/finding.ts";
import { eventOf, type LogRow } from "../../model/log-entry.ts";
import type { RowCheck } from "./row-reader.ts";

export interface MeaningCheck extends RowCheck {
  /** The messages so far that could not be compared. */
  witnesses(): Iterable<UnprovenClaim>;
}

/** `before`: the run in which the first row was appended. */
export function meaningCheck(before: RunRecord | null): MeaningCheck {
  let run = before;
  let runVersion: string | null = null;
  const undecided = { partial: 0, unknown: 0, otherVersion: 0 };
  return {
    *row(row) {
      if (row.type === "DaemonStarted" || row.type === "LogReinterpreted") {
        const event = eventOf(row);
        run = foldRun(run, { seq: row.seq, event });
        if (event.type === "DaemonStarted") runVersion = event.details.version;
        return;
      }
      if (row.subject === null || row.payload === null) return;
      const settings = run?.config?.["events"];
      if (row.payload.byteLength !== row.payloadBytes) undecided.partial += 1;
      else if (!isSettings(settings)) undecided.unknown += 1;
      else {
        const problem = contradiction(row, row.payload, row.subject, settings);
        if (problem === null) return;
        // Another version may have decoded it differently.
        if (runVersion === version) yield { place: rowPlace(row.seq), problem };
        else undecided.otherVersion += 1;
      }
    },
    *witnesses() {
      const { partial, unknown, otherVersion } = undecided;
      const witness = "the publisher, or a broker stream that still holds them";
      if (partial > 0)
        yield { place: "event_log", claim: `${partial} of its messages are stored in part and cannot be decoded again`, witness };
      if (unknown > 0)
        yield { place: "event_log", claim: `${unknown} of its messages have no recorded settings to decode them again`, witness };
      if (otherVersion > 0)
        yield {
          place: "event_log",
          claim: `${otherVersion} of its messages, decoded by another version, differ from their columns`,
          witness: "that version's `check`",
        };
    },
  };
}

type Columns = Partial<Record<keyof LogRow, unknown>>;

/** The first column that differs from the message; null if there is none. */
function contradiction(row: LogRow, bytes: Buffer, subject: string, settings: EventSettings): string | null {
  for (const [column, value] of Object.entries(columnsIn(row, bytes, subject, settings))) {
    const found = row[column as keyof LogRow];
    if (!isDeepStrictEqual(found, value))
      return `${column} is ${JSON.stringify(found)}, its payload says ${JSON.stringify(value)}`;
  }
  return null;
}

/** The columns that follow from the message, by property name. */
function columnsIn(row: LogRow, bytes: Buffer, subject: string, settings: EventSettings): Columns {
  const decoded = withWellFormedText(decodeMessage({ subject, bytes }, settings, settings));
  if (decoded.kind === "ignored") return { type: `nothing, because it is ${decoded.reason}` };
  const publisher = { source: decoded.source, claimedUser: decoded.claimedUser };
  if (decoded.kind === "rejected") return { type: "EventRejected", reason: decoded.reason, ...publisher };
  // That depends on the rows before it.
  if (row.type === "EventRejected" && row.reason === "outdated") return publisher;
  const event = resolve(decoded, () => row.peerId ?? undefined);
  return "kind" in event ? publisher : { ...event, ...publisher };
}

/** The log records settings as JSON, which a later version may have extended. */
function isSettings(value: unknown): value is EventSettings {
  if (typeof value !== "object" || value === null) return false;
  const fields = new Map<string, unknown>(Object.entries(value));
  return (
    Object.keys(DEFAULT_VOCABULARY).every((name) => Array.isArray(fields.get(name))) &&
    Object.keys(DEFAULT_LIMITS).every((name) => typeof fields.get(name) === "number")
  );
}
