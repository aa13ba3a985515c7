/** Which archive files a log has, where they are, and in which order they are read. */

import { existsSync } from "node:fs";
import { basename, join } from "node:path";
import { PartnerdError } from "../../../base/errors.ts";
import type { Anchor } from "../../model/anchor.ts";
import { readArchiveHeader } from "./archive-file.ts";

/** A file to be read. */
export interface ArchivePart {
  readonly path: string;
  /** What stands for it in the log, where that is known. */
  readonly anchor: Anchor | null;
}

/** Where the file of `anchor` is: in `moved`, where it was written, or in the data directory. Undefined where it is in none of them. */
export function pathOf(anchor: Anchor, directory: string, moved?: string): string | undefined {
  const places = [...(moved === undefined ? [] : [moved]), anchor.directory, join(directory, "archive")];
  return places.map((place) => join(place, anchor.file)).find((path) => existsSync(path));
}

/** The files of all `anchors`, oldest first. Throws `file_failed`, which names all that are not to be found. */
export function partsOf(anchors: readonly Anchor[], directory: string, given: readonly string[]): readonly ArchivePart[] {
  const named = new Map(given.map((path) => [basename(path), path]));
  const parts = anchors.map((anchor) => ({ anchor, path: named.get(anchor.file) ?? pathOf(anchor, directory) }));
  const found = parts.flatMap(({ anchor, path }) => (path === undefined ? [] : [{ anchor, path }]));
  if (found.length === anchors.length) return found;
  const missing = parts.filter(({ path }) => path === undefined).map(({ anchor }) => join(anchor.directory, anchor.file));
  throw new PartnerdError("file_failed", `there is no ${missing.join(", ")}`, {
    nextStep: "name the archive files where they are now: oc-partnerd unarchive FILE... --data DIR --to DB",
  });
}

/** Files by the seq that they begin with. Throws as readArchiveHeader does, and usage where events between them, or before them, are missing. */
export async function orderedParts(paths: readonly string[]): Promise<readonly ArchivePart[]> {
  const headers = await Promise.all(paths.map(async (path) => ({ path, ...(await readArchiveHeader(path)) })));
  headers.sort((one, other) => one.firstSeq - other.firstSeq);
  let next = 1;
  for (const { path, firstSeq, lastSeq } of headers) {
    if (firstSeq !== next) throw notInOrder(path, next, firstSeq);
    next = lastSeq + 1;
  }
  return headers.map(({ path }) => ({ path, anchor: null }));
}

function notInOrder(path: string, next: number, firstSeq: number): PartnerdError {
  return firstSeq < next
    ? new PartnerdError("usage", `${path} begins with seq ${firstSeq}, which another file holds too`, {
        nextStep: "give each archive file once",
      })
    : new PartnerdError("usage", `the archive with seq ${next} to ${firstSeq - 1} is missing`, {
        nextStep: "give all archive files from the first on; their names say what they hold",
      });
}
