/** fsync of a file, or of a directory. */
import { closeSync, fsyncSync, openSync } from "node:fs";
import { type ErrorCode, messageOf, PartnerdError } from "../../base/errors.ts";

/** What a file holds, or which names a directory does, is on the disk when this returns. Throws `code`. */
export function syncToDisk(path: string, code: ErrorCode = "file_failed"): void {
  try {
    const descriptor = openSync(path, "r");
    try {
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
  } catch (thrown) {
    throw new PartnerdError(code, `cannot fsync ${path}: ${messageOf(thrown)}`, {
      nextStep: "check the disk that it is on",
      cause: thrown,
    });
  }
}
