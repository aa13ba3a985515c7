/** One pass over the log that runs every row check on every row. */

import type { Database } from "better-sqlite3";
import type { Findings } from "../../model/finding.ts";
import type { LogRow } from "../../model/log-entry.ts";
import type { RowCheck } from "./row-reader.ts";
import { attempt, readRows, unreadableRows } from "./row-reader.ts";

export interface LogPassInit {
  readonly database: Database;
  readonly findings: Findings;
  /** By name of the aspect that they check. */
  readonly checks: ReadonlyMap<string, RowCheck>;
  /** Called with the seq of each row. */
  readonly onRow: (seq: number) => void;
}

export class LogPass {
  readonly #init: LogPassInit;
  #last: Pick<LogRow, "seq" | "atMs" | "chainHash">;
  #rows = 0;

  constructor(init: LogPassInit, start: { readonly seq: number; readonly chainHash: string }) {
    this.#init = init;
    this.#last = { ...start, atMs: 0 };
  }

  /** Number of rows read. */
  get rows(): number {
    return this.#rows;
  }

  /** The newest row read. */
  get last(): Pick<LogRow, "seq" | "atMs" | "chainHash"> {
    return this.#last;
  }

  /** Continues after the last row, up to `lastSeq`. */
  readTo(lastSeq: number): void {
    this.#init.findings.take("rows", () => this.#read(lastSeq));
  }

  *#read(lastSeq: number) {
    const { database, findings, checks, onRow } = this.#init;
    for (const read of readRows(database, this.#last.seq, lastSeq)) {
      if (read.kind === "unreadable") {
        yield unreadableRows(read);
        for (const check of checks.values()) check.unreadable?.();
        continue;
      }
      for (const [aspect, check] of checks) findings.take(aspect, () => check.row(read.row));
      this.#rows += 1;
      this.#last = read.row;
      onRow(read.row.seq);
    }
  }
}

/** The highest seq in the table or, if the table cannot be read, in an index; undefined if neither can be read. */
export function highestSeq(database: Database): number | undefined {
  const queries = [
    "select coalesce(max(seq), 0) from event_log",
    "select coalesce(max(seq), 0) from event_log indexed by event_log_at_ms",
  ];
  for (const query of queries) {
    const found = attempt(() => database.prepare<[], number>(query).pluck().get());
    if (found.ok) return found.value;
  }
  return undefined;
}
