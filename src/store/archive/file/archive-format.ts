/**
 * The format of an archive file: gzipped JSON Lines with a header, the rows of the log with every column under its SQL name, and
 * a trailer with the number of rows. Counts of repeated failures are in the rows of the failures, or after all rows if an earlier
 * file holds those. Pure.
 */

import { getTableColumns } from "drizzle-orm";
import { z } from "zod";
import { isoTime } from "../../../base/units.ts";
import { typeProblems } from "../../check/rows/column-types.ts";
import { CHAIN_START } from "../../model/chain.ts";
import type { LogRow } from "../../model/log-entry.ts";
import type { Repetition } from "../../model/repetition.ts";
import { eventLog } from "../../schema/log.ts";

const ARCHIVE_FORMAT = "oc-partnerd-events";
/** Increased with each change after which an older version could not read the file. */
export const ARCHIVE_VERSION = 1;

const chainHash = z.string().regex(/^[0-9a-f]{64}$/, "expected 64 hexadecimal digits");

const header = z
  .strictObject({
    format: z.literal(ARCHIVE_FORMAT),
    version: z.literal(ARCHIVE_VERSION),
    first_seq: z.int().positive(),
    last_seq: z.int().positive(),
    /** The hash of the row before the first; 64 zeros at the beginning of a log. */
    follows_chain_hash: chainHash,
    last_chain_hash: chainHash,
    written_at: z.iso.datetime(),
  })
  .transform((line) => ({
    firstSeq: line.first_seq,
    lastSeq: line.last_seq,
    followsChainHash: line.follows_chain_hash,
    lastChainHash: line.last_chain_hash,
    writtenAtMs: Date.parse(line.written_at),
  }))
  .refine(({ firstSeq, lastSeq }) => firstSeq <= lastSeq, "first_seq is greater than last_seq")
  .refine(
    ({ firstSeq, followsChainHash }) => (firstSeq === 1) === (followsChainHash === CHAIN_START),
    "first_seq and follows_chain_hash disagree",
  );

export type ArchiveHeader = z.output<typeof header>;

const counted = z.strictObject({ count: z.int().positive(), last_at_ms: z.int() });
const repetitionLine = z.strictObject({ repeated_failures: counted.extend({ first_seq: z.int().positive() }) });
const trailer = z.strictObject({ rows: z.int().positive() });

/** A row of the log, and the count of its repeats; null if there were none. */
export interface ArchivedRow {
  readonly row: LogRow;
  readonly repetition: Repetition | null;
}

export type ArchiveLine =
  | ({ readonly kind: "row" } & ArchivedRow)
  | { readonly kind: "repetition"; readonly repetition: Repetition }
  | { readonly kind: "trailer"; readonly rows: number };

const columns = Object.entries(getTableColumns(eventLog)).map(([property, { name }]) => ({ property, name }));
const properties = new Map(columns.map(({ name, property }) => [name, property]));
const problemsOf = typeProblems(eventLog);

export function formatArchiveHeader({ firstSeq, lastSeq, followsChainHash, lastChainHash, writtenAtMs }: ArchiveHeader): string {
  return JSON.stringify({
    format: ARCHIVE_FORMAT,
    version: ARCHIVE_VERSION,
    first_seq: firstSeq,
    last_seq: lastSeq,
    follows_chain_hash: followsChainHash,
    last_chain_hash: lastChainHash,
    written_at: isoTime(writtenAtMs),
  } satisfies z.input<typeof header>);
}

export function formatArchiveLine(line: ArchiveLine): string {
  switch (line.kind) {
    case "row":
      return formatRow(line);
    case "repetition": {
      const { firstSeq, count, lastAtMs } = line.repetition;
      return JSON.stringify({ repeated_failures: { first_seq: firstSeq, count, last_at_ms: lastAtMs } });
    }
    case "trailer":
      return JSON.stringify({ rows: line.rows });
  }
}

function formatRow({ row, repetition }: ArchivedRow): string {
  const values = new Map<string, unknown>(Object.entries(row));
  const cells = columns.map(({ property, name }): [string, unknown] => [name, values.get(property) ?? null]);
  return JSON.stringify({
    ...Object.fromEntries(cells),
    payload: row.payload?.toString("base64") ?? null,
    repeated_failures: repetition && { count: repetition.count, last_at_ms: repetition.lastAtMs },
  });
}

/** Throws if `text` is not a supported header. */
export function parseArchiveHeader(text: string): ArchiveHeader {
  return parsed(header, objectOf(text));
}

/** Throws if `text` is not a valid line after the header. */
export function parseArchiveLine(text: string): ArchiveLine {
  const line = objectOf(text);
  if ("seq" in line) return { kind: "row", ...parseRow(line) };
  if ("repeated_failures" in line)
    return { kind: "repetition", repetition: repetitionOf(parsed(repetitionLine, line).repeated_failures) };
  return { kind: "trailer", rows: parsed(trailer, line).rows };
}

function parseRow({ repeated_failures: repeated, ...cells }: Readonly<Record<string, unknown>>): ArchivedRow {
  const row: Record<string, unknown> = {};
  for (const { property, name } of columns) row[property] = cells[name] ?? null;
  const { payload } = row;
  if (typeof payload === "string") row["payload"] = Buffer.from(payload, "base64");
  const unknown = Object.keys(cells).find((name) => !properties.has(name));
  if (unknown !== undefined) throw new Error(`a row has the column ${unknown}, which this oc-partnerd does not know`);
  const problem = problemsOf(row)[0];
  if (problem !== undefined) throw new Error(problem);
  // Every column is present and has its type.
  const whole = row as LogRow;
  const repetition = repeated === null ? null : repetitionOf({ ...parsed(counted, repeated), first_seq: whole.seq });
  return { row: whole, repetition };
}

function repetitionOf(line: z.infer<typeof repetitionLine>["repeated_failures"]): Repetition {
  return { firstSeq: line.first_seq, count: line.count, lastAtMs: line.last_at_ms };
}

function objectOf(text: string): Readonly<Record<string, unknown>> {
  const value: unknown = JSON.parse(text);
  if (typeof value === "object" && value !== null) return { ...value };
  throw new Error("the line is not a JSON object");
}

function parsed<Schema extends z.ZodType>(schema: Schema, value: unknown): z.output<Schema> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const field = issue?.path.join(".") ?? "";
  const problem = issue?.message ?? "invalid";
  throw new Error(field === "" ? problem : `${field}: ${problem}`);
}
