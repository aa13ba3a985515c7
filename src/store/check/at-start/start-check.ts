/**
 * Verifies what the daemon trusts when it starts: the chain, a replay of the rows behind the newest anchor against the projections,
 * the cursor, the archive tables, the counts of repeated failures, and the triggers. `check` also checks pages, payloads and files.
 */
import type Database from "better-sqlite3";
import { startReplay } from "../../fold/replay.ts";
import type { Cursor } from "../../model/cursor.ts";
import { type Finding, Findings } from "../../model/finding.ts";
import { closeAtEnd } from "../../sql/open.ts";
import { openToRead } from "../../sql/open-to-read.ts";
import { anchorFindings, logOrigin } from "../anchor-check.ts";
import { triggerFindings } from "../file/schema-check.ts";
import { cursorCheck } from "../rows/cursor-check.ts";
import { highestSeq, LogPass } from "../rows/log-pass.ts";
import { repetitionFindings } from "../rows/repetitions-check.ts";
import { replayCheck } from "../rows/replay-check.ts";
import { chainCheck } from "../rows/sound-rows.ts";

export interface StartReport {
  /** Number of rows replayed: those behind the newest anchor. */
  readonly rows: number;
  /** The position in the broker stream that the rows prove, if a sound cursor is behind it; otherwise null. */
  readonly cursorProven: Cursor | null;
  /** Empty if everything that the daemon trusts follows from the log. */
  readonly findings: readonly Finding[];
}

/** The answer of the thread that ran checkAtStart. */
export type WorkerAnswer = { readonly ok: true; readonly report: StartReport } | { readonly ok: false; readonly why: string };

/** Reads `file` in one transaction. Throws SQLite's errors. */
export function checkAtStart(file: string): StartReport {
  const database = openToRead(file);
  using _closing = closeAtEnd(database);
  return database.transaction(() => findingsIn(database))();
}

function findingsIn(database: Database.Database): StartReport {
  const findings = new Findings();
  findings.take("triggers", () => triggerFindings(database));
  const { start, projections, cursor: archived } = logOrigin(database);
  const [replay, cursor] = [replayCheck(startReplay(projections)), cursorCheck(archived)];
  const checks = new Map([
    ["chain", chainCheck(start)],
    // If the archived state is unreadable, anchorFindings says why.
    ...(projections === undefined ? [] : [["replay", replay] as const]),
    ["ingest_cursor", cursor],
  ]);
  const pass = new LogPass({ database, findings, checks, onRow: () => {} }, start);
  pass.readTo(highestSeq(database) ?? 0);
  if (projections !== undefined) findings.take("projections", () => replay.tables(database));
  findings.take("archives", () => anchorFindings(database));
  let cursorProven: Cursor | null = null;
  findings.take("ingest_cursor", () => {
    cursorProven = cursor.ahead(database);
    return cursorProven === null ? cursor.cursor(database) : [];
  });
  findings.take("repeated_failures", () => repetitionFindings(database, start));
  return { rows: pass.rows, cursorProven, findings: findings.all() };
}
