/** Checks the counts of repeated failures: each must belong to a failure in the log. */

import type { Database } from "better-sqlite3";
import { type Finding, rowPlace } from "../../model/finding.ts";
import type { LogStart } from "../../model/log-head.ts";
import { repetitionChecksum } from "../../model/repetition.ts";
import { repeatedFailures } from "../../schema/log.ts";
import { typeProblems } from "./column-types.ts";
import { attempt, rowsOf } from "./row-reader.ts";

const FAILURES: readonly string[] = ["OpenFailed", "InboundRefused"];

export function* repetitionFindings(database: Database, start: LogStart): Generator<Finding> {
  const typeOf = database.prepare<[number], string>("select type from event_log where seq = ?").pluck();
  const problemsOf = typeProblems(repeatedFailures);
  for (const row of rowsOf<typeof repeatedFailures.$inferSelect>(database, "repeated_failures", repeatedFailures)) {
    const place = `repeated_failures row ${row.firstSeq}`;
    for (const problem of problemsOf(row)) yield { place, problem };
    if (row.checksum !== repetitionChecksum(row)) yield { place, problem: "checksum does not match its columns" };
    if (row.count < 1) yield { place, problem: `count is ${row.count}` };
    // Archived rows cannot be checked here.
    if (row.firstSeq > 0 && row.firstSeq <= start.seq) continue;
    const read = attempt(() => typeOf.get(row.firstSeq));
    // An unreadable row is reported by other checks.
    if (!read.ok) continue;
    const type = read.value;
    if (type === undefined) yield { place, problem: `there is no ${rowPlace(row.firstSeq)}` };
    else if (!FAILURES.includes(type)) yield { place, problem: `${rowPlace(row.firstSeq)} is a ${type}, not a failure` };
  }
}
