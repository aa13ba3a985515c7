/** Reading goes on soon after the broker is well. */
import type { StoredMessage } from "../../broker/stored-message.ts";
import type { Invariant, Scene } from "../invariant.ts";
import type { StreamBreaks } from "./stream-breaks.ts";

/** Promised by an issue of the project. */
const READS_WITHIN_MS = 10_000;

export function readingGoesOn(scene: Scene, breaks: StreamBreaks): Invariant {
  const { broker } = scene;
  const { stream } = broker;
  let disturbances = 0;

  return {
    started: disturb,
    disturbed: disturb,
    published(message) {
      // A message that is lost on its way, or comes late, is a fault like any other.
      if (isPlain(message)) mustRead();
      else disturb();
    },
  };

  function disturb(): void {
    disturbances += 1;
    mustRead();
  }

  /** Unless something else happens meanwhile, after which there is as much time once more. */
  function mustRead(): void {
    if (scene.daemon === undefined) return;
    const since = disturbances;
    const before = breaks.cursor;
    const { created } = stream.state;
    const newest = stream.newestHeld?.sequence ?? 0;
    scene.within(READS_WITHIN_MS, "reading-goes-on", () => {
      if (since !== disturbances || broker.state !== "up" || scene.disk.state !== "well") return undefined;
      const { cursor } = breaks;
      const isSameStream = cursor?.created === created;
      if (isSameStream && cursor.sequence >= newest) return undefined;
      // Many messages take their time, one round trip for each where reading has failed again and again.
      if (isSameStream && (before?.created !== created || cursor.sequence !== before.sequence)) {
        mustRead();
        return undefined;
      }
      const next = isSameStream ? cursor.sequence + 1 : 1;
      if (stream.heldFrom(next).some((message) => !isPlain(message))) return undefined;
      return `the broker has been well for ${READS_WITHIN_MS} ms, and of its stream's ${newest} messages the log has got to ${next - 1}`;
    });
  }
}

function isPlain({ deliveries }: StoredMessage): boolean {
  return deliveries.length === 1 && deliveries[0] === 0;
}
