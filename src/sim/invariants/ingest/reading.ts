/** The log has messages in the order of the stream, a gap that it names is one, and reading goes on soon after the broker is well. */
import type { DeliveryGap } from "../../../events/types.ts";
import type { LogEntry } from "../../../store/model/log-entry.ts";
import type { StoredMessage } from "../../broker/stored-message.ts";
import type { Invariant, Scene } from "../invariant.ts";
import type { StreamBreaks } from "./stream-breaks.ts";

export function streamOrder(scene: Scene, breaks: StreamBreaks): Invariant {
  let last: { readonly created: string; readonly sequence: number; readonly toldSeq: number } | undefined;
  return {
    logged({ seq, dedupeKey, streamSequence }) {
      if (dedupeKey === null || streamSequence === null) return;
      const [created = ""] = dedupeKey.split("/");
      const { toldSeq } = breaks;
      const before = last?.created === created && last.toldSeq === toldSeq ? last.sequence : 0;
      // Behind a hidden set-back, a resync finds late what comes first.
      if (!breaks.hasHiddenSetBack && streamSequence <= before)
        scene.violated("stream-order", `#${seq} is sequence ${streamSequence} of the stream, and comes after ${before}`);
      last = { created, sequence: streamSequence, toldSeq };
    },
  };
}

export function gapIsOne(scene: Scene, breaks: StreamBreaks): Invariant {
  const { stream } = scene.broker;
  return {
    logged(row) {
      const { seq, event } = row;
      if (event.type !== "DeliveryGap") return;
      if (event.reason === "purged") {
        isPurged(row, event);
        return;
      }
      if (!breaks.isUntold(event.reason))
        scene.violated("gap-is-one", `#${seq} says that the stream was ${event.reason}, and it was not`);
      breaks.tell(seq);
    },
  };

  /** Of messages before the last break nothing tells whether the log has the one that is gone. */
  function isPurged({ seq, streamSequence }: LogEntry, { lastStreamSequence }: DeliveryGap): void {
    const created = scene.daemon?.store.cursor()?.created;
    for (const message of stream.everStored) {
      if (message.created !== created || message.sequence < (streamSequence ?? 0)) continue;
      if (message.sequence > (lastStreamSequence ?? 0) || stream.lossOf(message) === "set_back") continue;
      if (stream.lossOf(message) === undefined)
        scene.violated("gap-is-one", `#${seq} says that the stream has lost sequence ${message.sequence}, and it holds it`);
      else if (breaks.onDisk.count(message.dedupeKey, breaks.toldSeq) > 0)
        scene.violated("gap-is-one", `#${seq} says that the log never got sequence ${message.sequence}, and it is there`);
    }
  }
}

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
