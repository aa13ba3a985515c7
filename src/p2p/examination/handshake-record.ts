/** How far one dial came, and the results that follow from it. Pure. */
import type { PeerId } from "../../base/ids.ts";
import type { Beginning } from "../handshake/first-bytes.ts";
import type { HandshakeProgress } from "../handshake/handshake-progress.ts";
import type { NoiseResult, PskResult, StepFailure, TcpResult } from "./step-results.ts";

export interface HandshakeRecord {
  readonly connectedMs: number | null;
  readonly firstBytes: Beginning | null;
  readonly decryptedBytes: Beginning | null;
  readonly isEncrypting: boolean;
  /** The PeerID that the far end claims. */
  readonly claimed: PeerId | null;
  readonly isEncrypted: boolean;
}

export const NO_HANDSHAKE: HandshakeRecord = {
  connectedMs: null,
  firstBytes: null,
  decryptedBytes: null,
  isEncrypting: false,
  claimed: null,
  isEncrypted: false,
};

/** The record after one more piece of progress, `elapsedMs` after the dial began. */
export function afterProgress(record: HandshakeRecord, progress: HandshakeProgress, elapsedMs: number): HandshakeRecord {
  switch (progress.stage) {
    case "connected":
      return { ...NO_HANDSHAKE, connectedMs: elapsedMs };
    case "first_bytes":
      return { ...record, [progress.level === "raw" ? "firstBytes" : "decryptedBytes"]: progress.beginning };
    case "encrypting":
      return { ...record, isEncrypting: true };
    case "identity":
      return { ...record, claimed: progress.peerId };
    case "encrypted":
      return { ...record, isEncrypted: true };
  }
}

/** How far a dial came, to compare dials. */
export function progressOf(record: HandshakeRecord): number {
  if (record.isEncrypted) return 4;
  if (record.isEncrypting) return 3;
  if (record.firstBytes !== null) return 2;
  return record.connectedMs === null ? 0 : 1;
}

export interface DialFacts {
  readonly target: string;
  readonly record: HandshakeRecord;
  /** The PeerID that the far end proved; null if the dial failed. */
  readonly proven: PeerId | null;
  /** Null if the dial succeeded. */
  readonly failure: StepFailure | null;
}

/** The results of the steps from TCP to noise, up to the one that failed. If none did, a failure is the muxer's. */
export function handshakeResults(
  { target, record, proven, failure }: DialFacts,
  { expected, isPrivate }: { readonly expected: PeerId | null; readonly isPrivate: boolean },
): readonly (TcpResult | PskResult | NoiseResult)[] {
  const { connectedMs, firstBytes, decryptedBytes, claimed, isEncrypted } = record;
  const noTcp = connectedMs === null;
  const tcp: TcpResult = { step: "tcp", target, connectedMs, failure: noTcp ? failure : null };
  if (noTcp) return [tcp];
  const noPsk = failure !== null && !agreesOnPsk(record, isPrivate, failure);
  const psk: PskResult = { step: "psk", isPrivate, firstBytes, decryptedBytes, failure: noPsk ? failure : null };
  if (noPsk) return [tcp, psk];
  const found = proven ?? claimed;
  // Noise completes with another RSA peer than was dialled; the dial compares the PeerIDs afterwards.
  const noNoise = failure !== null && (!isEncrypted || failure.code === "identity_mismatch");
  return [tcp, psk, { step: "noise", expected, found, failure: noNoise ? failure : null }];
}

/** Whether the far end sent what a host with our pre-shared key, or without one, sends. */
function agreesOnPsk({ firstBytes, decryptedBytes }: HandshakeRecord, isPrivate: boolean, failure: StepFailure): boolean {
  if (failure.code === "psk_mismatch") return false;
  return (isPrivate ? decryptedBytes : firstBytes) === "multistream";
}
