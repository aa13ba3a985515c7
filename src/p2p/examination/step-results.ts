/** The results of an examination of a far end, step by step: facts only. `judge.ts` decides what they mean. */
import type { ErrorCode, RemoteEnd } from "../../base/errors.ts";
import type { PeerId } from "../../base/ids.ts";
import type { Beginning } from "../handshake/first-bytes.ts";
import type { ChallengeRule } from "../heartbeat/handler.ts";
import type { IdentifiedProgram } from "../identify/identify-message.ts";
import type { HeartbeatFormat } from "../wire/codec.ts";

/** Why a step failed, in our own words. */
export interface StepFailure {
  readonly code: ErrorCode;
  readonly message: string;
}

export interface AddressResult {
  readonly step: "address";
  readonly address: string;
  /** The peer that the address names. */
  readonly peerId: PeerId | null;
  readonly defect: "not_tcp" | "own_identity" | null;
}

export interface DialPolicyResult {
  readonly step: "dial_policy";
  /** Literal addresses that may be dialled, in order. */
  readonly targets: readonly string[];
  readonly failure: StepFailure | null;
  /** How to permit an address that is denied; null if none is. */
  readonly permit: string | null;
}

export interface TcpResult {
  readonly step: "tcp";
  /** The address that was dialled. */
  readonly target: string;
  /** Null if it did not connect. */
  readonly connectedMs: number | null;
  readonly failure: StepFailure | null;
}

export interface PskResult {
  readonly step: "psk";
  /** True if this side has a pre-shared key. */
  readonly isPrivate: boolean;
  /** Null if nothing arrived. */
  readonly firstBytes: Beginning | null;
  /** The same after our pre-shared key. */
  readonly decryptedBytes: Beginning | null;
  readonly failure: StepFailure | null;
}

export interface NoiseResult {
  readonly step: "noise";
  /** The PeerID in the address. */
  readonly expected: PeerId | null;
  /** The PeerID that the far end proved, or at least claimed; null if it is unknown. */
  readonly found: PeerId | null;
  readonly failure: StepFailure | null;
}

export interface MuxerResult {
  readonly step: "muxer";
  readonly muxer: string | null;
  /** How long its answer to a ping took: the proof of life. */
  readonly pongMs: number | null;
  readonly failure: StepFailure | null;
}

export interface IdentifyResult {
  readonly step: "identify";
  readonly facts: IdentifiedProgram | null;
  readonly failure: StepFailure | null;
}

/** Null: unknown, because identify failed or listed too many. */
export interface ProtocolsResult {
  readonly step: "protocols";
  readonly heartbeat: boolean | null;
  readonly challenge: boolean | null;
}

/** How a stream with one heartbeat went. `accepted`: not refused within the grace period, perhaps because it was not read. */
export type TrialOutcome =
  | { readonly kind: "accepted" }
  | { readonly kind: "ended"; readonly remoteEnd: RemoteEnd; readonly afterMs: number }
  | { readonly kind: "not_opened"; readonly failure: StepFailure };

export interface HeartbeatTrial {
  readonly format: HeartbeatFormat;
  readonly outcome: TrialOutcome;
}

export interface HeartbeatResult {
  readonly step: "heartbeat";
  readonly trials: readonly HeartbeatTrial[];
  /** The sizes of the challenges that the far end sent in the meantime, in bytes. */
  readonly challengedBytes: readonly number[];
}

export interface EchoTrial {
  readonly bytes: number;
  readonly outcome: "echoed" | "unsupported" | "failed";
  readonly durationMs: number;
  readonly failure: StepFailure | null;
}

/** `challenge`: as large as ours become. `echo`: as large as other programs send. */
export interface EchoResult {
  readonly step: "challenge" | "echo";
  readonly trials: readonly EchoTrial[];
}

/** The far end exceeded a limit, so this side cut its connection. Replaces the steps from the one that was in progress on. */
export interface LimitsResult {
  readonly step: "limits";
  readonly failure: StepFailure;
}

export type StepResult =
  | AddressResult
  | DialPolicyResult
  | TcpResult
  | PskResult
  | NoiseResult
  | MuxerResult
  | IdentifyResult
  | ProtocolsResult
  | HeartbeatResult
  | EchoResult
  | LimitsResult;

export type StepName = StepResult["step"];

/** The settings that decide what a result means. */
export interface ExaminationSettings {
  /** The PeerID that asks. */
  readonly self: PeerId;
  /** True if `self` is the daemon's identity, false if no far end can know it. */
  readonly asSelf: boolean;
  readonly heartbeat: HeartbeatFormat;
  readonly challenge: ChallengeRule;
}

/** `ok`: works. `note`: works, with something to know. `fault`: does not work with these settings. */
export type Mark = "ok" | "note" | "fault";

export interface StepVerdict {
  readonly mark: Mark;
  /** A fragment that continues the name of the step. May quote the far end. */
  readonly message: string;
  /** The change to make; null if none. */
  readonly advice: string | null;
}
