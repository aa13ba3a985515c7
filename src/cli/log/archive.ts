/** `oc-partnerd archive`: moves old events of a log to a file, whether its daemon runs or not. */
import type { Clock } from "../../base/clock.ts";
import { type ArchiveReport, type ArchiveStep, archive } from "../../store/archive/archive.ts";
import type { ArchiveBefore } from "../../store/archive/archive-plan.ts";
import { isoTime } from "../../views/iso-time.ts";
import { bytesText } from "../terminal/bytes.ts";
import { durationMsOf, isDuration } from "../terminal/duration.ts";
import { holdEventLoop } from "../terminal/hold-event-loop.ts";
import { type ProgressStream, stepProgress } from "../terminal/progress.ts";
import { logPlaceOf } from "./log-place.ts";

export interface ArchiveCommandOptions {
  /** The data directory. */
  readonly data: string;
  /** A seq, a time, or how long ago that was, as the user wrote it. */
  readonly before: string;
  readonly to: string | undefined;
  readonly dryRun: boolean;
  readonly json: boolean;
  readonly clock: Clock;
  /** Where the progress is shown. */
  readonly terminal: ProgressStream;
}

const LONGEST_AGE_MS = 36_500 * 86_400_000;

const LABELS: Readonly<Record<ArchiveStep, string>> = {
  writing: "writing the file",
  "reading back": "reading it back",
  written: "putting the anchor",
  anchored: "putting the anchor",
  removing: "deleting the rows",
};

/** The answer as text, or as JSON. Throws usage, and what store/archive/archive.ts throws. */
export async function archiveEvents(options: ArchiveCommandOptions): Promise<string> {
  const { data, to, dryRun, json, clock, terminal } = options;
  const before = beforeOf(options.before, clock.wallMs());
  using _held = holdEventLoop();
  using shown = stepProgress(terminal);
  const report = await archive({
    data,
    before,
    to,
    clock,
    dryRun,
    onProgress: (step, rows, total) => shown.update(LABELS[step], rows, total),
  });
  shown.clear();
  return json ? JSON.stringify(jsonOf(report), null, 2) : textOf(report);
}

function beforeOf(text: string, nowMs: number): ArchiveBefore {
  return isDuration(text)
    ? { atMs: nowMs - durationMsOf("--before", text, LONGEST_AGE_MS) }
    : logPlaceOf(
        "--before",
        text,
        "write an age such as 90d, a time in UTC such as 2026-01-01T12:00:00Z, or a number such as 120",
      );
}

interface Described {
  readonly firstSeq: number;
  readonly lastSeq: number;
  readonly events: number;
  readonly firstAtMs: number;
  readonly lastAtMs: number;
}

function eventsText({ firstSeq, lastSeq, events, firstAtMs, lastAtMs }: Described): string {
  const counted = events === 1 ? "1 event" : `${events} events`;
  return `seq ${firstSeq} to ${lastSeq} (${counted}, ${isoTime(firstAtMs)} to ${isoTime(lastAtMs)})`;
}

function textOf(report: ArchiveReport): string {
  switch (report.kind) {
    case "nothing":
      return ["nothing to archive: no event that is not the newest one is before that", ...freedLines(report)].join("\n");
    case "planned":
      return [
        `would archive ${eventsText(report.plan)} to ${report.path}`,
        `it would free about ${bytesText(report.bytes)} in the database; nothing was changed: dry run`,
      ].join("\n");
    case "archived": {
      const { fileBytes, fileSha256 } = report.anchor;
      return [
        `archived ${eventsText(report.anchor)} to ${report.path}`,
        `the file has ${bytesText(fileBytes)} and the SHA-256 ${fileSha256}`,
        ...freedLines(report),
      ].join("\n");
    }
  }
}

function freedLines({ removed, freedBytes }: ArchiveReport): readonly string[] {
  if (removed === 0) return [];
  const counted = removed === 1 ? "1 row was" : `${removed} rows were`;
  return [
    `${counted} deleted, which frees ${bytesText(freedBytes)} in the database: new events take that room, the file itself does not shrink`,
  ];
}

function jsonOf(report: ArchiveReport): object {
  const { removed, freedBytes } = report;
  switch (report.kind) {
    case "nothing":
      return { outcome: "nothing", removed, freedBytes };
    case "planned":
      return { outcome: "planned", ...describedJson(report.plan), path: report.path, freedBytes: report.bytes };
    case "archived": {
      const { fileBytes: bytes, fileSha256: sha256, loggedSeq } = report.anchor;
      return {
        outcome: "archived",
        ...describedJson(report.anchor),
        path: report.path,
        bytes,
        sha256,
        loggedSeq,
        removed,
        freedBytes,
      };
    }
  }
}

function describedJson({ firstSeq, lastSeq, events, firstAtMs, lastAtMs }: Described): object {
  return { firstSeq, lastSeq, events, firstAt: isoTime(firstAtMs), lastAt: isoTime(lastAtMs) };
}
