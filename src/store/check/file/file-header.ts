/** The first 100 bytes of a database file: what SQLite neither needs nor verifies, and what it has to be all the same. Pure. */
import type { Finding } from "../../model/finding.ts";

export const HEADER_BYTES = 100;

const PLACE = "file header";
const MAGIC = "SQLite format 3\0";
const ROLLBACK = 1;
const WRITE_AHEAD_LOG = 2;

/** SQLite has written the version of the last writer in the header since 3.7.0; there is no 4. */
const VERSIONS = { from: 3_007_000, to: 3_999_999 } as const;

/** `value`: what oc-partnerd's databases have in this field of `bytes` bytes at `at`. Big-endian. */
const FIXED = [
  { field: "reserved bytes of each page", at: 20, bytes: 1, value: 0 },
  { field: "largest embedded payload fraction", at: 21, bytes: 1, value: 64 },
  { field: "smallest embedded payload fraction", at: 22, bytes: 1, value: 32 },
  { field: "leaf payload fraction", at: 23, bytes: 1, value: 32 },
  { field: "default cache size", at: 48, bytes: 4, value: 0 },
  { field: "auto-vacuum", at: 52, bytes: 4, value: 0 },
  { field: "incremental vacuum", at: 64, bytes: 4, value: 0 },
] as const;

/** Not yet there until the first table is; that may stand in the write-ahead log alone. */
const OF_TABLES = [
  { field: "schema format", at: 44, bytes: 4, value: 4 },
  { field: "text encoding", at: 56, bytes: 4, value: 1 },
] as const;
const SCHEMA_VERSION_AT = 40;

const RESERVED = { from: 72, to: 92 } as const;

export function fileHeaderFindings(header: Uint8Array): readonly Finding[] {
  const bytes = Buffer.from(header.buffer, header.byteOffset, header.byteLength);
  const problems: string[] = [];
  const expect = (field: string, found: unknown, wanted: unknown) => {
    if (found !== wanted) problems.push(`${field} is ${found}, has to be ${wanted}`);
  };
  if (bytes.toString("latin1", 0, MAGIC.length) !== MAGIC) problems.push("does not begin as that of a SQLite database");
  expect("page size", bytes.readUInt16BE(16), 4_096);
  // Both say how the file is to be written. A backup is left in the mode that needs no file beside it; a daemon sets its own.
  const writeVersion = bytes[18];
  if (writeVersion !== ROLLBACK) expect("write version", writeVersion, WRITE_AHEAD_LOG);
  expect("read version", bytes[19], writeVersion);
  const hasTables = [SCHEMA_VERSION_AT, ...OF_TABLES.map(({ at }) => at)].some((at) => bytes.readUInt32BE(at) !== 0);
  for (const { field, at, bytes: length, value } of [...FIXED, ...(hasTables ? OF_TABLES : [])])
    expect(field, bytes.readUIntBE(at, length), value);
  if (bytes.subarray(RESERVED.from, RESERVED.to).some((byte) => byte !== 0)) problems.push("bytes 72 to 91 are not all 0");
  expect("version-valid-for", bytes.readUInt32BE(92), bytes.readUInt32BE(24));
  const version = bytes.readUInt32BE(96);
  if (version < VERSIONS.from || version > VERSIONS.to) problems.push(`was written by SQLite ${version}, which does not exist`);
  return problems.map((problem) => ({ place: PLACE, problem }));
}
