/** The state after each row of a log, by a replay to there: independent of every index, view and archive. */
import type { PeerId } from "../../../src/base/ids.ts";
import type { Direction, Standing } from "../../../src/events/types.ts";
import { readRows } from "../../../src/store/check/rows/row-reader.ts";
import { startReplay } from "../../../src/store/fold/replay.ts";
import { rawConnection } from "./temporary-store.ts";

export interface PastPeer {
  readonly standing: Standing | null;
  readonly relation: string | null;
  readonly address: string | null;
  readonly generation: number | null;
  /** The open stream of each direction. */
  readonly outbound: number | null;
  readonly inbound: number | null;
  readonly down: Down | null;
  /** The row of the newest PeerLearned. */
  readonly learned: number | null;
}

/** A partner without an outbound stream. */
export interface Down {
  readonly seq: number;
  /** The stream whose close began it. */
  readonly closed: { readonly openedSeq: number; readonly openedAtMs: number; readonly durationMs: number } | null;
  readonly began: string;
  /** The attempts that have failed since. */
  readonly failed: readonly { readonly seq: number; readonly reason: string }[];
}

export interface PastRow {
  readonly seq: number;
  readonly atMs: number;
  readonly peers: ReadonlyMap<PeerId, PastPeer>;
}

/** By seq; the first one is before any row. The log must have no archives. */
export function replayedPast(path: string): readonly PastRow[] {
  using raw = rawConnection(path, { readonly: true });
  const replay = startReplay();
  const past: PastRow[] = [{ seq: 0, atMs: Number.NEGATIVE_INFINITY, peers: new Map() }];
  for (const read of readRows(raw.database, 0, Number.MAX_SAFE_INTEGER)) {
    if (read.kind === "unreadable") throw new Error(read.why);
    const { seq, atMs, type, peerId, direction, reason, openedSeq, durationMs } = read.row;
    const stream = openedSeq === null ? null : { openedSeq, openedAtMs: past[openedSeq]?.atMs ?? 0, durationMs: durationMs ?? 0 };
    replay.take(read.row);
    const before = past.at(-1)?.peers;
    const known = new Set([...replay.desired.keys(), ...replay.status.keys()]);
    const peers = [...known].map((id): [PeerId, PastPeer] => {
      const desired = replay.desired.get(id);
      const open = (which: Direction) =>
        replay.status.get(id)?.openStreams.findLast((stream) => stream.direction === which)?.seq ?? null;
      const state = {
        standing: desired?.standing ?? null,
        relation: desired?.relation ?? null,
        address: desired?.address ?? null,
      };
      const isDown = state.standing === "partner" && open("outbound") === null;
      const closed = type === "StreamClosed" && peerId === id && direction === "outbound" ? String(reason) : null;
      const failed = type === "OpenFailed" && peerId === id ? String(reason) : null;
      const down = isDown ? downAfter(before?.get(id)?.down ?? null, { seq, closed, stream, failed }) : null;
      return [
        id,
        {
          ...state,
          generation: desired?.generation ?? null,
          outbound: open("outbound"),
          inbound: open("inbound"),
          down,
          learned: replay.status.get(id)?.learned?.seq ?? null,
        },
      ];
    });
    past.push({ seq, atMs, peers: new Map(peers) });
  }
  return past;
}

interface Row {
  readonly seq: number;
  readonly closed: string | null;
  readonly stream: Down["closed"];
  readonly failed: string | null;
}

function downAfter(before: Down | null, row: Row): Down {
  if (before === null)
    return { seq: row.seq, began: row.closed ?? "desired", closed: row.closed === null ? null : row.stream, failed: [] };
  if (row.failed === null) return before;
  return { ...before, failed: [...before.failed, { seq: row.seq, reason: row.failed }] };
}
