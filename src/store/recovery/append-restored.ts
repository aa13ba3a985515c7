/** Appends a LogRestored to a database that is about to become the log. */
import type { Database } from "better-sqlite3";
import type { LogRestored } from "../../events/upkeep/upkeep-facts.ts";
import type { LogHead } from "../model/log-head.ts";
import { tables } from "../sql/statements/tables.ts";
import { appender, OBSERVED } from "../write/append.ts";
import { CommittedState } from "../write/committed-state.ts";
import { Repetitions } from "../write/repetitions.ts";

/** Returns the new head. `database` is open nowhere else. */
export function appendRestored(database: Database, event: Omit<LogRestored, "type">, nowMs: number): LogHead {
  const clock = { wallMs: () => nowMs, monotonicMs: () => 0 };
  const write = database.transaction(() => {
    const rows = tables(database);
    const committed = new CommittedState(rows);
    appender(rows, committed, new Repetitions(clock), clock)({ type: "LogRestored", ...event }, OBSERVED);
    const { seq, atMs, chainHash } = committed.head;
    return { seq, atMs, chainHash };
  });
  return write.immediate();
}
