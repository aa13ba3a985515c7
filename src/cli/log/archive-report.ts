/** What `archive` did, or would do, as text and as JSON. Pure. */
import { bytesText, counted, isoTime } from "../../base/units.ts";
import type { ArchiveReport } from "../../store/archive/archive.ts";

interface Described {
  readonly firstSeq: number;
  readonly lastSeq: number;
  readonly events: number;
  readonly firstAtMs: number;
  readonly lastAtMs: number;
}

function eventsText({ firstSeq, lastSeq, events, firstAtMs, lastAtMs }: Described): string {
  return `seq ${firstSeq} to ${lastSeq} (${counted(events, "event")}, ${isoTime(firstAtMs)} to ${isoTime(lastAtMs)})`;
}

export function archiveText(report: ArchiveReport): string {
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
  return [
    `${counted(removed, "row")} ${removed === 1 ? "was" : "were"} deleted, which frees ${bytesText(freedBytes)} in the database: new events take that room, the file itself does not shrink`,
  ];
}

export function archiveJson(report: ArchiveReport): object {
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
