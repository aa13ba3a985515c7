/** What a check of the log's rows looks like: it is handed the rows one by one, in the order of `seq`. */

import type { Finding } from "../../model/finding.ts";
import type { LogRow } from "../../model/log-entry.ts";

export interface RowCheck {
  /** What is wrong with this row, given those before it. May throw for a row that cannot be. */
  row(row: LogRow): Iterable<Finding>;
  /** Rows that cannot be read stand between the last one and the next. */
  unreadable?(): void;
}
