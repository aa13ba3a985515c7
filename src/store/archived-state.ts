/**
 * What the log came to at the end of an archive, from which a replay goes on without it, and what the archive tables keep of the archived
 * rows. It stands in the anchor, and its hash in the chain. Pure.
 */
import { hash } from "node:crypto";
import { gunzipSync, gzipSync } from "node:zlib";
import { z } from "zod";
import type { ErrorCode } from "../errors.ts";
import type { CloseReason, DeliveryGuarantee, GapReason } from "../events/types.ts";
import type { Address, Did, PeerId, ResourceId } from "../ids.ts";
import { dedupeKeyParts } from "./dedupe-key.ts";
import type { LoggedRow } from "./logged.ts";
import type { Projections } from "./replay.ts";

/** Text that was parsed before it came into the log. */
const text = <Text extends string>() => z.custom<Text>((value) => typeof value === "string", "expected a text");

const peerId = text<PeerId>();
const resourceId = text<ResourceId>();
const standing = z.enum(["partner", "revoked", "blacklisted"]);
const closing = z.strictObject({ reason: text<CloseReason>(), atMs: z.int() }).nullable();
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
});

const status = z.strictObject({
  peerId,
  openStreams: z.array(
    z.strictObject({
      seq: z.int(),
      protocol: z.string(),
      direction: z.enum(["outbound", "inbound"]),
      openedAtMs: z.int(),
    }),
  ),
  outboundSessions: z.int(),
  lastOutboundClose: closing,
  lastInboundClose: closing,
  lastError: failure,
  lastRefusal: failure,
});

/** The newest message of a stream about somebody: the stream by its time of creation, the sequence there, the seq of its row. */
const inStream = {
  streamCreated: z.string().nullable(),
  streamSequence: z.int().nullable(),
  streamSeq: z.int().nullable(),
};

const setDigest = z.strictObject({ count: z.int().nonnegative(), sum: z.string().regex(/^[0-9a-f]{64}$/) });

const schema = z.strictObject({
  /** By PeerID, as are `status` and `peers`. */
  desired: z.array(desired),
  status: z.array(status),
  /** Everybody who has events in this archive: how many, and what he was at its end. */
  peers: z.array(
    z.strictObject({
      peerId,
      events: z.int().positive(),
      relation: z.string().nullable(),
      standing: standing.nullable(),
      ...inStream,
    }),
  ),
  /** Every resource that this archive names, with the peer that it meant last. By resource id. */
  resources: z.array(z.strictObject({ resourceId, peerId, ...inStream })),
  /** By seq. */
  deliveries: z.array(
    z.strictObject({
      seq: z.int(),
      type: z.enum(["DeliveryChanged", "DeliveryGap"]),
      atMs: z.int(),
      reason: text<DeliveryGuarantee | GapReason>(),
      streamSequence: z.int().nullable(),
      lastStreamSequence: z.int().nullable(),
      message: z.string(),
      chainHash: z.string(),
    }),
  ),
  /** What `archived_message` and `archived_core_message` have of this archive (messageItem, coreMessageItem). */
  messages: setDigest,
  coreMessages: setDigest,
});

export type ArchivedState = z.infer<typeof schema>;

/** A row's part of `messages`; undefined where it has none. */
export function messageItem(row: Pick<LoggedRow, "dedupeKey" | "streamSequence">): readonly (string | number)[] | undefined {
  if (row.dedupeKey === null) return undefined;
  const { created, streamSequence, messageHash } = dedupeKeyParts(row.dedupeKey, row.streamSequence);
  return [created, streamSequence, messageHash];
}

type CoreMessageColumns = Pick<LoggedRow, "seq" | "atMs" | "dedupeKey" | "subject" | "payloadSha256">;

/** A row's part of `coreMessages`; undefined where it has none. */
export function coreMessageItem(row: CoreMessageColumns): readonly (string | number)[] | undefined {
  const { seq, atMs, dedupeKey, subject, payloadSha256 } = row;
  return dedupeKey !== null || subject === null || payloadSha256 === null ? undefined : [seq, atMs, subject, payloadSha256];
}

/** As the anchor holds it: the fields in the order of the schema, so that the same state is always the same text. */
export function packState(state: ArchivedState): { readonly packed: Buffer; readonly sha256: string } {
  const json = JSON.stringify(schema.parse(state));
  return { packed: gzipSync(json), sha256: hash("sha256", json, "hex") };
}

/** Throws, in words, where it is not what `sha256` says, or nothing that this program could have written. */
export function unpackState(packed: Uint8Array, sha256: string): ArchivedState {
  const json = gunzipSync(packed).toString();
  const found = hash("sha256", json, "hex");
  if (found !== sha256) throw new Error(`its SHA-256 is ${found}, has to be ${sha256}`);
  return schema.parse(JSON.parse(json));
}

export function projectionsOf(state: Pick<ArchivedState, "desired" | "status">): Projections {
  return {
    desired: new Map(state.desired.map((peer) => [peer.peerId, peer])),
    status: new Map(state.status.map((peer) => [peer.peerId, peer])),
  };
}
