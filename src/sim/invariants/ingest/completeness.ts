/** Once the world has been well for a while, the log has every message of the stream or says what is missing. */
import { onceConverged } from "../convergence.ts";
import type { Invariant, Scene } from "../invariant.ts";
import type { StreamBreaks } from "./stream-breaks.ts";

export function everyMessageIsLogged(scene: Scene, breaks: StreamBreaks): Invariant {
  const { stream } = scene.broker;
  const { onDisk } = breaks;
  return onceConverged(scene, () => {
    everyMessage();
    everyBreak();
  });

  /** A broker that keeps unacknowledged messages has delivered all of them by now. */
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

  /** If the log has messages of a stream that is gone, it also says that it is gone. */
  function everyBreak(): void {
    for (const message of stream.everStored) {
      const loss = stream.lossOf(message);
      if (loss === undefined || loss === "removed" || breaks.hasHiddenSetBack) continue;
      if (onDisk.count(message.dedupeKey) === 0 || onDisk.hasBreakAfter(message.dedupeKey)) continue;
      const what = loss === "recreated" ? "made anew" : "set back";
      scene.violated("break-is-told", `message ${message.sequence} is of a stream that was ${what}, and the log does not say so`);
      return;
    }
  }
}
