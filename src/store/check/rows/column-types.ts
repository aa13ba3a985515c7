/** Checks that each column has its type and that the row is an event that this program could have written. */
import { getTableColumns } from "drizzle-orm";
import type { SQLiteTable } from "drizzle-orm/sqlite-core";
import { rowPlace } from "../../model/finding.ts";
import { eventOf } from "../../model/log-entry.ts";
import { eventLog } from "../../schema/log.ts";
import type { RowCheck } from "./row-reader.ts";
import { attempt } from "./row-reader.ts";

export function columnTypesCheck(): RowCheck {
  const problemsOf = typeProblems(eventLog);
  return {
    *row(row) {
      const place = rowPlace(row.seq);
      const problems = problemsOf(row);
      for (const problem of problems) yield { place, problem };
      if (problems.length > 0) return;
      const event = attempt(() => eventOf(row));
      if (!event.ok) yield { place, problem: event.why };
    },
  };
}

/** Returns a function that lists the columns of the wrong type in a row of `table`, given by property names, one phrase each. */
export function typeProblems(table: SQLiteTable): (row: object) => readonly string[] {
  const columns = Object.entries(getTableColumns(table)).map(([property, column]) => {
    return { property, name: column.name, isNullable: !column.notNull && !column.primary, type: column.getSQLType() };
  });
  return (row) => {
    const problems: string[] = [];
    for (const { property, name, isNullable, type } of columns) {
      const found = sqlTypeOf(Reflect.get(row, property));
      if (found === type || (found === "null" && isNullable)) continue;
      problems.push(`${name} has type ${found}, expected ${type}`);
    }
    return problems;
  };
}

function sqlTypeOf(value: unknown): string {
  if (value === null || value === undefined) return "null";
  if (typeof value === "string") return "text";
  if (typeof value === "number") return Number.isInteger(value) ? "integer" : "real";
  return value instanceof Uint8Array ? "blob" : typeof value;
}
