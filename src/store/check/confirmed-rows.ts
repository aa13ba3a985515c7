/** Checks the rows that an operator confirms as explanations of published heads: another row would confirm nothing, in silence. */
import { basename } from "node:path";
import type { Database } from "better-sqlite3";
import { type Finding, rowPlace, type UnprovenClaim } from "../model/finding.ts";
import { DATABASE_NAME, databaseFileOf } from "../sql/data-directory.ts";
import { closeAtEnd } from "../sql/open.ts";
import { openToRead } from "../sql/open-to-read.ts";
import { archiveRows } from "../sql/statements/archive-rows.ts";
import { attempt } from "./rows/row-reader.ts";

interface ConfirmedRows {
  readonly findings: readonly Finding[];
  /** Of a copy that ends before them. */
  readonly claims: readonly UnprovenClaim[];
}

const NOTHING: ConfirmedRows = { findings: [], claims: [] };

/** Of a log that cannot be read, the check of its rows says why. */
export function confirmedRows(path: string, confirmed: readonly number[]): ConfirmedRows {
  const file = databaseFileOf(path);
  const database = openToRead(file);
  using _closing = closeAtEnd(database);
  const read = attempt(() => {
    const isExplanation = explanationsIn(database);
    const lastSeq = database.prepare<[], number>("select max(seq) from event_log").pluck().get() ?? 0;
    return { wrong: confirmed.filter((seq) => !isExplanation(seq)), lastSeq };
  });
  if (!read.ok) return NOTHING;
  const { wrong, lastSeq } = read.value;
  const isCopy = basename(file) !== DATABASE_NAME;
  return {
    findings: wrong
      .filter((seq) => seq <= lastSeq || !isCopy)
      .map((seq) => ({ place: rowPlace(seq), problem: `${problemOf(database, seq, lastSeq)}; --restored takes the seq of one` })),
    claims: wrong
      .filter((seq) => seq > lastSeq && isCopy)
      .map((seq) => ({
        place: rowPlace(seq),
        claim: "named with --restored, but not in this copy",
        witness: "check the data directory of the daemon, or a newer copy",
      })),
  };
}

const EXPLANATION = `
  select 1 from event_log
  where seq = ? and type in ('LogRestored', 'LogRolledBack', 'CloneSeen') and effect is null`;

function explanationsIn(database: Database): (seq: number) => boolean {
  const rows = archiveRows(database);
  const archived = new Set([...rows.archivedReplacements(), ...rows.archivedRuns().clones].map(({ seq }) => seq));
  const inLog = database.prepare<[number], unknown>(EXPLANATION);
  return (seq) => archived.has(seq) || inLog.get(seq) !== undefined;
}

const ONE = "LogRestored, LogRolledBack or CloneSeen";

function problemOf(database: Database, seq: number, lastSeq: number): string {
  if (seq > lastSeq) return `is not a ${ONE}: the log ends at seq ${lastSeq}`;
  const type = database.prepare<[number], string>("select type from event_log where seq = ?").pluck().get(seq);
  // The anchor of an archive keeps those among its rows.
  return `is ${type === undefined ? "archived, and was" : `a ${type},`} not a ${ONE}`;
}
