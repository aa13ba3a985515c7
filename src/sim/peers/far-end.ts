/** A peer as the fixture and the invariants see it: a scripted partner, or another daemon. */
import type { Address, PeerId } from "../../base/ids.ts";
import type { FixtureLine } from "../../fixture/format/schema.ts";

export type PeerDoes = Extract<FixtureLine, { does: unknown }>["does"];
export type PeerAnswer = Extract<FixtureLine, { answers: unknown }>["answers"];

export type PeerAttack = Extract<FixtureLine, { attacks: unknown }>["attacks"];

export interface FarEnd {
  readonly name: string;
  readonly peerId: PeerId;
  /** Where it listens now, without the PeerID. */
  readonly address: Address;
  /** When the peer and its network last became free of faults, as a value of `awakeMs`; Infinity while there is a fault. */
  readonly wellSinceMs: number;
  /** Since when nothing from this peer gets through, as a value of `awakeMs`; undefined while frames do. */
  readonly silentSinceMs: number | undefined;
  /** Extra latency of everything it sends. */
  readonly lagMs: number;
  /** Whether a heartbeat has arrived on the daemon's stream; true if there is no stream. */
  readonly wasGreeted: boolean;
  /** Whether its own stream to the daemon is open at its end. */
  readonly isStreaming: boolean;
  /** Whether one of the two wants a stream that the other refuses, so that it is tried again and again. */
  readonly isAtOdds: boolean;
  /** Since when it has failed every challenge, as a value of `awakeMs`; undefined while it passes them. */
  readonly lyingSinceMs: number | undefined;
  /** Whether a dial to `address`, as given in a record, reaches this peer. */
  listensAt(address: string | null): boolean;
  does(what: PeerDoes): void;
  setAnswer(answer: PeerAnswer): void;
  setLagMs(lagMs: number): void;
  /** Begins an attack on the daemon. */
  begins(attack: PeerAttack, forMs: number): void;
  /** Makes the peer listen on `address` only. Open connections are unaffected. */
  moveTo(address: string): void;
  /** Clears all faults and makes the peer reachable at `address`. */
  heal(address: Address | null): void;
}
