/** A peer's status as its row, and back. */
import type { openStream, peerStatusRow } from "../schema/log.ts";
import type { Closing, OpenStream, PeerFailure, PeerStatus } from "./status.ts";

export function statusOf(
  row: typeof peerStatusRow.$inferSelect,
  streams: readonly (typeof openStream.$inferSelect)[],
): PeerStatus {
  return {
    peerId: row.peerId,
    openStreams: streams.map(
      ({ seq, protocol, direction, openedAtMs }): OpenStream => ({ seq, protocol, direction, openedAtMs }),
    ),
    outboundSessions: row.outboundSessions,
    lastOutboundClose: closing(row.outboundCloseReason, row.outboundClosedAtMs),
    lastInboundClose: closing(row.inboundCloseReason, row.inboundClosedAtMs),
    lastError: failure(row.errorSeq, row.errorCode, row.errorMessage, row.errorAtMs),
    lastRefusal: failure(row.refusalSeq, row.refusalCode, row.refusalMessage, row.refusalAtMs),
  };
}

function closing(reason: Closing["reason"] | null, atMs: number | null): Closing | null {
  return reason === null || atMs === null ? null : { reason, atMs };
}

function failure(
  seq: number | null,
  code: PeerFailure["code"] | null,
  message: string | null,
  atMs: number | null,
): PeerFailure | null {
  return seq === null || code === null || message === null || atMs === null ? null : { seq, code, message, atMs };
}

export function statusRowOf(status: PeerStatus): typeof peerStatusRow.$inferSelect {
  return {
    peerId: status.peerId,
    outboundSessions: status.outboundSessions,
    outboundCloseReason: status.lastOutboundClose?.reason ?? null,
    outboundClosedAtMs: status.lastOutboundClose?.atMs ?? null,
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
  };
}
