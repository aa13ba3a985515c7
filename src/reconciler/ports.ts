/** The reconciler's ports: the store is the desired side, p2p the actual side. All times are monotonic ms. */

import type { PeerId } from "../base/ids.ts";
import type { AttemptId, CloseReason, DesiredPeer, Direction } from "../events/types.ts";

export interface DesiredPeers {
  get(peerId: PeerId): DesiredPeer | undefined;
  list(): readonly DesiredPeer[];
}

/** An open stream in either direction. `expiresAtMs` already accounts for local stalls. */
interface Lease {
  readonly openedAtMs: number;
  readonly expiresAtMs: number;
}

/** The current streams and connections of a peer. */
export interface ActualPeer {
  readonly peerId: PeerId;
  /** `renewAtMs`: when the next heartbeat is due. `attempt`: the one that opened it. */
  readonly outbound: (Lease & { readonly renewAtMs: number; readonly attempt: AttemptId | null }) | null;
  readonly inbound: Lease | null;
  /** True if any connection to the peer is open. */
  readonly connected: boolean;
  /** True if a connection that we dialled is open. */
  readonly dialled: boolean;
  /** When the peer last showed life unasked (a new connection or inbound stream, or a late pong); null if never. */
  readonly lastSignOfLifeMs: number | null;
  /** How the last outbound stream that ended was closed, even if another one is open by now; null if none ended recently. */
  readonly lastOutboundClose: CloseReason | null;
}

/** Whether a peer may have streams to us, and if not, why not. */
export type Verdict = "ok" | "not_partner" | "blacklisted";

/** Which streams to close and why: one direction or both; for a blacklisted peer its connections too. */
export interface CloseRequest {
  readonly direction: Direction | "both";
  readonly reason: CloseReason;
  readonly dropConnections: boolean;
}

/** One attempt to open a stream. */
export interface Attempt {
  readonly id: AttemptId;
  /** When it got its slot (monotonic ms). */
  readonly startedAtMs: number;
  /** How long the stream must stay open before it is established; 0 unless the far end ended the last one right after its opening. */
  readonly graceMs: number;
  /** False once the desired peer has changed. Asked before the stream is registered: the wake that aborts the open may be late. */
  readonly isCurrent: () => boolean;
}

/** The actual side. libp2p and the simulated network pass the same contract suite (test/contract/). */
export interface PartnerStreams {
  actual(peerId: PeerId): ActualPeer;
  /** Every peer with a stream in the registry. */
  peers(): readonly PeerId[];
  /**
   * Connects (or reuses a live connection), opens the heartbeat stream, sends the first heartbeat and waits for a proof of life,
   * at least `attempt.graceMs` later.
   * Resolves once the stream is registered as established. Rejects with a PartnerdError whose code says why, and whose
   * `details.remoteEnd` says how the far end ended the stream, if it did; `internal_error` is our own fault and says nothing
   * about the peer. Settles promptly when `signal` aborts, and then never registers anything.
   * Rejects with `aborted` instead of registering a stream that is no longer current.
   */
  open(peer: DesiredPeer, signal: AbortSignal, attempt: Attempt): Promise<void>;
  /** Sends a heartbeat on the established stream and waits for a proof of life, which extends its lease. Rejects as `open` does. */
  renew(peerId: PeerId, signal: AbortSignal): Promise<void>;
  /** Closes and deletes at once: when it returns, the registry has dropped the streams and their resets have been sent. */
  close(peerId: PeerId, request: CloseRequest): void;
}
