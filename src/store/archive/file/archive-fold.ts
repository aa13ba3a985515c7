/** Checks archived rows, in the log or in a file, and folds them into the state at their end. */

import type { PeerId, ResourceId } from "../../../base/ids.ts";
import { DELIVERY_GUARANTEES, GAP_REASONS, ROLLBACK_EVIDENCE } from "../../../events/delivery/delivery-events.ts";
import type { DesiredPeer } from "../../../events/types.ts";
import type { RowCheck } from "../../check/rows/row-reader.ts";
import { soundRowChecks } from "../../check/rows/sound-rows.ts";
import { type ArchivedState, coreMessageItem, messageItem, type Replacement, type RunRow } from "../../fold/archived-state.ts";
import { type Replay, type ReplayStart, startReplay } from "../../fold/replay.ts";
import { foldRun, type RunRecord } from "../../fold/run-record.ts";
import { SetDigester } from "../../fold/set-digest.ts";
import type { PeerStatus } from "../../fold/status.ts";
import { parseDedupeKey } from "../../model/dedupe-key.ts";
import type { Finding } from "../../model/finding.ts";
import { eventOf, type LogRow } from "../../model/log-entry.ts";

/** The newest message about a peer or resource in a broker stream. */
type InStream = Pick<ArchivedState["peers"][number], "streamCreated" | "streamSequence" | "streamSeq">;

const RUN_TYPES: ReadonlySet<LogRow["type"]> = new Set(["DaemonStarted", "DaemonStopped", "LogReinterpreted", "IdentityChanged"]);

const NOT_IN_STREAM: InStream = { streamCreated: null, streamSequence: null, streamSeq: null };

export class ArchiveFold {
  readonly #replay: Replay;
  readonly #checks: readonly RowCheck[];
  readonly #peers = new Map<PeerId, { events: number; inStream: InStream }>();
  readonly #resources = new Map<ResourceId, { peerId: PeerId; inStream: InStream }>();
  readonly #deliveries: ArchivedState["deliveries"] = [];
  readonly #replacements: Replacement[] = [];
  readonly #runs: RunRow[] = [];
  readonly #clones: RunRow[] = [];
  #lastRun: RunRecord | null;
  readonly #messages = new SetDigester();
  readonly #coreMessages = new SetDigester();

  constructor(start: ReplayStart) {
    this.#replay = startReplay(start.projections);
    this.#checks = soundRowChecks(start, this.#replay);
    this.#lastRun = start.lastRun;
  }

  /** Folds the row in. Yields what is wrong with it, given the rows before it. */
  *take(row: LogRow): Generator<Finding> {
    for (const check of this.#checks) yield* check.row(row);
    this.#count(row);
  }

  /** The state after the rows so far. */
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
          return { peerId, events, ...endState(desired.get(peerId), status.get(peerId)), ...inStream };
        }),
        ({ peerId }) => peerId,
      ),
      resources: sorted(
        [...this.#resources].map(([resourceId, { peerId, inStream }]) => ({ resourceId, peerId, ...inStream })),
        ({ resourceId }) => resourceId,
      ),
      deliveries: this.#deliveries,
      lastRun: this.#lastRun,
      messages: this.#messages.digest(),
      coreMessages: this.#coreMessages.digest(),
      ...(this.#replacements.length > 0 && { replacements: this.#replacements }),
      ...(this.#runs.length > 0 && { runs: this.#runs }),
      ...(this.#clones.length > 0 && { clones: this.#clones }),
    };
  }

  #count(row: LogRow): void {
    const { seq, type, atMs, peerId, supersededPeerId, resourceId, reason, message, chainHash } = row;
    const { stream, streamCreated, streamSequence, lastStreamSequence } = row;
    if (RUN_TYPES.has(type)) this.#lastRun = foldRun(this.#lastRun, { seq, event: eventOf(row) });
    this.#noteRun(row);
    if (type === "LogRestored") this.#replacements.push({ type, seq, firstSeq: seq });
    if (type === "LogRolledBack") this.#replacements.push({ type, seq, firstSeq: this.#lastRun?.startedSeq ?? seq });
    for (const about of [peerId, supersededPeerId]) {
      if (about === null) continue;
      const { events, inStream } = this.#peers.get(about) ?? { events: 0, inStream: NOT_IN_STREAM };
      // For a peer that lost its resource id, the message is about another peer.
      this.#peers.set(about, { events: events + 1, inStream: about === peerId ? newer(inStream, row) : inStream });
    }
    if (resourceId !== null && peerId !== null) {
      const { inStream } = this.#resources.get(resourceId) ?? { inStream: NOT_IN_STREAM };
      this.#resources.set(resourceId, { peerId, inStream: newer(inStream, row) });
    }
    const [fromStream, byCore] = [messageItem(row), coreMessageItem(row)];
    if (fromStream !== undefined) this.#messages.add(fromStream);
    if (byCore !== undefined) this.#coreMessages.add(byCore);
    const isDelivery = type === "DeliveryChanged" || type === "DeliveryGap" || type === "LogRolledBack";
    if (!isDelivery || reason === null || !isDeliveryReason(reason)) return;
    const where = { stream, streamCreated, streamSequence, lastStreamSequence };
    this.#deliveries.push({ seq, type, atMs, reason, ...where, message, chainHash });
  }

  #noteRun(row: LogRow): void {
    if (row.type !== "DaemonStarted" && row.type !== "CloneSeen") return;
    const event = eventOf(row);
    if (event.type === "DaemonStarted") this.#runs.push({ seq: row.seq, run: event.details.run });
    else if (event.type === "CloneSeen") this.#clones.push({ seq: row.seq, run: event.details.otherRun });
  }
}

type EndState = Omit<ArchivedState["peers"][number], "peerId" | "events" | keyof InStream>;

/** A peer at the end of the archive; nulls for what is unknown of a stranger. */
function endState(desired: DesiredPeer | undefined, status: PeerStatus | undefined): EndState {
  const { relation = null, standing = null, address = null, generation = null, sinceMs = null } = desired ?? {};
  const { standingSeq = null, standingSinceMs = null } = desired ?? {};
  const close = status?.lastOutboundClose ?? null;
  return {
    relation,
    standing,
    address,
    generation,
    sinceMs,
    standingSeq,
    standingSinceMs,
    outboundCloseSeq: close?.seq ?? null,
    outboundCloseReason: close?.reason ?? null,
    outboundClosedAtMs: close?.atMs ?? null,
    learnedSeq: status?.learned?.seq ?? null,
    learnedAtMs: status?.learned?.atMs ?? null,
    learnedDetails: status?.learned?.details ?? null,
  };
}

const DELIVERY_REASONS = [...DELIVERY_GUARANTEES, ...GAP_REASONS, ...ROLLBACK_EVIDENCE] as const;

function isDeliveryReason(reason: string): reason is (typeof DELIVERY_REASONS)[number] {
  return DELIVERY_REASONS.some((known) => known === reason);
}

/** The higher sequence within one stream; the later row across streams. */
function newer(before: InStream, { seq, dedupeKey, streamSequence }: LogRow): InStream {
  const created = dedupeKey === null ? undefined : parseDedupeKey(dedupeKey)?.created;
  if (created === undefined || streamSequence === null) return before;
  if (before.streamCreated === created && before.streamSequence !== null && before.streamSequence > streamSequence) return before;
  return { streamCreated: created, streamSequence, streamSeq: seq };
}

function sorted<Item>(items: Item[], keyOf: (item: Item) => string): Item[] {
  return items.sort((one, other) => (keyOf(one) < keyOf(other) ? -1 : 1));
}
