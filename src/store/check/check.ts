/**
 * Checks everything that a database guarantees, and reports each violation. Reads only, and may run beside the daemon: reads the
 * rows page by page, then the newest rows and the derived tables in one short transaction.
 */

import { basename } from "node:path";
import type Database from "better-sqlite3";
import { startReplay } from "../fold/replay.ts";
import type { Cursor } from "../model/cursor.ts";
import type { UnprovenClaim } from "../model/finding.ts";
import { type Finding, Findings } from "../model/finding.ts";
import { LOG_BEGINNING, type LogHead, type LogStart, NO_ROWS } from "../model/log-head.ts";
import { DATABASE_NAME, databaseFileOf } from "../sql/data-directory.ts";
import { isEmpty } from "../sql/open.ts";
import { openToRead } from "../sql/open-to-read.ts";
import { anchorFindings, logOrigin } from "./anchor-check.ts";
import { headerFindings } from "./file/header-check.ts";
import { integrityFindings } from "./file/integrity.ts";
import { applicationIdFindings, migrationFindings, refuseOtherVersion, schemaFindings } from "./file/schema-check.ts";
import { headBeside, headFindings, type KnownHead } from "./head-check.ts";
import { type HeadSeries, seriesReport } from "./head-series.ts";
import { leftoverFindings, leftoverWitnesses } from "./leftovers-check.ts";
import { columnTypesCheck } from "./rows/column-types.ts";
import { cursorCheck } from "./rows/cursor-check.ts";
import { identityCheck } from "./rows/identity-check.ts";
import { highestSeq, LogPass } from "./rows/log-pass.ts";
import { meaningCheck } from "./rows/meaning-check.ts";
import { repetitionFindings } from "./rows/repetitions-check.ts";
import { replayCheck } from "./rows/replay-check.ts";
import { attempt, type RowCheck } from "./rows/row-reader.ts";
import { chainCheck, payloadCheck } from "./rows/sound-rows.ts";
import { streamsCheck } from "./rows/streams-check.ts";
import { countWitnesses, headWitnesses } from "./witnesses.ts";

export interface CheckOptions {
  /** A data directory, or a database file. */
  readonly path: string;
  /** Heads that the log must still contain, besides the one in the head file. */
  readonly heads?: readonly KnownHead[];
  /** Heads that the daemon published to one place; a copy of a database may end before the newest of them. */
  readonly series?: HeadSeries;
  /**
   * False leaves out whether rows agree with earlier ones: closes of streams with their openings, starts with the log's identity; and
   * whether the cursor is behind the rows. Default true. For copies: a log that lost a close cannot be repaired, and is still worth a
   * backup, and the daemon corrects such a cursor.
   */
  readonly withHistory?: boolean;
  /** Makes a missing head file a finding; default false. */
  readonly requireHead?: boolean;
  /** Called with the number of rows read so far and in all. */
  readonly onProgress?: (rows: number, total: number) => void;
}

export interface CheckReport {
  readonly file: string;
  /** The newest readable row. */
  readonly head: LogHead;
  /** Number of rows read. */
  readonly events: number;
  /** Empty if the database is sound. */
  readonly findings: readonly Finding[];
  /** The claims that the file alone cannot prove. */
  readonly witnesses: readonly UnprovenClaim[];
  /** The position in the broker stream that the rows prove, if a sound cursor is behind it; otherwise null. */
  readonly cursorProven: Cursor | null;
}

/**
 * Throws `database_failed` if there is no database, or if it belongs to another program or has an older schema, `database_newer` if it
 * has a newer schema, and `database_retired` if it is from before the first release. Any other problem is a finding.
 */
export function checkDatabase(options: CheckOptions): CheckReport {
  const { path, heads = [], requireHead = false, withHistory = true, onProgress = () => {} } = options;
  const file = databaseFileOf(path);
  const isData = basename(file) === DATABASE_NAME;
  const findings = new Findings();
  // Read before the database, so that everything the file names has been committed.
  const beside = headBeside(file);
  findings.take("head", () => beside.findings);
  if (requireHead && beside.isMissing) findings.take("head", () => [{ place: beside.from, problem: "missing" }]);
  const known = [...heads, ...(beside.head === null ? [] : [beside.head])];
  const database = openToRead(file);
  try {
    const read = attempt(() => database.prepare("select count(*) from sqlite_schema").get());
    if (!read.ok) {
      findings.take("pages", () => [{ place: basename(file), problem: `cannot be read: ${read.why}` }]);
      return { file, head: NO_ROWS, events: 0, findings: findings.all(), witnesses: [], cursorProven: null };
    }
    const all = [...known, ...(isData ? (options.series?.heads.slice(-1) ?? []) : [])];
    const gone = isEmpty(database) ? all.flatMap((head) => [...headFindings(database, head, 0, LOG_BEGINNING)]) : [];
    if (gone.length > 0) {
      findings.take("head", () => gone);
      return { file, head: NO_ROWS, events: 0, findings: findings.all(), witnesses: [], cursorProven: null };
    }
    refuseOtherVersion(database, file);
    findings.take("file header", () => headerFindings(file));
    const series = options.series && (isData ? options.series : within(options.series, highestSeq(database) ?? 0));
    const published = [...heads, ...(options.series?.heads ?? [])];
    const contents = checkContents(database, findings, { known, series, published }, withHistory, onProgress);
    if (contents !== "archived concurrently") {
      const { agreedSeq, ...report } = contents;
      const isCompared = options.series !== undefined;
      const given = { isHeadMissing: beside.isMissing, published, agreedSeq, isCompared, beside: beside.head };
      const ofHead = headWitnesses(report.head, given, isData);
      return { file, ...report, findings: findings.all(), witnesses: [...ofHead, ...report.witnesses] };
    }
  } finally {
    database.close();
  }
  return checkDatabase(options);
}

/** The heads to compare the log with. */
interface GivenHeads {
  /** With the one in the head file. */
  readonly known: readonly KnownHead[];
  /** As far as the log or its copy should have them. */
  readonly series: HeadSeries | undefined;
  /** All that were published. */
  readonly published: readonly KnownHead[];
}

interface Contents extends Pick<CheckReport, "head" | "events" | "witnesses" | "cursorProven"> {
  /** The seq of the newest published head that agrees with the log; 0 if none does. */
  readonly agreedSeq: number;
}

function checkContents(
  database: Database.Database,
  findings: Findings,
  { known, series, published: all }: GivenHeads,
  withHistory: boolean,
  onProgress: (rows: number, total: number) => void,
): Contents | "archived concurrently" {
  findings.take("file header", () => applicationIdFindings(database));
  findings.take("pages", () => integrityFindings(database));
  findings.take("schema", () => [...schemaFindings(database), ...migrationFindings(database)]);

  const origin = attempt(() => logOrigin(database));
  if (!origin.ok) {
    // Its tables are not those of this program; the findings above say more.
    findings.take("schema", () => [{ place: "schema", problem: `the log cannot be read with it: ${origin.why}` }]);
    return { events: 0, head: NO_ROWS, witnesses: [], cursorProven: null, agreedSeq: 0 };
  }
  const { start } = origin.value;
  const { replay, derived, meaning, identity, checks } = rowChecks(origin.value, withHistory);
  const lastSeq = () => highestSeq(database) ?? Math.max(0, ...known.map(({ seq }) => seq));
  let total = lastSeq();
  const onRow = (seq: number) => onProgress(seq - start.seq, total - start.seq);
  const pass = new LogPass({ database, findings, checks, onRow }, start);
  pass.readTo(total);
  let isSame = true;
  let witnesses: readonly UnprovenClaim[] = [];
  let cursorProven: Cursor | null = null;
  let agreedSeq = 0;
  // One transaction, so that nothing is appended between reading the end of the log and reading the tables.
  inOneRead(database, () => {
    isSame = logOrigin(database).start.seq === start.seq;
    if (!isSame) return;
    total = lastSeq();
    pass.readTo(total);
    findings.take("projections", () => replay.tables(database));
    findings.take("archives", () => anchorFindings(database));
    findings.take("archived rows", () => leftoverFindings(database));
    findings.take("ingest_cursor", () => {
      cursorProven = derived.ahead(database);
      return cursorProven === null || withHistory ? derived.cursor(database) : [];
    });
    findings.take("repeated_failures", () => repetitionFindings(database, start));
    findings.take("head", () => known.flatMap((head) => [...headFindings(database, head, total, start)]));
    const published = series && publishedReport(database, series, total, start);
    findings.take("published heads", () => published?.findings ?? []);
    agreedSeq = newestAgreed(database, all, total, start);
    const listed = attempt(() => [
      ...meaning.witnesses(),
      ...identity.witnesses(),
      ...derived.witnesses(database),
      ...countWitnesses(database),
      ...leftoverWitnesses(database),
    ]);
    witnesses = [...(listed.ok ? listed.value : []), ...(published?.claims ?? [])];
  });
  if (!isSame) return "archived concurrently";
  const { seq, atMs, chainHash } = pass.last;
  return { events: pass.rows, head: pass.rows === 0 ? NO_ROWS : { seq, atMs, chainHash }, witnesses, cursorProven, agreedSeq };
}

/** Only the archive file can tell whether a head of an archived row agrees, so it counts as one that does. */
function newestAgreed(database: Database.Database, heads: readonly KnownHead[], lastSeq: number, start: LogStart): number {
  const newestFirst = heads.toSorted((one, other) => other.seq - one.seq);
  const agrees = (head: KnownHead) => headFindings(database, head, lastSeq, start).next().done === true;
  const found = attempt(() => newestFirst.find(agrees));
  return found.ok ? (found.value?.seq ?? 0) : 0;
}

/** The checks of each row, by aspect, and those of them that also check tables or list claims. */
function rowChecks({ start, projections, lastRun, cursor }: ReturnType<typeof logOrigin>, withHistory: boolean) {
  const [replay, derived] = [replayCheck(startReplay(projections)), cursorCheck(cursor)];
  const [meaning, identity] = [meaningCheck(lastRun), identityCheck(lastRun)];
  if (projections === undefined) replay.unreadable?.();
  const checks = new Map<string, RowCheck>([
    ["chain", chainCheck(start)],
    ["column types", columnTypesCheck()],
    ["payloads", payloadCheck()],
    ["messages", meaning],
    ...(withHistory ? [["identity", identity] as const] : []),
    // Without the archived state, every other row would be a finding.
    ...(projections === undefined ? [] : [["replay", replay] as const]),
    ...(projections === undefined || !withHistory ? [] : [["streams", streamsCheck(projections)] as const]),
    ["ingest_cursor", derived],
  ]);
  return { replay, derived, meaning, identity, checks };
}

function publishedReport(database: Database.Database, series: HeadSeries, lastSeq: number, start: LogStart) {
  const read = attempt(() => seriesReport(database, series, lastSeq, start));
  return read.ok ? read.value : { findings: [{ place: series.from, problem: `cannot be compared: ${read.why}` }], claims: [] };
}

function within({ heads, ...series }: HeadSeries, lastSeq: number): HeadSeries {
  return { ...series, heads: heads.filter(({ seq }) => seq <= lastSeq) };
}

/** In a damaged file even ending the transaction may fail. */
function inOneRead(database: Database.Database, work: () => void): void {
  database.exec("begin");
  work();
  if (database.inTransaction) attempt(() => database.exec("rollback"));
}
