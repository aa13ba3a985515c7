/** Checks the fields of SQLite's file header that its own integrity check ignores. */
import { closeSync, openSync, readSync } from "node:fs";
import type { Finding } from "../../model/finding.ts";

/** Write and read version: 1 for a rollback journal, 2 for a write-ahead log. */
const [WRITE_VERSION_AT, READ_VERSION_AT] = [18, 19];
const RESERVED = { from: 72, to: 92 } as const;
const HEADER_BYTES = 100;

export function* headerFindings(file: string): Generator<Finding> {
  const header = headerOf(file);
  if (header === undefined) return;
  const place = "file header";
  const [write, read] = [header[WRITE_VERSION_AT], header[READ_VERSION_AT]];
  // A copy has 1 until a daemon opens it.
  if (write !== read || (write !== 1 && write !== 2))
    yield { place, problem: `write version is ${write} and read version is ${read}, expected 1 or 2 for both` };
  const reserved = header.subarray(RESERVED.from, RESERVED.to);
  if (reserved.some((byte) => byte !== 0)) yield { place, problem: "its reserved bytes are not zero" };
}

/** Undefined if the file is shorter, which other checks report. */
function headerOf(file: string): Buffer | undefined {
  const header = Buffer.alloc(HEADER_BYTES);
  const descriptor = openSync(file, "r");
  try {
    return readSync(descriptor, header, 0, HEADER_BYTES, 0) === HEADER_BYTES ? header : undefined;
  } finally {
    closeSync(descriptor);
  }
}
