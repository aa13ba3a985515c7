/** Every close names the opening of the stream that it ends: of the same peer, protocol and direction, open until then. */
import type { StreamClosed, StreamOpened } from "../../events/types.ts";
import type { Invariant, Scene } from "./invariant.ts";

type Slot = Pick<StreamOpened, "peerId" | "protocol" | "direction">;

export function closesNameTheirOpening(scene: Scene): Invariant {
  /** By the seq of its StreamOpened. A close removes it, so no stream is closed twice. */
  let open: Map<number, Slot> | undefined;
  return {
    // The last rows before a crash are not reported.
    ended() {
      open = undefined;
    },
    logged({ seq, event, openedSeq }) {
      open ??= openBefore(scene, seq);
      if (event.type === "StreamOpened") open.set(seq, event);
      if (event.type !== "StreamClosed") return;
      const problem = problemOf(event, openedSeq === null ? undefined : open.get(openedSeq));
      if (problem !== undefined)
        scene.violated("closes-name-their-opening", `the close at seq ${seq} names the opening ${openedSeq}, ${problem}`);
      if (openedSeq !== null) open.delete(openedSeq);
    },
  };
}

function problemOf(closed: StreamClosed, opened: Slot | undefined): string | undefined {
  if (opened === undefined) return "which is not that of an open stream";
  const isSame = opened.peerId === closed.peerId && opened.protocol === closed.protocol && opened.direction === closed.direction;
  return isSame ? undefined : "which is that of another peer, protocol or direction";
}

function openBefore(scene: Scene, seq: number): Map<number, Slot> {
  const query = `select seq, peer_id as peerId, protocol, direction from event_log as opened
    where type = 'StreamOpened' and seq < @seq
    and not exists (select 1 from event_log as closed where closed.opened_seq = opened.seq and closed.seq < @seq)`;
  const rows = scene.disk.reader.prepare<{ seq: number }, Slot & { readonly seq: number }>(query).all({ seq });
  return new Map(rows.map((row) => [row.seq, row]));
}
