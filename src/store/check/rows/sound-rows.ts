/** Checks of every row, given those before it: its place in the chain, its columns, its payload, and its effect. */
import type { Replay } from "../../fold/replay.ts";
import { chainHash } from "../../model/chain.ts";
import { type Finding, rowPlace } from "../../model/finding.ts";
import type { LogRow } from "../../model/log-entry.ts";
import type { LogStart } from "../../model/log-head.ts";
import { isPartOfMessage, storedSha256Of } from "../../model/payload.ts";
import { columnTypesCheck } from "./column-types.ts";
import { replayCheck } from "./replay-check.ts";
import type { RowCheck } from "./row-reader.ts";

/** Compares the stored bytes of a message with the columns that describe them. */
export function payloadCheck(): RowCheck {
  return {
    *row(row) {
      const problem = problemOf(row);
      if (problem !== null) yield { place: rowPlace(row.seq), problem };
    },
  };
}

function problemOf({ payload, payloadBytes, payloadSha256, payloadEncoding }: LogRow): string | null {
  const described = [payloadBytes, payloadSha256, payloadEncoding].filter((column) => column !== null).length;
  if (payload === null) return described === 0 ? null : "describes a payload but has none";
  if (payloadBytes === null || described < 3) return "has a payload but does not describe it";
  const stored = payload.byteLength;
  if (stored !== payloadBytes)
    return isPartOfMessage(stored, payloadBytes) ? null : `payload_bytes is ${payloadBytes}, the payload has ${stored}`;
  return payloadSha256 === storedSha256Of(payload) ? null : "payload_sha256 does not match the payload";
}

/**
 * Checks that no row is missing and that each hash follows from the columns and the row before. It uses the hash *stored* in the row
 * before, so that one edited row is one finding, at its place. After unreadable rows it continues from the next stored hash.
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

/** The hash that the row should have after a row with the hash `previousHash`. */
function followingHash(previousHash: string, row: LogRow): string {
  const stored: unknown = row.payload;
  return chainHash(previousHash, { ...row, storedSha256: storedSha256Of(stored instanceof Uint8Array ? stored : null) });
}

function gap(lastSeq: number, seq: number): Finding {
  if (seq <= lastSeq) return { place: rowPlace(seq), problem: `comes after row ${lastSeq}` };
  return { place: rowPlace(lastSeq + 1, seq - 1), problem: "missing" };
}

function doesNotFollow(lastSeq: number): string {
  return lastSeq === 0
    ? "chain_hash does not follow from its columns"
    : `chain_hash does not follow from its columns and row ${lastSeq}`;
}

/** All row checks, for a log to be moved or replaced. `replay` folds in the rows after `start` as they are checked. */
export function soundRowChecks(start: LogStart, replay: Replay): readonly RowCheck[] {
  return [chainCheck(start), columnTypesCheck(), payloadCheck(), replayCheck(replay)];
}
