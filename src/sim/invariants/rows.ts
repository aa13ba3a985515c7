/** Peers cause a bounded number of rows a minute: each one in one generation, and all strangers together. */
import type { LogEvent } from "../../events/types.ts";
import type { LogEntry } from "../../store/model/log-entry.ts";
import type { Invariant, Scene } from "./invariant.ts";

const MINUTE_MS = 60_000;
const MOST_ROWS = 60;

export function rowsAreBounded(scene: Scene): Invariant {
  /** When it happened. A row that waits for the disk is written later. */
  let happenedAtMs = new WeakMap<LogEvent, number>();
  let rows = new Map<string, number[]>();
  return {
    ended() {
      happenedAtMs = new WeakMap();
      rows = new Map();
    },
    observed(event) {
      happenedAtMs.set(event, scene.nowMs());
    },
    logged(entry) {
      const who = causedBy(entry);
      if (who === undefined) return;
      const atMs = happenedAtMs.get(entry.event) ?? scene.nowMs();
      const inMinute = [...(rows.get(who) ?? []).filter((earlierMs) => earlierMs > atMs - MINUTE_MS), atMs];
      rows.set(who, inMinute);
      if (inMinute.length === MOST_ROWS + 1)
        scene.violated("rows-are-bounded", `${who} caused more than ${MOST_ROWS} rows within a minute`);
    },
  };
}

const CAUSED_BY_PEERS: readonly LogEvent["type"][] = [
  "StreamOpened",
  "StreamClosed",
  "OpenFailed",
  "InboundRefused",
  "EventsSuppressed",
];

/** Undefined for rows that no peer causes, such as those of a start, which closes the streams of the run before. */
function causedBy({ event, causeSeq }: LogEntry): string | undefined {
  if (!CAUSED_BY_PEERS.includes(event.type) || !("peerId" in event)) return undefined;
  if (event.type === "StreamClosed" && event.reason === "daemon_restart") return undefined;
  return causeSeq === null ? "strangers" : `${event.peerId}, as of event ${causeSeq},`;
}
