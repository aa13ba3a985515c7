/** Every acknowledged message is in the log. Some time after the last fault, every message is, or the log records the gap. */
import { type Invariant, onceConverged, type Scene } from "../invariant.ts";
import type { StreamBreaks } from "./stream-breaks.ts";

export function everyMessageIsLogged(scene: Scene, breaks: StreamBreaks): Invariant {
  const { stream } = scene.broker;
  const { onDisk } = breaks;
  return onceConverged(scene, () => {
    everyMessage();
    everyBreak();
  });

  /** By now the broker has delivered every unacknowledged message. */
  function everyMessage(): void {
    const reached = onDisk.cursor()?.sequence ?? 0;
    for (const message of stream.everStored) {
      const loss = stream.lossOf(message);
      if (loss === "recreated" || loss === "set_back") continue;
      const found = onDisk.count(message.dedupeKey);
      if (found === 1 || (found === 0 && breaks.mayBeMissing(message))) continue;
      if (loss === "removed" && message.sequence > reached) continue;
      scene.violated("every-message-is-logged", `message ${message.sequence} of the stream is in the log ${found} times`);
    }
  }

  /** If the log has messages of a stream that was since recreated or rewound, it also records that break. */
  function everyBreak(): void {
    for (const message of stream.everStored) {
      const loss = stream.lossOf(message);
      if (loss === undefined || loss === "removed" || breaks.isUntellable(message)) continue;
      if (onDisk.count(message.dedupeKey) === 0 || onDisk.hasBreakAfter(message.dedupeKey)) continue;
      const what = loss === "recreated" ? "recreated" : "rewound";
      scene.violated(
        "break-is-told",
        `message ${message.sequence} is from a stream that was ${what}, but the log does not record that`,
      );
      return;
    }
  }
}

/** Every acknowledged message is in the log exactly once and would survive a power loss. */
export function acknowledgedIsLogged(scene: Scene, breaks: StreamBreaks): Invariant {
  const { stream } = scene.broker;
  const { onDisk } = breaks;
  const acknowledged = new Set<string>();
  /** How many of the messages ever stored are acknowledged or lost. */
  let settled = 0;
  /** The newest acknowledged sequence. */
  let isRolledBack = false;
  let floor: { readonly created: string; readonly sequence: number; readonly setBacks: number } | undefined;

  return {
    started() {
      isRolledBack = false;
      floorIsOnDisk();
      allAreLogged();
    },
    acknowledged(upTo) {
      // Sent before the log was rolled back.
      if (isRolledBack) return;
      floor = { created: stream.state.created, sequence: upTo, setBacks: stream.setBacks };
      floorIsOnDisk();
      for (let next = stream.everStored[settled]; next !== undefined; next = stream.everStored[++settled]) {
        const loss = stream.lossOf(next);
        const isGone = loss === "recreated" || loss === "set_back";
        if (!isGone && next.sequence > upTo) break;
        if (isGone || (onDisk.count(next.dedupeKey) === 0 && breaks.mayBeMissing(next))) continue;
        acknowledged.add(next.dedupeKey);
        isLoggedOnce(next.dedupeKey);
      }
    },
    // The log must fetch them again, or name them in a gap, before the next acknowledgement.
    rolledBack() {
      isRolledBack = true;
      acknowledged.clear();
      settled = 0;
      floor = undefined;
    },
    finished() {
      if (scene.daemon !== undefined) allAreLogged();
    },
  };

  function floorIsOnDisk(): void {
    if (floor?.created !== stream.state.created || floor.setBacks !== stream.setBacks) return;
    const cursor = onDisk.cursor();
    if (cursor?.created === floor.created && cursor.sequence >= floor.sequence) return;
    const found = cursor === undefined ? "missing" : `at ${cursor.sequence} of the stream created at ${cursor.created}`;
    scene.violated("acknowledged-is-logged", `sequence ${floor.sequence} is acknowledged, but the cursor on disk is ${found}`);
  }

  function allAreLogged(): void {
    for (const key of acknowledged) isLoggedOnce(key);
  }

  function isLoggedOnce(dedupeKey: string): void {
    const found = onDisk.count(dedupeKey);
    if (found === 1) return;
    scene.violated("acknowledged-is-logged", `${dedupeKey} was acknowledged but is in the log ${found} times`);
  }
}
