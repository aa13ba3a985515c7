/** At most one operation in flight per key; no more opens at once than are allowed; none that lasts for ever. */
import type { PeerId } from "../../base/ids.ts";
import type { Invariant, Scene } from "./invariant.ts";

/** An operation that is aborted has to end at once; this is for those that wait for their turn. */
const SLACK_MS = 1_000;

export function operations(scene: Scene): Invariant {
  const { concurrency, openTimeoutMs } = scene.settings;
  let inFlight = new Map<PeerId, "open" | "renew">();
  let opens = 0;
  return {
    ended() {
      inFlight = new Map();
      opens = 0;
    },
    operation(peerId, kind, state) {
      if (state === "over") {
        inFlight.delete(peerId);
        if (kind === "open") opens -= 1;
        return;
      }
      const other = inFlight.get(peerId);
      if (other !== undefined) scene.violated("one-operation-per-key", `${kind} of ${peerId} while ${other} is in flight`);
      inFlight.set(peerId, kind);
      if (kind !== "open") return;
      opens += 1;
      if (opens > concurrency) scene.violated("bounded-opens", `${opens} opens at once, ${concurrency} are allowed`);
      const operation = inFlight;
      scene.within(openTimeoutMs + SLACK_MS, "operations-end", () =>
        operation === inFlight && inFlight.get(peerId) === kind && opens > 0 ? stillOpening(peerId) : undefined,
      );
    },
  };

  function stillOpening(peerId: PeerId): string | undefined {
    const progress = scene.daemon?.reconciler.stuckForMs() ?? 0;
    return progress > openTimeoutMs + SLACK_MS ? `the open of ${peerId} has not settled` : undefined;
  }
}
