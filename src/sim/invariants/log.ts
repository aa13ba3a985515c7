/** The log stays correct through crashes, power cuts, full disks and redeliveries. */
import { isDeepStrictEqual } from "node:util";
import { appliedMigrations, knownMigrations } from "../../store/sql/migrations.ts";
import type { Invariant, ObservedDaemon, Scene } from "./invariant.ts";

const LOOK_EVERY_MS = 500;
/** After a disk has recovered, what waited for it is written within this time: appends are retried every second. */
const WRITTEN_MS = 2_000;

export function seqIsGapless(scene: Scene): Invariant {
  let lastSeq = 0;
  let isStarted = false;
  return {
    started(daemon) {
      // A crash may lose uncommitted rows but never committed ones, so the seq only grows.
      const { seq } = daemon.store.head();
      if (seq < lastSeq)
        scene.violated("committed-stays", `the log ended at seq ${lastSeq} when the daemon exited, but now ends at ${seq}`);
      lastSeq = seq;
      isStarted = true;
    },
    ended() {
      isStarted = false;
    },
    rolledBack() {
      lastSeq = 0;
    },
    logged({ seq }) {
      // The last row before a crash may not have been reported.
      const follows = isStarted ? seq === lastSeq + 1 : seq > lastSeq;
      if (!follows) scene.violated("seq-is-gapless", `seq ${seq} follows ${lastSeq}`);
      lastSeq = seq;
    },
  };
}

export function schemaIsCurrent(scene: Scene): Invariant {
  return {
    started() {
      const applied = appliedMigrations(scene.disk.reader).length;
      const known = knownMigrations().size;
      if (applied !== known) scene.violated("schema-is-current", `the daemon runs on schema ${applied}, its own is ${known}`);
    },
  };
}

export function logIsTrue(scene: Scene): Invariant {
  let nextLookMs = 0;
  let hasStart = false;
  let unhealthyMs = Number.NEGATIVE_INFINITY;
  return {
    started(daemon) {
      rowsHoldTogether(scene);
      replayIsExact(scene, daemon);
      if (scene.disk.state === "healthy") sessionsAreClosed(scene, daemon);
    },
    ended() {
      hasStart = false;
    },
    // While the disk fails, the start and the closes wait for it, and everything else waits for them.
    logged({ seq, event }) {
      hasStart ||= event.type === "DaemonStarted";
      const isOrphan = event.type === "StreamClosed" && event.reason === "daemon_restart";
      if (!hasStart && !isOrphan)
        scene.violated("start-comes-first", `${event.type} at seq ${seq} comes before the DaemonStarted of its run`);
      if (event.type === "DaemonStarted" && scene.daemon !== undefined) sessionsAreClosed(scene, scene.daemon);
    },
    stepped() {
      if (scene.disk.state !== "healthy") unhealthyMs = scene.nowMs();
      // A failed transaction must leave nothing behind, on disk or in memory.
      if (scene.daemon === undefined || scene.disk.state === "healthy" || scene.nowMs() < nextLookMs) return;
      nextLookMs = scene.nowMs() + LOOK_EVERY_MS;
      memoryIsTheTable(scene, scene.daemon);
    },
    finished() {
      const { daemon } = scene;
      if (daemon === undefined) return;
      rowsHoldTogether(scene);
      replayIsExact(scene, daemon);
      memoryIsTheTable(scene, daemon);
      if (scene.nowMs() - unhealthyMs > WRITTEN_MS) openStreamsAreTheLogs(scene, daemon);
    },
  };
}

function rowsHoldTogether(scene: Scene): void {
  const row = scene.disk.reader
    .prepare<[], { rows: number; last: number; messages: number; keys: number }>(
      "select count(*) as rows, coalesce(max(seq), 0) as last, count(dedupe_key) as messages, count(distinct dedupe_key) as keys from event_log",
    )
    .get();
  if (row === undefined) return;
  if (row.rows !== row.last) scene.violated("seq-is-gapless", `the log has ${row.rows} rows but ends at seq ${row.last}`);
  if (row.messages !== row.keys)
    scene.violated("logged-once", `the log has ${row.messages} messages, but only ${row.keys} distinct ones`);
}

function replayIsExact(scene: Scene, daemon: ObservedDaemon): void {
  for (const difference of daemon.store.verifyProjections()) scene.violated("replay-is-exact", difference);
}

function sessionsAreClosed(scene: Scene, daemon: ObservedDaemon): void {
  for (const { peerId, openStreams } of daemon.store.statuses()) {
    if (openStreams.length > 0)
      scene.violated("sessions-are-closed", `a stream with ${peerId} from the last run is still open in the log`);
  }
}

function memoryIsTheTable(scene: Scene, daemon: ObservedDaemon): void {
  const rows = scene.disk.reader
    .prepare<[], { peerId: string; standing: string; generation: number }>(
      "select peer_id as peerId, standing, generation from desired_peer order by peer_id",
    )
    .all();
  const cached = daemon.store.list().map(({ peerId, standing, generation }) => ({ peerId, standing, generation }));
  if (!isDeepStrictEqual(rows, cached))
    scene.violated("memory-is-the-table", "the desired peers in memory differ from the table");
}

function openStreamsAreTheLogs(scene: Scene, daemon: ObservedDaemon): void {
  for (const { peerId, openStreams } of daemon.store.statuses()) {
    // The row budget of strangers may have left out an opening, and then its close.
    if (daemon.store.get(peerId) === undefined && openStreams.length === 0) continue;
    const { outbound, inbound } = daemon.streams.actual(peerId);
    const actual = [outbound && "outbound", inbound && "inbound"].filter((direction) => direction !== null).sort();
    const inLog = openStreams.map(({ direction }) => direction).sort();
    if (!isDeepStrictEqual(actual, inLog))
      scene.violated("log-tells-what-is-open", `${peerId} has the streams [${actual}], but the log says [${inLog}]`);
  }
}
