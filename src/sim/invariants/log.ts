/** The log tells the truth, all of it, for ever: through crashes, power cuts, full disks and brokers that repeat themselves. */
import { isDeepStrictEqual } from "node:util";
import type { Invariant, Running, Scene } from "./invariant.ts";

const LOOK_EVERY_MS = 500;

export function log(scene: Scene): Invariant {
  let lastSeq = 0;
  let isStarted = false;
  let nextLookMs = 0;

  return {
    started(daemon) {
      // A crash may lose what was not committed, never what was: the seq can only grow.
      const { seq } = daemon.store.head();
      if (seq < lastSeq)
        scene.violated("committed-stays", `the log ended at seq ${lastSeq} before the daemon did, now it ends at ${seq}`);
      lastSeq = seq;
      isStarted = true;
      rowsHoldTogether();
      replayIsExact(daemon);
      sessionsAreClosed(daemon);
    },
    ended() {
      isStarted = false;
    },
    stepped() {
      // A transaction that failed must leave nothing behind, neither there nor here.
      if (scene.daemon === undefined || scene.disk.state === "well" || scene.nowMs() < nextLookMs) return;
      nextLookMs = scene.nowMs() + LOOK_EVERY_MS;
      memoryIsTheTable(scene.daemon);
    },
    logged({ seq }) {
      // Of the last row before a crash nobody was told.
      const follows = isStarted ? seq === lastSeq + 1 : seq > lastSeq;
      if (!follows) scene.violated("seq-is-gapless", `seq ${seq} follows ${lastSeq}`);
      lastSeq = seq;
    },
    finished() {
      const { daemon } = scene;
      if (daemon === undefined) return;
      rowsHoldTogether();
      replayIsExact(daemon);
      memoryIsTheTable(daemon);
      openStreamsAreTheLogs(daemon);
    },
  };

  function rowsHoldTogether(): void {
    const row = scene.disk.reader
      .prepare<[], { rows: number; last: number; messages: number; keys: number }>(
        "select count(*) as rows, coalesce(max(seq), 0) as last, count(dedupe_key) as messages, count(distinct dedupe_key) as keys from event_log",
      )
      .get();
    if (row === undefined) return;
    if (row.rows !== row.last) scene.violated("seq-is-gapless", `the log has ${row.rows} rows and ends at seq ${row.last}`);
    if (row.messages !== row.keys)
      scene.violated("logged-once", `${row.messages} messages are in the log, ${row.keys} of them different`);
  }

  function replayIsExact(daemon: Running): void {
    for (const difference of daemon.store.verifyProjections()) scene.violated("replay-is-exact", difference);
  }

  function sessionsAreClosed(daemon: Running): void {
    for (const { peerId, openStreams } of daemon.store.statuses()) {
      if (openStreams.length > 0)
        scene.violated("sessions-are-closed", `a stream with ${peerId} of the last run is still open in the log`);
    }
  }

  function memoryIsTheTable(daemon: Running): void {
    const rows = scene.disk.reader
      .prepare<[], { peerId: string; standing: string; generation: number }>(
        "select peer_id as peerId, standing, generation from desired_peer order by peer_id",
      )
      .all();
    const cached = daemon.store.list().map(({ peerId, standing, generation }) => ({ peerId, standing, generation }));
    if (!isDeepStrictEqual(rows, cached))
      scene.violated("memory-is-the-table", "the desired peers in memory are not those of the table");
  }

  function openStreamsAreTheLogs(daemon: Running): void {
    if (scene.disk.state !== "well") return;
    for (const { peerId, openStreams } of daemon.store.statuses()) {
      const { outbound, inbound } = daemon.streams.actual(peerId);
      const standing = [outbound && "outbound", inbound && "inbound"].filter((direction) => direction !== null).sort();
      const logged = openStreams.map(({ direction }) => direction).sort();
      if (!isDeepStrictEqual(standing, logged)) {
        scene.violated("log-tells-what-stands", `${peerId} has the streams [${standing}], the log says [${logged}]`);
      }
    }
  }
}
