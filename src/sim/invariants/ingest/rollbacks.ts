/** A log that was rolled back says so: the broker remembers that it had more. */
import type { Invariant, Scene } from "../invariant.ts";
import type { StreamBreaks } from "./stream-breaks.ts";

/** A look at the consumer, and a restart of reading after failures. */
const TOLD_MS = 10_000;

export function rollbacksAreTold(scene: Scene, breaks: StreamBreaks): Invariant {
  const { broker } = scene;
  const { stream } = broker;
  let disturbances = 0;
  /** The sequence that the log must say it had; undefined if there is no proof. */
  let had: number | undefined;
  let isNews = false;
  let breakSeq = 0;
  /** A clone's acknowledgements reach the daemon's consumer, too, so they prove nothing. */
  let wasCloned = false;
  /** A second rollback from the same sequence is not told apart from the first, found again after a crash. */
  const told = new Set<number>();
  return {
    rolledBack() {
      isNews = true;
    },
    started() {
      // By now the broker has got the last acknowledgements of the run before.
      if (isNews) {
        had = proof();
        breakSeq = breaks.onDisk.lastBreakSeq();
      }
      isNews = false;
      const since = disturbances;
      if (had === undefined) return;
      scene.within(TOLD_MS, "rollback-is-told", () => {
        if (
          had === undefined ||
          told.has(had) ||
          isOnDisk(breaks, had, breakSeq) ||
          since !== disturbances ||
          broker.state !== "up" ||
          scene.disk.state !== "healthy"
        )
          return undefined;
        return `the log was rolled back, and had up to ${had} of the stream, but no LogRolledBack says so`;
      });
    },
    disturbed() {
      disturbances += 1;
    },
    logged({ event }) {
      // A stream that was recreated or rewound, too, is read from its start, whatever the log had.
      if (event.type === "LogRolledBack" || event.type === "DeliveryGap") had = undefined;
      if (event.type === "CloneSeen") wasCloned = true;
      if (event.type !== "LogRolledBack") return;
      told.add(event.lastStreamSequence);
      if (!breaks.wasRolledBack)
        scene.violated(
          "rollback-is-told",
          `the log says that it was rolled back from ${event.lastStreamSequence}, but it was not`,
        );
    },
  };

  function proof(): number | undefined {
    // A leader that lags does not know yet what was acknowledged.
    if (wasCloned || broker.answers.isLagging) return undefined;
    const { acknowledged = 0, owner, delivered, startSequence = 1 } = stream.consumer?.state ?? {};
    // Sent to the consumer that a clone has replaced since.
    if (acknowledged > Math.max(delivered?.streamSequence ?? 0, startSequence - 1)) return undefined;
    const cursor = breaks.onDisk.cursor();
    // At the start of a stream, the consumer may be the one from before a rewind.
    if (cursor === undefined || cursor.sequence < cursor.firstSequence) return undefined;
    const isProof = owner?.peerId === scene.self && cursor.created === stream.state.created && acknowledged > cursor.sequence;
    return isProof ? acknowledged : undefined;
  }
}

/** Whether the daemon wrote the rollback, or the gap that takes its place, even if it crashed before a witness saw the row. */
function isOnDisk({ onDisk }: StreamBreaks, sequence: number, breakSeq: number): boolean {
  return onDisk.isRollbackRecorded(sequence) || onDisk.hasGapAt(sequence) || onDisk.lastBreakSeq() !== breakSeq;
}
