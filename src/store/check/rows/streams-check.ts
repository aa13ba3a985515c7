/** Checks that openings and closes of streams alternate: a slot has one open stream at a time, and each close ends an open one. */
import type { Projections } from "../../fold/replay.ts";
import { type Finding, rowPlace } from "../../model/finding.ts";
import type { LogRow } from "../../model/log-entry.ts";
import type { RowCheck } from "./row-reader.ts";

/** `before`: the state before the first row. */
export function streamsCheck(before: Projections): RowCheck {
  /** The seq of the opening, by slot. */
  const open = new Map<string, number>();
  for (const { peerId, openStreams } of before.status.values())
    for (const { seq, protocol, direction } of openStreams) open.set(slotOf({ peerId, protocol, direction }), seq);
  let isWhole = true;
  return {
    *row(row) {
      if (!isWhole) return;
      const slot = slotOf(row);
      const problem = problemOf(row, slot, open);
      if (problem !== undefined) yield { place: rowPlace(row.seq), problem };
      if (row.type === "StreamOpened") open.set(slot, row.seq);
      if (row.type === "StreamClosed") open.delete(slot);
      if (row.type === "DaemonStarted") {
        yield* leftOpen(row, open);
        open.clear();
      }
    },
    unreadable() {
      isWhole = false;
    },
  };
}

function problemOf({ type, openedSeq }: LogRow, slot: string, open: ReadonlyMap<string, number>): string | undefined {
  const opening = open.get(slot);
  if (type === "StreamOpened" && opening !== undefined)
    return `opens a stream, but the log has no close of the one that row ${opening} opened`;
  if (type !== "StreamClosed" || (opening !== undefined && opening === openedSeq)) return undefined;
  const expected = opening === undefined ? "none is open" : `row ${opening} opened the one that is open`;
  return openedSeq === null
    ? `closes a stream without naming its opening; ${expected}`
    : `closes the stream of row ${openedSeq}, but ${expected}`;
}

/** A start closes the streams of the run before. */
function* leftOpen({ seq }: LogRow, open: ReadonlyMap<string, number>): Generator<Finding> {
  for (const opening of open.values())
    yield { place: rowPlace(opening), problem: `opens a stream that the log still shows as open at the next start, row ${seq}` };
}

function slotOf({ peerId, protocol, direction }: Pick<LogRow, "peerId" | "protocol" | "direction">): string {
  return `${direction} ${protocol} ${peerId}`;
}
