/** The status of one peer: a fold over its observed events, and its row. Appending and replaying both use it. */
import type { ErrorCode } from "../../base/errors.ts";
import type { PeerId } from "../../base/ids.ts";
import type { LearnedFacts, PeerLearned } from "../../events/learned/learned-facts.ts";
import type { AttemptId, CloseReason, Direction, ObservedEvent, StreamClosed } from "../../events/types.ts";
import { detailsJson, learnedFactsIn } from "../model/details.ts";
import type { LogEntry } from "../model/log-entry.ts";
import type { openStream, peerStatusRow } from "../schema/log.ts";

/** A StreamOpened without a StreamClosed. */
interface OpenStream {
  readonly seq: number;
  readonly protocol: string;
  readonly direction: Direction;
  readonly openedAtMs: number;
  readonly causeSeq: number | null;
  readonly attempt: AttemptId | null;
}

interface Closing {
  readonly seq: number;
  readonly reason: CloseReason;
  readonly atMs: number;
}

/** The first of a series of failures with the same code. */
interface PeerFailure {
  readonly seq: number;
  readonly code: ErrorCode;
  readonly message: string;
  readonly atMs: number;
}

/** The newest PeerLearned. `details` is the text of its column. */
interface Learned {
  readonly seq: number;
  readonly atMs: number;
  readonly details: string;
}

export interface PeerStatus {
  readonly peerId: PeerId;
  /** Oldest first. A slot holds two while one stream replaces another. */
  readonly openStreams: readonly OpenStream[];
  /** Number of outbound streams ever established. */
  readonly outboundSessions: number;
  readonly lastOutboundClose: Closing | null;
  readonly lastInboundClose: Closing | null;
  /** Why opening fails. Null again once an outbound stream is established, and with a new generation. */
  readonly lastError: PeerFailure | null;
  /** Why we refuse the peer. Null again once an inbound stream is established, and with a new generation. */
  readonly lastRefusal: PeerFailure | null;
  /** The facts that the peer's program has shown; null if there are none. */
  readonly learned: Learned | null;
}

export function foldStatus(before: PeerStatus | undefined, entry: ObservedAt): PeerStatus {
  const { seq, atMs, event } = entry;
  const status = before ?? unseen(event.peerId);
  switch (event.type) {
    case "StreamOpened": {
      const { protocol, direction, attempt } = event;
      const openStreams = [
        ...status.openStreams,
        { seq, protocol, direction, openedAtMs: atMs, causeSeq: entry.causeSeq, attempt },
      ];
      return direction === "outbound"
        ? { ...status, openStreams, outboundSessions: status.outboundSessions + 1, lastError: null }
        : { ...status, openStreams, lastRefusal: null };
    }
    case "StreamClosed": {
      const openStreams = status.openStreams.filter((stream) => stream.seq !== entry.openedSeq);
      const openedAtMs = status.openStreams.find((stream) => stream.seq === entry.openedSeq)?.openedAtMs ?? atMs;
      // A close before the opening was recorded while the clock was wrong.
      const closing = { seq, reason: event.reason, atMs: atMs < openedAtMs ? openedAtMs + event.durationMs : atMs };
      return event.direction === "outbound"
        ? { ...status, openStreams, lastOutboundClose: closing }
        : { ...status, openStreams, lastInboundClose: closing };
    }
    case "OpenFailed":
      return { ...status, lastError: { seq, code: event.reason, message: event.message, atMs } };
    case "InboundRefused":
      return { ...status, lastRefusal: { seq, code: event.reason, message: event.message, atMs } };
    case "PeerLearned":
      return { ...status, learned: { seq, atMs, details: detailsJson(event.details) } };
  }
}

type ObservedAt = Pick<LogEntry<ObservedEvent | PeerLearned>, "seq" | "atMs" | "causeSeq" | "openedSeq" | "event">;

export function hasFailures(status: PeerStatus): boolean {
  return status.lastError !== null || status.lastRefusal !== null;
}

/** Drops earlier failures, which a new generation makes irrelevant: its relation, standing or address differs. */
export function withoutFailures(status: PeerStatus): PeerStatus {
  return { ...status, lastError: null, lastRefusal: null };
}

/** The failure that `event` repeats: the same code again, and nothing in between ended the series. */
export function repeatedBy(status: PeerStatus | undefined, event: ObservedEvent): PeerFailure | undefined {
  const last = event.type === "OpenFailed" ? status?.lastError : event.type === "InboundRefused" ? status?.lastRefusal : null;
  return last && "reason" in event && last.code === event.reason ? last : undefined;
}

/** The facts that its program has shown; null if there are none. Throws `database_failed` if this program cannot have written it. */
export function learnedFactsOf(status: PeerStatus | undefined): LearnedFacts | null {
  const learned = status?.learned ?? null;
  return learned && learnedFactsIn(learned.details, learned.seq);
}

/** True if the status has exactly these facts. */
export function isLearned(status: PeerStatus | undefined, { details }: PeerLearned): boolean {
  return status?.learned?.details === detailsJson(details);
}

/** The stream that `closed` ends. A newer stream replaces the older one in its slot, so the oldest ends first. */
export function endedBy(status: PeerStatus | undefined, closed: StreamClosed): OpenStream | undefined {
  return status?.openStreams.find(({ protocol, direction }) => protocol === closed.protocol && direction === closed.direction);
}

function unseen(peerId: PeerId): PeerStatus {
  return {
    peerId,
    openStreams: [],
    outboundSessions: 0,
    lastOutboundClose: null,
    lastInboundClose: null,
    lastError: null,
    lastRefusal: null,
    learned: null,
  };
}

/** The status of a peer from its row and the rows of its open streams. */
export function statusOf(
  row: typeof peerStatusRow.$inferSelect,
  streams: readonly (typeof openStream.$inferSelect)[],
): PeerStatus {
  return {
    peerId: row.peerId,
    openStreams: streams.map(({ seq, protocol, direction, openedAtMs, causeSeq, attempt }): OpenStream => {
      return { seq, protocol, direction, openedAtMs, causeSeq, attempt };
    }),
    outboundSessions: row.outboundSessions,
    lastOutboundClose: closing(row.outboundCloseSeq, row.outboundCloseReason, row.outboundClosedAtMs),
    lastInboundClose: closing(row.inboundCloseSeq, row.inboundCloseReason, row.inboundClosedAtMs),
    lastError: failure(row.errorSeq, row.errorCode, row.errorMessage, row.errorAtMs),
    lastRefusal: failure(row.refusalSeq, row.refusalCode, row.refusalMessage, row.refusalAtMs),
    learned: learned(row.learnedSeq, row.learnedAtMs, row.learnedDetails),
  };
}

function closing(seq: number | null, reason: Closing["reason"] | null, atMs: number | null): Closing | null {
  return seq === null || reason === null || atMs === null ? null : { seq, reason, atMs };
}

function failure(
  seq: number | null,
  code: PeerFailure["code"] | null,
  message: string | null,
  atMs: number | null,
): PeerFailure | null {
  return seq === null || code === null || message === null || atMs === null ? null : { seq, code, message, atMs };
}

function learned(seq: number | null, atMs: number | null, details: string | null): Learned | null {
  return seq === null || atMs === null || details === null ? null : { seq, atMs, details };
}

/** The row of a peer's status. Its open streams have rows of their own. */
export function statusRowOf(status: PeerStatus): typeof peerStatusRow.$inferSelect {
  return {
    peerId: status.peerId,
    outboundSessions: status.outboundSessions,
    outboundCloseSeq: status.lastOutboundClose?.seq ?? null,
    outboundCloseReason: status.lastOutboundClose?.reason ?? null,
    outboundClosedAtMs: status.lastOutboundClose?.atMs ?? null,
    inboundCloseSeq: status.lastInboundClose?.seq ?? null,
    inboundCloseReason: status.lastInboundClose?.reason ?? null,
    inboundClosedAtMs: status.lastInboundClose?.atMs ?? null,
    errorSeq: status.lastError?.seq ?? null,
    errorCode: status.lastError?.code ?? null,
    errorMessage: status.lastError?.message ?? null,
    errorAtMs: status.lastError?.atMs ?? null,
    refusalSeq: status.lastRefusal?.seq ?? null,
    refusalCode: status.lastRefusal?.code ?? null,
    refusalMessage: status.lastRefusal?.message ?? null,
    refusalAtMs: status.lastRefusal?.atMs ?? null,
    learnedSeq: status.learned?.seq ?? null,
    learnedAtMs: status.learned?.atMs ?? null,
    learnedDetails: status.learned?.details ?? null,
  };
}
