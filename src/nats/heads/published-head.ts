/** A head of the log's chain as it is published to NATS. Pure. */
import { z } from "zod";
import type { RunId } from "../../events/types.ts";

/** The JetStream stream that keeps the heads of all daemons of an account. */
export const HEADS_STREAM = "OC_PARTNERD_HEADS";

/** Of the subjects of heads. */
export const HEADS_PREFIX = "oc-partnerd.heads.";

/** All subjects of heads. */
export const HEADS_SUBJECT = `${HEADS_PREFIX}*`;

/** The subject of the heads of one daemon's log. */
export function headSubjectOf(peerId: string): string {
  return `${HEADS_PREFIX}${peerId}`;
}

const schema = z.object({
  peerId: z.string(),
  run: z.string().max(64),
  seq: z.int().nonnegative(),
  chainHash: z.string().regex(/^[0-9a-f]{64}$/),
  at: z.iso.datetime(),
});

export interface PublishedHead {
  /** The PeerID that the log belongs to. */
  readonly peerId: string;
  /** The run that published it. */
  readonly run: RunId;
  readonly seq: number;
  readonly chainHash: string;
  /** When it was published, by the clock of the daemon. */
  readonly at: string;
}

export function encodeHead({ peerId, run, seq, chainHash, at }: PublishedHead): string {
  return JSON.stringify({ peerId, run, seq, chainHash, at });
}

/** Null if the message is not a head of `peerId`'s log. Fields of newer versions are ignored. */
export function decodeHead(bytes: Uint8Array, peerId: string): PublishedHead | null {
  try {
    const head = schema.parse(JSON.parse(Buffer.from(bytes).toString("utf8")));
    return head.peerId === peerId ? { ...head, run: head.run as RunId } : null;
  } catch {
    return null;
  }
}
