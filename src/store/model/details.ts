/** The facts that a row stores as JSON in its `details` column. Pure. */
import { z } from "zod";
import { type ErrorCode, messageOf, PartnerdError } from "../../base/errors.ts";
import type { PeerId } from "../../base/ids.ts";
import type { CloneFacts } from "../../events/delivery/delivery-events.ts";
import { CHALLENGE_ANSWERS, FIELD_SPELLINGS, type LearnedFacts, TIMESTAMP_KINDS } from "../../events/learned/learned-facts.ts";
import {
  CLOSE_REASONS,
  type CloseReason,
  type FailureFacts,
  type RunId,
  type StartFacts,
  type SuppressedFacts,
} from "../../events/types.ts";
import type { ArchiveFacts, IdentityFacts, ReinterpretFacts, RestoreFacts } from "../../events/upkeep/upkeep-facts.ts";

const peerId = z.string().transform((text) => text as PeerId);
const sha256 = z.string().regex(/^[0-9a-f]{64}$/);

/** Fields are written in this order, so that equal facts give equal text. */
const archiveFacts = z.strictObject({
  firstSeq: z.int().positive(),
  lastSeq: z.int().positive(),
  events: z.int().positive(),
  firstAtMs: z.int(),
  lastAtMs: z.int(),
  lastChainHash: z.string(),
  directory: z.string(),
  file: z.string(),
  fileBytes: z.int().nonnegative(),
  fileSha256: sha256,
  stateSha256: sha256,
});

const startFacts = z.strictObject({
  run: z.string().transform((text) => text as RunId),
  peerId: peerId.optional(),
  version: z.string(),
  schema: z.int().positive(),
  configSha256: sha256,
  config: z.record(z.string(), z.unknown()).nullable(),
});

const reinterpretFacts = z.strictObject({
  vocabulary: z.record(z.string(), z.unknown()),
  changes: z.int().nonnegative(),
});

const identityFacts = z.strictObject({ from: peerId, to: peerId });

const restoreFacts = z.strictObject({
  backup: z.string().nullable(),
  lastSeq: z.int().nonnegative(),
  lastSeqBefore: z.int().nonnegative().nullable(),
});

const failureFacts = z.strictObject({
  streamEnd: z.enum(CLOSE_REASONS).nullable(),
  errorName: z.string().nullable(),
});

const suppressedFacts = z.strictObject({
  events: z.int().positive(),
  peers: z.int().positive(),
  counts: z.array(
    z.strictObject({
      type: z.enum(["StreamOpened", "StreamClosed", "OpenFailed", "InboundRefused"]),
      reason: z
        .string()
        .transform((text) => text as CloseReason | ErrorCode)
        .nullable(),
      events: z.int().positive(),
    }),
  ),
});

const learnedFacts = z.strictObject({
  agent: z.string().nullable(),
  protocolVersion: z.string().nullable(),
  protocols: z.array(z.string()).nullable(),
  protocolsOmitted: z.int().nonnegative(),
  heartbeatFields: z.enum(FIELD_SPELLINGS).nullable(),
  heartbeatTimestamp: z.enum(TIMESTAMP_KINDS).nullable(),
  challenge: z.enum(CHALLENGE_ANSWERS).nullable(),
});

const cloneFacts = z.strictObject({ otherRun: z.string() });

type AnyFacts =
  | CloneFacts
  | ArchiveFacts
  | StartFacts
  | ReinterpretFacts
  | IdentityFacts
  | RestoreFacts
  | FailureFacts
  | SuppressedFacts
  | LearnedFacts;

/** The text for the `details` column. */
export function detailsJson(facts: AnyFacts): string {
  if ("otherRun" in facts) return JSON.stringify(cloneFacts.parse(facts));
  if ("agent" in facts) return JSON.stringify(learnedFacts.parse(facts));
  if ("file" in facts) return JSON.stringify(archiveFacts.parse(facts));
  if ("counts" in facts) return JSON.stringify(suppressedFacts.parse(facts));
  if ("backup" in facts) return JSON.stringify(restoreFacts.parse(facts));
  if ("to" in facts) return JSON.stringify(identityFacts.parse(facts));
  if ("changes" in facts) return JSON.stringify(reinterpretFacts.parse(facts));
  return JSON.stringify("run" in facts ? startFacts.parse(facts) : failureFacts.parse(facts));
}

/** Parses the details of the row `seq`, a LogArchived. Throws `database_failed` if this program cannot have written them. */
export function archiveFactsIn(details: string, seq: number): ArchiveFacts {
  return parsed(archiveFacts, details, seq);
}

/** Parses the details of the row `seq`, a DaemonStarted. Throws as archiveFactsIn does. */
export function startFactsIn(details: string, seq: number): StartFacts {
  return parsed(startFacts, details, seq);
}

/** Parses the details of the row `seq`, a LogReinterpreted. Throws as archiveFactsIn does. */
export function reinterpretFactsIn(details: string, seq: number): ReinterpretFacts {
  return parsed(reinterpretFacts, details, seq);
}

/** Parses the details of the row `seq`, an IdentityChanged. Throws as archiveFactsIn does. */
export function identityFactsIn(details: string, seq: number): IdentityFacts {
  return parsed(identityFacts, details, seq);
}

/** Parses the details of the row `seq`, a LogRestored. Throws as archiveFactsIn does. */
export function restoreFactsIn(details: string, seq: number): RestoreFacts {
  return parsed(restoreFacts, details, seq);
}

/** Parses the details of the row `seq`, an OpenFailed. Throws as archiveFactsIn does. */
export function failureFactsIn(details: string, seq: number): FailureFacts {
  return parsed(failureFacts, details, seq);
}

/** Parses the details of the row `seq`, an EventsSuppressed. Throws as archiveFactsIn does. */
export function suppressedFactsIn(details: string, seq: number): SuppressedFacts {
  return parsed(suppressedFacts, details, seq);
}

/** Parses the details of the row `seq`, a CloneSeen. Throws as archiveFactsIn does. */
export function cloneFactsIn(details: string, seq: number): CloneFacts {
  return parsed(cloneFacts, details, seq);
}

/** Parses the details of the row `seq`, a PeerLearned. Throws as archiveFactsIn does. */
export function learnedFactsIn(details: string, seq: number): LearnedFacts {
  return parsed(learnedFacts, details, seq);
}

function parsed<Facts>(schema: z.ZodType<Facts>, details: string, seq: number): Facts {
  try {
    return schema.parse(JSON.parse(details));
  } catch (thrown) {
    const why = thrown instanceof z.ZodError ? z.prettifyError(thrown) : messageOf(thrown);
    throw invalidRow(seq, `has invalid details: ${why}`);
  }
}

/** The error for a row of the log that this program cannot have written. */
export function invalidRow(seq: number, problem: string): PartnerdError {
  return new PartnerdError("database_failed", `event_log row ${seq} ${problem}`, { details: { problem } });
}
