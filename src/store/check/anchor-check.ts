/** Checks the anchors, each against its row in the chain, and the tables derived from them. */

import type { Database } from "better-sqlite3";
import type { SQLiteTable } from "drizzle-orm/sqlite-core";
import type { ArchivedState } from "../fold/archived-state.ts";
import { FROM_ZERO, type Projections } from "../fold/replay.ts";
import type { RunRecord } from "../fold/run-record.ts";
import { type Anchor, records } from "../model/anchor.ts";
import type { DerivedCursor } from "../model/derived-cursor.ts";
import { type Finding, rowPlace } from "../model/finding.ts";
import { eventOf } from "../model/log-entry.ts";
import { LOG_BEGINNING, type LogStart } from "../model/log-head.ts";
import { archiveAnchor, archivedDelivery, archivedOpenStream, archivedPeer, archivedResource } from "../schema/archive.ts";
import { archiveRows } from "../sql/statements/archive-rows.ts";
import { archivedCursor } from "./archived-cursor.ts";
import { archivedMessageFindings } from "./archived-messages-check.ts";
import { typeProblems } from "./rows/column-types.ts";
import { attempt, readRows, rowsOf } from "./rows/row-reader.ts";

/** The start of the log after its archives; `projections` is undefined if they cannot be read. */
export interface LogOrigin {
  readonly start: LogStart;
  readonly projections: Projections | undefined;
  /** The run in which the first row behind the archives was appended. */
  readonly lastRun: RunRecord | null;
  /** The position in the broker stream at the end of the archives; undefined if no archived row proves one. */
  readonly cursor: DerivedCursor | undefined;
}

export function logOrigin(database: Database): LogOrigin {
  const rows = archiveRows(database);
  const newest = attempt(() => rows.newestAnchor());
  if (!newest.ok) return { start: LOG_BEGINNING, projections: undefined, lastRun: null, cursor: undefined };
  const anchor = newest.value;
  if (anchor === undefined) return { start: LOG_BEGINNING, projections: FROM_ZERO.projections, lastRun: null, cursor: undefined };
  const behind = attempt(() => rows.startBehind(anchor));
  const start = { seq: anchor.lastSeq, chainHash: anchor.lastChainHash };
  const archived = attempt(() => archivedCursor(database, anchor));
  const cursor = archived.ok ? archived.value : undefined;
  return behind.ok
    ? { start, projections: behind.value.projections, lastRun: behind.value.lastRun, cursor }
    : { start, projections: undefined, lastRun: null, cursor };
}

/** Without an anchor, the tables must be empty. To be called in one read transaction. */
export function* anchorFindings(database: Database): Generator<Finding> {
  const rows = archiveRows(database);
  const problemsOf = typeProblems(archiveAnchor);
  const states: [Anchor, ArchivedState][] = [];
  let lastSeq = 0;
  for (const row of rowsOf<typeof archiveAnchor.$inferSelect>(database, "archive_anchor", archiveAnchor)) {
    const place = anchorPlace(row);
    const problems = problemsOf(row);
    for (const problem of problems) yield { place, problem };
    if (problems.length > 0) continue;
    if (row.firstSeq !== lastSeq + 1)
      yield { place, problem: `first_seq is ${row.firstSeq}, the archive before it ends at ${lastSeq}` };
    lastSeq = row.lastSeq;
    const state = attempt(() => rows.archivedState(row));
    if (state.ok) states.push([row, state.value]);
    else yield { place, problem: state.why };
  }
  const newest = rows.newestAnchor();
  if (newest !== undefined) for (const anchor of rows.anchors()) yield* loggedFindings(database, anchor, newest);
  yield* beforeFirstFindings(database);
  yield* tableFindings(database, states);
  const all = states.map(([, state]) => state);
  if (all.length === rows.anchors().length) yield* archivedMessageFindings(database, all, newest?.lastSeq ?? LOG_BEGINNING.seq);
}

/** The chain begins at seq 1 and proves nothing about rows before it, which queries and the index of dedupe keys see. */
function* beforeFirstFindings(database: Database): Generator<Finding> {
  const rows = database.prepare<[number], number>("select seq from event_log where seq <= ? order by seq").pluck();
  for (const seq of rows.iterate(LOG_BEGINNING.seq)) yield { place: rowPlace(seq), problem: "is before the first row of a log" };
}

/** The LogArchived of an anchor. If that row is archived too, checkArchives finds it in the file. */
function* loggedFindings(database: Database, anchor: Anchor, newest: Anchor): Generator<Finding> {
  const { loggedSeq, lastSeq } = anchor;
  if (loggedSeq > lastSeq && loggedSeq <= newest.lastSeq) return;
  const place = anchorPlace(anchor);
  const [read] = readRows(database, loggedSeq - 1, loggedSeq);
  if (read?.kind !== "row" || read.row.type !== "LogArchived") {
    yield { place, problem: `the log has no LogArchived at seq ${loggedSeq}` };
    return;
  }
  const { row } = read;
  const event = attempt(() => eventOf(row));
  // A row that is not a valid event is reported by other checks.
  if (event.ok && !records(event.value, row.atMs, anchor))
    yield { place, problem: `differs from the LogArchived at seq ${loggedSeq}: ${row.details}` };
}

function* tableFindings(database: Database, states: readonly (readonly [Anchor, ArchivedState])[]): Generator<Finding> {
  const expected = <Row extends object>(rowsIn: (state: ArchivedState, lastSeq: number) => readonly Row[]) =>
    states.flatMap(([{ lastSeq }, state]) => rowsIn(state, lastSeq));
  const peers = expected(({ peers: those }, lastSeq) => those.map((peer) => ({ ...peer, lastSeq })));
  const resources = expected((state, lastSeq) => state.resources.map((resource) => ({ ...resource, lastSeq })));
  const streams = expected(({ status }, lastSeq) =>
    status.flatMap(({ peerId, openStreams }) => openStreams.map((stream) => ({ ...stream, peerId, lastSeq }))),
  );
  const deliveries = expected((state) => state.deliveries);
  yield* rowFindings(database, "archived_peer", archivedPeer, peers, ({ peerId, lastSeq }) => `${peerId} of archive ${lastSeq}`);
  yield* rowFindings(
    database,
    "archived_resource",
    archivedResource,
    resources,
    ({ resourceId, lastSeq }) => `${resourceId} of archive ${lastSeq}`,
  );
  yield* rowFindings(
    database,
    "archived_open_stream",
    archivedOpenStream,
    streams,
    ({ seq, lastSeq }) => `${seq} of archive ${lastSeq}`,
  );
  yield* rowFindings(database, "archived_delivery", archivedDelivery, deliveries, ({ seq }) => `${seq}`);
}

function* rowFindings<Row extends object>(
  database: Database,
  name: string,
  table: SQLiteTable,
  expected: readonly Row[],
  keyOf: (row: Row) => string,
): Generator<Finding> {
  const wanted = new Map(expected.map((row) => [keyOf(row), row]));
  for (const row of rowsOf<Row>(database, name, table)) {
    const key = keyOf(row);
    const same = wanted.get(key);
    wanted.delete(key);
    if (same === undefined) yield { place: `${name} ${key}`, problem: "not in any archive_anchor" };
    else if (canonicalJson(row) !== canonicalJson(same))
      yield { place: `${name} ${key}`, problem: "differs from its archive_anchor" };
  }
  for (const key of wanted.keys()) yield { place: `${name} ${key}`, problem: "missing" };
}

/** Independent of the order of the columns. */
function canonicalJson(row: object): string {
  return JSON.stringify(Object.entries(row).sort(([one], [other]) => (one < other ? -1 : 1)));
}

function anchorPlace({ lastSeq }: Pick<Anchor, "lastSeq">): string {
  return `archive_anchor ${lastSeq}`;
}
