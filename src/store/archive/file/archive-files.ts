/** Finds the archive files of a log, and puts them in order. */

import { existsSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { PartnerdError } from "../../../base/errors.ts";
import type { Anchor } from "../../model/anchor.ts";
import { readArchiveHeader } from "./archive-file.ts";

/** An archive file to read. */
export interface ArchivePart {
  readonly path: string;
  /** The anchor of the file in the log, if known. */
  readonly anchor: Anchor | null;
}

/** Where the file of `anchor` may be: in `moved`, where it was written, or in the data directory. Absolute, and each once. */
export function placesOf(anchor: Anchor, directory: string, moved?: string): readonly string[] {
  const places = [...(moved === undefined ? [] : [moved]), anchor.directory, join(directory, "archive")];
  return [...new Set(places.map((place) => resolve(place)))];
}

/** The file of `anchor` in the first of `places` that has it; undefined if none has. */
export function pathIn(places: readonly string[], { file }: Anchor): string | undefined {
  return places.map((place) => join(place, file)).find((path) => existsSync(path));
}

/** The files of all `anchors`, oldest first. Throws `file_failed`, naming every missing file. */
export function partsOf(anchors: readonly Anchor[], directory: string, given: readonly string[]): readonly ArchivePart[] {
  const named = new Map(given.map((path) => [basename(path), path]));
  const parts = anchors.map((anchor) => ({
    anchor,
    path: named.get(anchor.file) ?? pathIn(placesOf(anchor, directory), anchor),
  }));
  const found = parts.flatMap(({ anchor, path }) => (path === undefined ? [] : [{ anchor, path }]));
  if (found.length === anchors.length) return found;
  const missing = parts.filter(({ path }) => path === undefined).map(({ anchor }) => join(anchor.directory, anchor.file));
  throw new PartnerdError("file_failed", `cannot find ${missing.join(", ")}`, {
    nextStep: "name the archive files where they are now: `oc-partnerd unarchive FILE... --data DIR --to DB`",
  });
}

/** Sorts files by their first seq. Throws as readArchiveHeader does, and `usage` if events before or between the files are missing. */
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
    ? new PartnerdError("usage", `${path} begins with seq ${firstSeq}, which another file also holds`, {
        nextStep: "name each archive file once",
      })
    : new PartnerdError("usage", `the archive with seq ${next} to ${firstSeq - 1} is missing`, {
        nextStep: "name all archive files from the first one on; their names give their first and last seq",
      });
}
