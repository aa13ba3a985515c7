/** What the reconciler needs from the world. The store is the desired side, p2p the actual side. All times are monotonic ms. */

import type { PeerId } from "../base/ids.ts";
import type { AttemptId, CloseReason, DesiredPeer, Direction } from "../events/types.ts";

export interface DesiredPeers {
  get(peerId: PeerId): DesiredPeer | undefined;
  list(): readonly DesiredPeer[];
}

/** An open stream, ours or theirs. `expiresAtMs` is already stretched by local stalls. */
interface Lease {
  readonly openedAtMs: number;
  readonly expiresAtMs: number;
}

/** What is true of a peer on the wire right now. */
export interface ActualPeer {
  readonly peerId: PeerId;
  /** `renewAtMs`: when the next heartbeat is due. */
  readonly outbound: (Lease & { readonly renewAtMs: number }) | null;
  readonly inbound: Lease | null;
  /** Whether any connection to the peer is open. */
  readonly connected: boolean;
  /** Whether a connection that we dialled is open. */
  readonly dialled: boolean;
  /** When the peer last showed life of its own accord (a connection or inbound stream arrived, a late pong came); null if never. */
  readonly lastSignOfLifeMs: number | null;
  /** How the most recent outbound stream to end did so, even if another one is open by now; null if none has, or long ago. */
  readonly lastOutboundClose: CloseReason | null;
}

/** Whether a peer may stream to us, and if not, why not. */
export type Verdict = "ok" | "not_partner" | "blacklisted";

/** Why streams are closed, and how far: one direction, or all; for a blacklisted peer the connections too. */
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
}

/** The actual side. It passes the same contract suite on libp2p and on the simulated network (test/contract/). */
export interface PartnerStreams {
  actual(peerId: PeerId): ActualPeer;
  /** Every peer with a stream in the registry. */
  peers(): readonly PeerId[];
  /**
   * Connects (or reuses a live connection), opens the heartbeat stream, sends the first heartbeat and takes a proof of life.
   * Resolves once the stream is registered as established. Rejects with a PartnerdError whose code says why, and whose
   * `details.remoteEnd` says how the far end ended the stream, if it did; a fault of our own is `internal_error` and says nothing about
   * the peer. Settles promptly when `signal` aborts, and then registers nothing, ever.
   */
  open(peer: DesiredPeer, signal: AbortSignal, attempt: Attempt): Promise<void>;
  /** Sends a heartbeat on the established stream and takes a proof of life, which moves its expiry. Rejects as `open` does. */
  renew(peerId: PeerId, signal: AbortSignal): Promise<void>;
  /** Closes and deletes at once: when it returns, the registry no longer knows the streams and their resets are on their way. */
  close(peerId: PeerId, request: CloseRequest): void;
}
