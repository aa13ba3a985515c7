/**
 * The state of the log at the end of an archive, from which a replay continues, and the archive tables' part of it. It is stored
 * in the anchor, its hash in the chain. Pure.
 */
import { hash } from "node:crypto";
import { gunzipSync, gzipSync } from "node:zlib";
import { z } from "zod";
import type { ErrorCode } from "../../base/errors.ts";
import type { Address, Did, PeerId, ResourceId } from "../../base/ids.ts";
import type { DeliveryGuarantee, GapReason, RollbackEvidence } from "../../events/delivery/delivery-events.ts";
import type { AttemptId, CloseReason } from "../../events/types.ts";
import { dedupeKeyParts } from "../model/dedupe-key.ts";
import type { LogEntryRow } from "../model/log-entry.ts";
import type { LogStart } from "../model/log-head.ts";
import type { archiveAnchor } from "../schema/archive.ts";
import type { Projections, ReplayStart } from "./replay.ts";

/** Text that was validated before it was logged. */
const text = <Text extends string>() => z.custom<Text>((value) => typeof value === "string", "expected a text");

const peerId = text<PeerId>();
const resourceId = text<ResourceId>();
const standing = z.enum(["partner", "revoked", "blacklisted"]);
const closing = z.strictObject({ seq: z.int(), reason: text<CloseReason>(), atMs: z.int() }).nullable();
const failure = z.strictObject({ seq: z.int(), code: text<ErrorCode>(), message: z.string(), atMs: z.int() }).nullable();

const desired = z.strictObject({
  peerId,
  resourceId: resourceId.nullable(),
  did: text<Did>().nullable(),
  name: z.string().nullable(),
  relation: z.string(),
  standing,
  address: text<Address>().nullable(),
  desiredSeq: z.int(),
  generation: z.int(),
  sinceMs: z.int(),
  standingSeq: z.int(),
  standingSinceMs: z.int(),
});

const status = z.strictObject({
  peerId,
  openStreams: z.array(
    z.strictObject({
      seq: z.int(),
      protocol: z.string(),
      direction: z.enum(["outbound", "inbound"]),
      openedAtMs: z.int(),
      causeSeq: z.int().nullable(),
      attempt: text<AttemptId>().nullable(),
    }),
  ),
  outboundSessions: z.int(),
  lastOutboundClose: closing,
  lastInboundClose: closing,
  lastError: failure,
  lastRefusal: failure,
  learned: z.strictObject({ seq: z.int(), atMs: z.int(), details: z.string() }).nullable(),
});

/** The newest message about a peer in a stream: the stream's creation time, the message's sequence, and the seq of its row. */
const inStream = {
  streamCreated: z.string().nullable(),
  streamSequence: z.int().nullable(),
  streamSeq: z.int().nullable(),
};

/** A start, its configuration, the vocabulary of the log up to here (RunRecord), and the DaemonStopped; null if there is none. */
const lastRun = z.strictObject({
  startedSeq: z.int(),
  peerId: peerId.optional(),
  configSha256: z.string(),
  config: z.record(z.string(), z.unknown()).nullable(),
  vocabulary: z.unknown(),
  stoppedSeq: z.int().nullable(),
});

/** A row that says that an older copy of the log took its place, and the first row after the copy. */
const replacement = z.strictObject({ type: z.enum(["LogRestored", "LogRolledBack"]), seq: z.int(), firstSeq: z.int() });

export type Replacement = z.infer<typeof replacement>;

/** A row that names a run: its DaemonStarted, or the CloneSeen of a daemon that saw it. */
const runRow = z.strictObject({ seq: z.int(), run: z.string() });

export type RunRow = z.infer<typeof runRow>;

const setDigest = z.strictObject({ count: z.int().nonnegative(), sum: z.string().regex(/^[0-9a-f]{64}$/) });

const schema = z.strictObject({
  /** By PeerID, as are `status` and `peers`. */
  desired: z.array(desired),
  status: z.array(status),
  /** Every peer with events in this archive. */
  peers: z.array(
    z.strictObject({
      peerId,
      events: z.int().positive(),
      relation: z.string().nullable(),
      standing: standing.nullable(),
      address: text<Address>().nullable(),
      generation: z.int().nullable(),
      sinceMs: z.int().nullable(),
      standingSeq: z.int().nullable(),
      standingSinceMs: z.int().nullable(),
      outboundCloseSeq: z.int().nullable(),
      outboundCloseReason: text<CloseReason>().nullable(),
      outboundClosedAtMs: z.int().nullable(),
      learnedSeq: z.int().nullable(),
      learnedAtMs: z.int().nullable(),
      learnedDetails: z.string().nullable(),
      ...inStream,
    }),
  ),
  /** Every resource id in this archive, with the peer that it last named. By resource id. */
  resources: z.array(z.strictObject({ resourceId, peerId, ...inStream })),
  /** By seq. */
  deliveries: z.array(
    z.strictObject({
      seq: z.int(),
      type: z.enum(["DeliveryChanged", "DeliveryGap", "LogRolledBack"]),
      atMs: z.int(),
      reason: text<DeliveryGuarantee | GapReason | RollbackEvidence>(),
      stream: z.string().nullable(),
      streamCreated: z.string().nullable(),
      streamSequence: z.int().nullable(),
      lastStreamSequence: z.int().nullable(),
      message: z.string().nullable(),
      chainHash: z.string(),
    }),
  ),
  /** The newest start up to here and how that run ended; null if this log never recorded one. */
  lastRun: lastRun.nullable(),
  /** Digests of this archive's rows in `archived_message` and `archived_core_message` (messageItem, coreMessageItem). */
  messages: setDigest,
  coreMessages: setDigest,
  /** By seq; absent if there are none, and from versions that did not keep them. */
  replacements: z.array(replacement).optional(),
  /** The starts of runs, and the clones that were seen: as `replacements`. */
  runs: z.array(runRow).optional(),
  clones: z.array(runRow).optional(),
});

export type ArchivedState = z.infer<typeof schema>;

/** A row's item in `messages`; undefined if it has none. */
export function messageItem(row: Pick<LogEntryRow, "dedupeKey" | "streamSequence">): readonly (string | number)[] | undefined {
  if (row.dedupeKey === null) return undefined;
  const { created, streamSequence, messageHash } = dedupeKeyParts(row.dedupeKey, row.streamSequence);
  return [created, streamSequence, messageHash];
}

type CoreMessageColumns = Pick<LogEntryRow, "seq" | "atMs" | "dedupeKey" | "subject" | "payloadSha256">;

/** A row's item in `coreMessages`; undefined if it has none. */
export function coreMessageItem(row: CoreMessageColumns): readonly (string | number)[] | undefined {
  const { seq, atMs, dedupeKey, subject, payloadSha256 } = row;
  return dedupeKey !== null || subject === null || payloadSha256 === null ? undefined : [seq, atMs, subject, payloadSha256];
}

/** A state is packed from one string, and no string is longer. */
const MAX_STATE_BYTES = 2 ** 29;

/** A state as stored in an anchor. */
export type PackedState = Pick<typeof archiveAnchor.$inferSelect, "state" | "packedSha256" | "stateSha256">;

/** The SHA-256 of a state. Fields are in schema order, so that equal states give equal text. */
export function stateSha256Of(state: ArchivedState): string {
  return hash("sha256", stateJson(state), "hex");
}

export function packState(state: ArchivedState): PackedState {
  const json = stateJson(state);
  const packed = gzipSync(json);
  return { state: packed, packedSha256: hash("sha256", packed, "hex"), stateSha256: hash("sha256", json, "hex") };
}

function stateJson(state: ArchivedState): string {
  return JSON.stringify(schema.parse(state));
}

/** Throws if a hash does not match, or if this program cannot have written it. */
export function unpackState({ state, packedSha256, stateSha256 }: PackedState): ArchivedState {
  const json = gunzipSync(state, { maxOutputLength: MAX_STATE_BYTES }).toString();
  const expected = { [stateSha256]: hash("sha256", json, "hex"), [packedSha256]: hash("sha256", state, "hex") };
  for (const [wanted, found] of Object.entries(expected))
    if (found !== wanted) throw new Error(`its SHA-256 is ${found}, expected ${wanted}`);
  return schema.parse(JSON.parse(json));
}

/** The state from which a replay continues after an archive. */
export function stateBehind(state: ArchivedState): Omit<ReplayStart, keyof LogStart> {
  return { projections: projectionsOf(state), lastRun: state.lastRun };
}

function projectionsOf(state: Pick<ArchivedState, "desired" | "status">): Projections {
  return {
    desired: new Map(state.desired.map((peer) => [peer.peerId, peer])),
    status: new Map(state.status.map((peer) => [peer.peerId, peer])),
  };
}
