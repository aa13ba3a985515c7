/** What a check of the log's rows looks like: it is handed the rows one by one, in the order of `seq`. */
import type { Finding } from "../../model/finding.ts";
import type { eventLog } from "../../schema/log.ts";

/**
 * A row as it was read. In a damaged file a column may hold another type than its own: what looks at the values has to expect that
 * (column-types.ts names it).
 */
export type LogRow = typeof eventLog.$inferSelect;

export interface RowCheck {
  /** What is wrong with this row, given those before it. May throw for a row that cannot be. */
  row(row: LogRow): Iterable<Finding>;
  /** Rows that cannot be read stand between the last one and the next. */
  unreadable?(): void;
}

/** The place in front of the first row that the database holds: the log's beginning, or where its archive ends. */
export interface LogStart {
  readonly seq: number;
  readonly chainHash: string;
}
