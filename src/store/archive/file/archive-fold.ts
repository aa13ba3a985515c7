/**
 * Goes over the rows that are archived, whether the log still holds them or a file does: names what does not hold of them, and says in
 * the end what they come to.
 */

import type { PeerId, ResourceId } from "../../../base/ids.ts";
import type { RowCheck } from "../../check/rows/row-reader.ts";
import { soundRowChecks } from "../../check/rows/sound-rows.ts";
import { type ArchivedState, coreMessageItem, messageItem } from "../../fold/archived-state.ts";
import { type Replay, type ReplayStart, startReplay } from "../../fold/replay.ts";
import { SetDigester } from "../../fold/set-digest.ts";
import { parseDedupeKey } from "../../model/dedupe-key.ts";
import type { Finding } from "../../model/finding.ts";
import type { LogRow } from "../../model/log-entry.ts";

/** The newest message of a stream about somebody. */
type InStream = Pick<ArchivedState["peers"][number], "streamCreated" | "streamSequence" | "streamSeq">;

const NOT_IN_STREAM: InStream = { streamCreated: null, streamSequence: null, streamSeq: null };

export class ArchiveFold {
  readonly #replay: Replay;
  readonly #checks: readonly RowCheck[];
  readonly #peers = new Map<PeerId, { events: number; inStream: InStream }>();
  readonly #resources = new Map<ResourceId, { peerId: PeerId; inStream: InStream }>();
  readonly #deliveries: ArchivedState["deliveries"] = [];
  readonly #messages = new SetDigester();
  readonly #coreMessages = new SetDigester();

  constructor(start: ReplayStart) {
    this.#replay = startReplay(start.projections);
    this.#checks = soundRowChecks(start, this.#replay);
  }

  /** What does not hold of the row, given those before it. */
  *take(row: LogRow): Generator<Finding> {
    for (const check of this.#checks) yield* check.row(row);
    this.#count(row);
  }

  /** What the rows so far come to. */
  state(): ArchivedState {
    const { desired, status } = this.#replay;
    return {
      desired: sorted([...desired.values()], ({ peerId }) => peerId),
      status: sorted(
        [...status.values()].map((peer) => ({ ...peer, openStreams: [...peer.openStreams] })),
        ({ peerId }) => peerId,
      ),
      peers: sorted(
        [...this.#peers].map(([peerId, { events, inStream }]) => {
          const { relation = null, standing = null } = desired.get(peerId) ?? {};
          return { peerId, events, relation, standing, ...inStream };
        }),
        ({ peerId }) => peerId,
      ),
      resources: sorted(
        [...this.#resources].map(([resourceId, { peerId, inStream }]) => ({ resourceId, peerId, ...inStream })),
        ({ resourceId }) => resourceId,
      ),
      deliveries: this.#deliveries,
      messages: this.#messages.digest(),
      coreMessages: this.#coreMessages.digest(),
    };
  }

  #count(row: LogRow): void {
    const { seq, type, atMs, peerId, supersededPeerId, resourceId, reason, message, chainHash } = row;
    const { streamSequence, lastStreamSequence } = row;
    for (const about of [peerId, supersededPeerId]) {
      if (about === null) continue;
      const { events, inStream } = this.#peers.get(about) ?? { events: 0, inStream: NOT_IN_STREAM };
      // Where its resource went, the stream said of another peer.
      this.#peers.set(about, { events: events + 1, inStream: about === peerId ? newer(inStream, row) : inStream });
    }
    if (resourceId !== null && peerId !== null) {
      const { inStream } = this.#resources.get(resourceId) ?? { inStream: NOT_IN_STREAM };
      this.#resources.set(resourceId, { peerId, inStream: newer(inStream, row) });
    }
    const [fromStream, byCore] = [messageItem(row), coreMessageItem(row)];
    if (fromStream !== undefined) this.#messages.add(fromStream);
    if (byCore !== undefined) this.#coreMessages.add(byCore);
    const isDelivery = type === "DeliveryChanged" || type === "DeliveryGap";
    if (!isDelivery || reason === null || message === null || chainHash === null) return;
    if (!isDeliveryReason(reason)) return;
    this.#deliveries.push({ seq, type, atMs, reason, streamSequence, lastStreamSequence, message, chainHash });
  }
}

const DELIVERY_REASONS = ["at_most_once", "at_least_once", "purged", "recreated", "reused"] as const;

function isDeliveryReason(reason: string): reason is (typeof DELIVERY_REASONS)[number] {
  return DELIVERY_REASONS.some((known) => known === reason);
}

/** Of one stream the highest sequence counts, and of several the one that came last. */
function newer(before: InStream, { seq, dedupeKey, streamSequence }: LogRow): InStream {
  const created = dedupeKey === null ? undefined : parseDedupeKey(dedupeKey)?.created;
  if (created === undefined || streamSequence === null) return before;
  if (before.streamCreated === created && before.streamSequence !== null && before.streamSequence > streamSequence) return before;
  return { streamCreated: created, streamSequence, streamSeq: seq };
}

function sorted<Item>(items: Item[], keyOf: (item: Item) => string): Item[] {
  return items.sort((one, other) => (keyOf(one) < keyOf(other) ? -1 : 1));
}
