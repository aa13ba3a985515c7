/** Messages are logged in stream order, every recorded gap is real, and reading resumes soon after the broker has recovered. */
import type { DeliveryGap } from "../../../events/delivery/delivery-events.ts";
import type { LogEntry } from "../../../store/model/log-entry.ts";
import type { StoredMessage } from "../../broker/stored-message.ts";
import type { Invariant, Scene } from "../invariant.ts";
import type { StreamBreaks } from "./stream-breaks.ts";

export function streamOrder(scene: Scene, breaks: StreamBreaks): Invariant {
  let last: { readonly created: string; readonly sequence: number; readonly toldSeq: number } | undefined;
  return {
    rolledBack() {
      last = undefined;
    },
    logged({ seq, dedupeKey, streamSequence }) {
      if (dedupeKey === null || streamSequence === null) return;
      const [created = ""] = dedupeKey.split("/");
      const { toldSeq } = breaks;
      const before = last?.created === created && last.toldSeq === toldSeq ? last.sequence : 0;
      if (streamSequence <= before)
        scene.violated("stream-order", `#${seq} is stream sequence ${streamSequence}, logged after ${before}`);
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
      if (event.reason === "rolled_back") {
        if (!breaks.wasRolledBack)
          scene.violated("gap-is-one", `#${seq} says that messages were lost in a rollback, but there was none`);
        return;
      }
      if (event.reason === "unproven") {
        isUnproven(row, event);
        return;
      }
      if (!breaks.isFirstRecord({ seq, event }))
        scene.violated("gap-is-one", `#${seq} says that the stream was ${event.reason}, but it was not`);
      breaks.tell(seq);
    },
  };

  /** It ends with the newest message that the log knows, and the stream holds no copy of that. */
  function isUnproven({ seq }: LogEntry, { lastStreamSequence, streamCreated }: DeliveryGap): void {
    const isLast = (message: StoredMessage) => message.created === streamCreated && message.sequence === lastStreamSequence;
    if (!stream.everStored.some((message) => isLast(message) && breaks.onDisk.count(message.dedupeKey) > 0))
      scene.violated("gap-is-one", `#${seq} says that ${lastStreamSequence} may be another message, but the log has none`);
    const newest = stream.at(lastStreamSequence ?? 0);
    if (newest?.created === streamCreated && breaks.onDisk.count(newest.dedupeKey) > 0)
      scene.violated(
        "gap-is-one",
        `#${seq} says that nothing is left to compare, but the log and the stream have ${newest.sequence}`,
      );
  }

  /** Ignores messages from before the last break: the log may or may not have the copy that was lost. */
  function isPurged({ seq, streamSequence }: LogEntry, { lastStreamSequence }: DeliveryGap): void {
    const created = scene.daemon?.store.cursor()?.created;
    for (const message of stream.everStored) {
      if (message.created !== created || message.sequence < (streamSequence ?? 0)) continue;
      if (message.sequence > (lastStreamSequence ?? 0) || stream.lossOf(message) === "set_back") continue;
      if (stream.lossOf(message) === undefined)
        scene.violated("gap-is-one", `#${seq} says that the stream lost sequence ${message.sequence}, but the stream holds it`);
      else if (breaks.onDisk.count(message.dedupeKey, breaks.toldSeq) > 0)
        scene.violated("gap-is-one", `#${seq} says that the log never got sequence ${message.sequence}, but the log has it`);
    }
  }
}

/** How soon reading must catch up after the last disturbance. */
const READS_WITHIN_MS = 10_000;

export function readingGoesOn(scene: Scene, breaks: StreamBreaks): Invariant {
  const { broker } = scene;
  const { stream } = broker;
  let disturbances = 0;

  return {
    started: disturb,
    disturbed: disturb,
    published(message) {
      // A message that is lost or delayed in transit is a fault like any other.
      if (isPlain(message)) mustRead();
      else disturb();
    },
  };

  function disturb(): void {
    disturbances += 1;
    mustRead();
  }

  /** Requires reading to catch up in time. Each further disturbance restarts the deadline. */
  function mustRead(): void {
    if (scene.daemon === undefined) return;
    const since = disturbances;
    const before = breaks.cursor;
    const { created } = stream.state;
    const newest = stream.newestHeld?.sequence ?? 0;
    scene.within(READS_WITHIN_MS, "reading-goes-on", () => {
      if (since !== disturbances || broker.state !== "up" || scene.disk.state !== "healthy") return undefined;
      const { cursor } = breaks;
      const isSameStream = cursor?.created === created;
      if (isSameStream && cursor.sequence >= newest) return undefined;
      // A long backlog takes a while (one round trip per message after repeated failures); progress is enough.
      if (isSameStream && (before?.created !== created || cursor.sequence !== before.sequence)) {
        mustRead();
        return undefined;
      }
      const next = isSameStream ? cursor.sequence + 1 : 1;
      if (stream.heldFrom(next).some((message) => !isPlain(message))) return undefined;
      return `the broker has been healthy for ${READS_WITHIN_MS} ms, but the cursor is at ${next - 1} and the stream at ${newest}`;
    });
  }
}

function isPlain({ deliveries }: StoredMessage): boolean {
  return deliveries.length === 1 && deliveries[0] === 0;
}
