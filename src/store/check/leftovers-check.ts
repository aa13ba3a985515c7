/** Checks the rows behind the newest anchor. Readers skip them, and an archive deletes them, oldest first. */
import type { Database } from "better-sqlite3";
import type { Anchor } from "../model/anchor.ts";
import { CHAIN_START } from "../model/chain.ts";
import type { UnprovenClaim } from "../model/finding.ts";
import { type Finding, rowPlace } from "../model/finding.ts";
import { archiveRows } from "../sql/statements/archive-rows.ts";
import { readRows, unreadableRows } from "./rows/row-reader.ts";
import { chainCheck } from "./rows/sound-rows.ts";

/** Rows that an interrupted archive left must be linked to each other and to the anchor. */
export function* leftoverFindings(database: Database): Generator<Finding> {
  const anchors = archiveRows(database).anchors();
  const newest = anchors.at(-1);
  const first = firstLeftover(database, newest);
  if (newest === undefined || first === undefined) return;
  const chain = chainCheck({ seq: first - 1, chainHash: hashBefore(first, anchors) ?? "" });
  let last = { seq: first - 1, chainHash: "" };
  for (const read of readRows(database, first - 1, newest.lastSeq)) {
    if (read.kind === "unreadable") {
      yield unreadableRows(read);
      chain.unreadable?.();
      continue;
    }
    const { row } = read;
    const findings = [...chain.row(row)];
    // Nothing in the file says what the first one follows, unless it begins an archive.
    if (row.seq !== first || hashBefore(first, anchors) !== undefined) yield* findings;
    last = row;
  }
  if (last.seq !== newest.lastSeq || last.chainHash !== newest.lastChainHash)
    yield { place: rowPlace(last.seq), problem: `is behind archive_anchor ${newest.lastSeq} and does not lead to it` };
}

export function* leftoverWitnesses(database: Database): Generator<UnprovenClaim> {
  const anchors = archiveRows(database).anchors();
  const first = firstLeftover(database, anchors.at(-1));
  if (first === undefined || hashBefore(first, anchors) !== undefined) return;
  yield {
    place: rowPlace(first),
    claim: "is behind the anchor, and the row that it follows is deleted",
    witness: "the archive file has both; the next start deletes this one",
  };
}

function firstLeftover(database: Database, anchor: Anchor | undefined): number | undefined {
  const first = database.prepare<[number], number | null>("select min(seq) from event_log where seq <= ?").pluck();
  return (anchor && first.get(anchor.lastSeq)) ?? undefined;
}

/** The hash of the row before an archive's first one; undefined if no archive begins at `seq`. */
function hashBefore(seq: number, anchors: readonly Anchor[]): string | undefined {
  const index = anchors.findIndex(({ firstSeq }) => firstSeq === seq);
  return index === 0 ? CHAIN_START : anchors[index - 1]?.lastChainHash;
}
