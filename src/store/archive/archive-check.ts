/** Checks the archive files of a log against their anchors, as far as the files can be found. */

import { basename, dirname } from "node:path";
import { toPartnerdError } from "../../base/errors.ts";
import type { KnownHead } from "../check/head-check.ts";
import { attempt } from "../check/rows/row-reader.ts";
import { stateSha256Of } from "../fold/archived-state.ts";
import { type Anchor, records } from "../model/anchor.ts";
import { type Finding, rowPlace } from "../model/finding.ts";
import { eventOf } from "../model/log-entry.ts";
import { databaseFileOf } from "../sql/data-directory.ts";
import { closeAtEnd } from "../sql/open.ts";
import { openToRead } from "../sql/open-to-read.ts";
import { type Tables, tables } from "../sql/statements/tables.ts";
import { pathIn, placesOf } from "./file/archive-files.ts";
import { readVerified } from "./file/verify-archive.ts";

export interface CheckedArchive {
  readonly anchor: Anchor;
  /** Undefined if the file is in none of the directories `places`, and so was not checked. */
  readonly path: string | undefined;
  readonly places: readonly string[];
  readonly findings: readonly Finding[];
}

export interface ArchiveCheckOptions {
  /** A data directory, or a readable database file. */
  readonly path: string;
  /** Heads that the archived rows must contain; those of other rows are ignored. */
  readonly heads?: readonly KnownHead[];
  /** A directory to which archive files were moved. */
  readonly archives?: string | undefined;
  /** Called with the number of rows read so far and in all. */
  readonly onProgress?: (rows: number, total: number) => void;
}

/** Oldest first. Checks files only; check/anchor-check.ts checks the anchors against the log. */
export async function checkArchives({
  path,
  archives,
  heads = [],
  onProgress = () => {},
}: ArchiveCheckOptions): Promise<readonly CheckedArchive[]> {
  const file = databaseFileOf(path);
  const database = openToRead(file);
  using _closing = closeAtEnd(database);
  // A log whose anchors cannot be read is damaged; checking the log itself reports it.
  const read = attempt(() => {
    const rows = tables(database);
    return { rows, anchors: rows.anchors() };
  });
  if (!read.ok) return [];
  const { rows, anchors } = read.value;
  const total = anchors.reduce((sum, { events }) => sum + events, 0);
  const headsOfRow = Map.groupBy(heads, ({ seq }) => seq);
  const checked: CheckedArchive[] = [];
  let before = 0;
  for (const [index, anchor] of anchors.entries()) {
    const progress = (done: number) => onProgress(before + done, total);
    const places = placesOf(anchor, dirname(file), archives);
    const path = pathIn(places, anchor);
    checked.push({ ...(await checkArchive({ rows, anchors, index, path, headsOfRow, progress })), places });
    before += anchor.events;
  }
  return checked;
}

interface ArchiveCheck {
  readonly rows: Tables;
  readonly anchors: readonly Anchor[];
  /** Of the anchor to check. */
  readonly index: number;
  /** The archive file, if it was found. */
  readonly path: string | undefined;
  readonly headsOfRow: ReadonlyMap<number, readonly KnownHead[]>;
  readonly progress: (rows: number) => void;
}

async function checkArchive({
  rows,
  anchors,
  index,
  path,
  headsOfRow,
  progress,
}: ArchiveCheck): Promise<Omit<CheckedArchive, "places">> {
  const anchor = anchors[index] as Anchor;
  if (path === undefined) return { anchor, path, findings: [] };
  const findings: Finding[] = [];
  const place = basename(path);
  const find = (problem: string) => void findings.push({ place, problem });
  const start = attempt(() => rows.startBehind(anchors[index - 1]));
  if (!start.ok) return { anchor, path, findings: [{ place, problem: `cannot be replayed: ${start.why}` }] };
  const anchorOfRow = new Map(anchors.map((other) => [other.loggedSeq, other]));
  try {
    const read = await readVerified(path, start.value, {
      row: ({ row }) => {
        const said = anchorOfRow.get(row.seq);
        if (said !== undefined && !records(eventOf(row), row.atMs, said))
          find(`${rowPlace(row.seq)} differs from archive_anchor ${said.lastSeq}`);
        for (const { from, hashPrefix } of headsOfRow.get(row.seq) ?? [])
          if (row.chainHash?.startsWith(hashPrefix) !== true)
            find(`the chain_hash of ${rowPlace(row.seq)} is ${row.chainHash ?? "missing"}, ${from} names ${hashPrefix}`);
      },
      progress,
    });
    if (read.sha256 !== anchor.fileSha256)
      find(`its SHA-256 is ${read.sha256}, archive_anchor ${anchor.lastSeq} has ${anchor.fileSha256}`);
    if (read.header.lastChainHash !== anchor.lastChainHash)
      find(`its last chain hash is ${read.header.lastChainHash}, archive_anchor ${anchor.lastSeq} has ${anchor.lastChainHash}`);
    const sha256 = stateSha256Of(read.state);
    if (sha256 !== anchor.stateSha256)
      find(`the SHA-256 of its final state is ${sha256}, archive_anchor ${anchor.lastSeq} has ${anchor.stateSha256}`);
  } catch (thrown) {
    const { details, message } = toPartnerdError(thrown);
    find(details.problem ?? message);
  }
  return { anchor, path, findings };
}
