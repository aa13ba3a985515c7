/** `oc-partnerd archive`: moves old events from the log to an archive file. Works with or without a running daemon. */
import { Command } from "commander";
import { systemClock as clock } from "../../base/clock.ts";
import { bytesText, counted, isoTime } from "../../base/units.ts";
import type { ArchiveReport, ArchiveStep } from "../../store/archive/archive.ts";
import type { ArchivePlan, Misdated } from "../../store/archive/archive-plan.ts";
import {
  CONFIG_FLAG,
  configOf,
  DATA_FLAG,
  type DaemonFlags,
  DURATION_UNITS,
  type Env,
  example,
  JSON_FLAG,
} from "../terminal/flags.ts";
import { holdEventLoop } from "../terminal/hold-event-loop.ts";
import { jsonText, print } from "../terminal/output.ts";
import { stepProgress } from "../terminal/progress.ts";
import { agedPlaceOf } from "./log-place.ts";

export function archiveCommand(env: Env): Command {
  return new Command("archive")
    .description("move old events to an archive file (safe while the daemon runs)")
    .requiredOption(
      "--before <time|seq>",
      `move events before this: an age such as 90d, a UTC time such as 2026-01-01, or a seq; ${DURATION_UNITS} (required)`,
    )
    .option("--to <dir>", "directory for the file (default: `archive` in the data directory)")
    .option(...DATA_FLAG)
    .option(...CONFIG_FLAG)
    .option("--dry-run", "show what would be moved, and how much space that would free", false)
    .option(...JSON_FLAG)
    .addHelpText(
      "after",
      example(
        "oc-partnerd archive --data /var/lib/oc-partnerd --before 90d --dry-run",
        "oc-partnerd archive --data /var/lib/oc-partnerd --before 2026-01-01 --to /mnt/archive",
      ),
    )
    .action(
      async ({ before, to, dryRun, json, ...flags }: Omit<ArchiveRequest, "data"> & DaemonFlags & { readonly json: boolean }) => {
        const report = await runArchive({ data: configOf(flags, env).data, before, to, dryRun });
        print(json ? jsonText(archiveJson(report)) : archiveText(report));
        // A cron job that never archives anything again should be noticed.
        if (report.kind === "nothing" && report.misdated.kept > 0) process.exitCode = 1;
      },
    );
}

interface ArchiveRequest {
  /** The data directory. */
  readonly data: string;
  /** A seq, a time or an age, as typed by the user. */
  readonly before: string;
  readonly to?: string | undefined;
  readonly dryRun: boolean;
}

const LABELS: Readonly<Record<ArchiveStep, string>> = {
  writing: "writing the file",
  "reading back": "verifying the file",
  written: "writing the anchor",
  anchored: "writing the anchor",
  removing: "deleting rows",
};

/** Throws usage, and the errors of store/archive/archive.ts. */
async function runArchive({ data, before: text, to, dryRun }: ArchiveRequest): Promise<ArchiveReport> {
  const before = agedPlaceOf("--before", text, clock.wallMs());
  const { archive } = await import("../../store/archive/archive.ts");
  using _held = holdEventLoop();
  using shown = stepProgress(process.stderr);
  return await archive({
    data,
    before,
    to,
    clock,
    dryRun,
    onProgress: (step, rows, total) => shown.update(LABELS[step], rows, total),
  });
}

type Described = Pick<ArchivePlan, "firstSeq" | "lastSeq" | "events" | "firstAtMs" | "lastAtMs">;

function eventsText({ firstSeq, lastSeq, events, firstAtMs, lastAtMs }: Described): string {
  return `seq ${firstSeq} to ${lastSeq} (${counted(events, "event")}, ${isoTime(firstAtMs)} to ${isoTime(lastAtMs)})`;
}

function archiveText(report: ArchiveReport): string {
  switch (report.kind) {
    case "nothing":
      return ["nothing to archive before that point", ...misdatedLines(report.misdated), ...freedLines(report)].join("\n");
    case "planned":
      return [
        `would archive ${eventsText(report.plan)} to ${report.path}`,
        `this would free about ${bytesText(report.bytes)} in the database, less if the log is small: pages are freed whole; dry run: nothing was changed`,
        ...misdatedLines(report.misdated),
      ].join("\n");
    case "archived": {
      const { fileBytes, fileSha256 } = report.anchor;
      return [
        `archived ${eventsText(report.anchor)} to ${report.path}`,
        `size ${bytesText(fileBytes)}, SHA-256 ${fileSha256}`,
        ...misdatedLines(report.misdated),
        ...freedLines(report),
      ].join("\n");
    }
  }
}

function misdatedLines({ moved, kept, behind, allBeforeSeq }: Misdated): readonly string[] {
  const lines: string[] = [];
  if (moved > 0) lines.push(`including ${counted(moved, "event")} dated later, among earlier ones: the clock was ahead`);
  if (behind !== undefined)
    lines.push(
      `not moved: ${counted(kept, "event")} dated earlier, behind events dated later (seq ${behind.seq}, ${isoTime(behind.atMs)}): the clock was wrong; to move them too, use --before ${allBeforeSeq}`,
    );
  return lines;
}

function freedLines({ removed, freedBytes }: ArchiveReport): readonly string[] {
  if (removed === 0) return [];
  return [
    `deleted ${counted(removed, "row")} and freed ${bytesText(freedBytes)} in the database for new events; the database file does not shrink`,
  ];
}

function archiveJson(report: ArchiveReport): object {
  const { removed, freedBytes } = report;
  const misdated = { moved: report.misdated.moved, kept: report.misdated.kept };
  switch (report.kind) {
    case "nothing":
      return { outcome: "nothing", misdated, removed, freedBytes };
    case "planned":
      return { outcome: "planned", ...describedJson(report.plan), path: report.path, misdated, freedBytes: report.bytes };
    case "archived": {
      const { fileBytes: bytes, fileSha256: sha256, loggedSeq } = report.anchor;
      return {
        outcome: "archived",
        ...describedJson(report.anchor),
        path: report.path,
        bytes,
        sha256,
        loggedSeq,
        misdated,
        removed,
        freedBytes,
      };
    }
  }
}

function describedJson({ firstSeq, lastSeq, events, firstAtMs, lastAtMs }: Described): object {
  return { firstSeq, lastSeq, events, firstAt: isoTime(firstAtMs), lastAt: isoTime(lastAtMs) };
}
