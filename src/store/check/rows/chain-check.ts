/** The chain: each row's hash follows from its columns and the row before it, and no row is missing. */

import { chainHash } from "../../model/chain.ts";
import { type Finding, rowPlace } from "../../model/finding.ts";
import type { LogRow } from "../../model/log-entry.ts";
import type { LogStart } from "../../model/log-head.ts";
import { storedSha256Of } from "../../model/payload.ts";
import type { RowCheck } from "./row-check.ts";

/**
 * A hash is compared with what follows from the hash that the row before it *says*, so that one edited row is one finding, at its place.
 * Behind rows that cannot be read the chain is taken up again as it is found.
 */
export function chainCheck(start: LogStart): RowCheck {
  let before: LogStart | undefined = start;
  return {
    *row(row) {
      const last = before;
      const said: unknown = row.chainHash;
      before = { seq: row.seq, chainHash: typeof said === "string" ? said : "" };
      if (last === undefined) return;
      if (row.seq !== last.seq + 1) yield gap(last.seq, row.seq);
      const place = rowPlace(row.seq);
      if (said === null) yield { place, problem: "has no chain_hash: it was not appended by oc-partnerd" };
      else if (said !== followingHash(last.chainHash, row)) yield { place, problem: doesNotFollow(last.seq) };
    },
    unreadable() {
      before = undefined;
    },
  };
}

/** What the row's hash has to be, behind a row with the hash `previousHash`. */
function followingHash(previousHash: string, row: LogRow): string {
  const stored: unknown = row.payload;
  return chainHash(previousHash, { ...row, storedSha256: storedSha256Of(stored instanceof Uint8Array ? stored : null) });
}

function gap(lastSeq: number, seq: number): Finding {
  if (seq <= lastSeq) return { place: rowPlace(seq), problem: `stands behind row ${lastSeq}` };
  return { place: rowPlace(lastSeq + 1, seq - 1), problem: "missing" };
}

function doesNotFollow(lastSeq: number): string {
  return lastSeq === 0
    ? "chain_hash does not follow from its columns"
    : `chain_hash does not follow from its columns and row ${lastSeq}`;
}
