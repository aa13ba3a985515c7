/** Dials a far end and records how far each dial came. */
import type { Multiaddr } from "@multiformats/multiaddr";
import { type Clock, deadline } from "../../base/clock.ts";
import { isFault, PartnerdError, toPartnerdError } from "../../base/errors.ts";
import type { PeerId } from "../../base/ids.ts";
import type { HandshakeProgress } from "../handshake/handshake-progress.ts";
import { Dialler, type HandshakeFailures } from "../heartbeat/dialler.ts";
import { peerIdOf } from "../host/connection-index.ts";
import type { Host, HostConnection } from "../host/host.ts";
import { afterProgress, type DialFacts, type HandshakeRecord, NO_HANDSHAKE, progressOf } from "./handshake-record.ts";

export interface FarEndDiallerComponents {
  readonly host: Host;
  readonly clock: Clock;
  readonly handshakes: HandshakeFailures;
  /** The time limit of each address. */
  readonly timeoutMs: number;
}

export interface FarEndDial extends DialFacts {
  /** Null if the dial failed. */
  readonly connection: HostConnection | null;
}

/** Dials one address at a time, so that the progress of its host's handshakes belongs to that address. */
export class FarEndDialler {
  readonly #components: FarEndDiallerComponents;
  #record: HandshakeRecord = NO_HANDSHAKE;
  #startedMs = 0;

  constructor(components: FarEndDiallerComponents) {
    this.#components = components;
  }

  /** Call it with all progress of the host's handshakes. */
  progressed(progress: HandshakeProgress): void {
    this.#record = afterProgress(this.#record, progress, this.#components.clock.monotonicMs() - this.#startedMs);
  }

  /** The first dial that connects, else the one that came furthest. `targets`: at least one. Rejects with a fault of our own. */
  async dial(peerId: PeerId, targets: readonly Multiaddr[]): Promise<FarEndDial> {
    let furthest: FarEndDial | undefined;
    for (const target of targets) {
      const dial = await this.#dialPatiently(peerId, target);
      if (dial.connection !== null) return dial;
      if (furthest === undefined || progressOf(dial.record) > progressOf(furthest.record)) furthest = dial;
    }
    if (furthest === undefined) throw new RangeError("no address to dial");
    return furthest;
  }

  /** A far end that resets the connection may thereby take back its first bytes, which tell most. Another dial may read them. */
  async #dialPatiently(peerId: PeerId, target: Multiaddr): Promise<FarEndDial> {
    let dial = await this.#dialOne(peerId, target);
    for (let left = SILENT_ENDS_FORGIVEN; left > 0 && endedSilently(dial); left--) dial = await this.#dialOne(peerId, target);
    return dial;
  }

  async #dialOne(peerId: PeerId, multiaddr: Multiaddr): Promise<FarEndDial> {
    const { host, clock, handshakes, timeoutMs } = this.#components;
    const target = endpointText(multiaddr);
    this.#record = NO_HANDSHAKE;
    this.#startedMs = clock.monotonicMs();
    const dialPlanner = { plan: async () => [multiaddr] };
    const dialler = new Dialler({ host, clock, handshakes, dialPlanner, openTimeoutMs: timeoutMs });
    using limit = deadline(clock, timeoutMs, () => new PartnerdError("timeout", `no answer within ${timeoutMs} ms`));
    try {
      const connection = await dialler.dial({ peerId, address: null }, limit.signal);
      return { target, record: this.#record, proven: peerIdOf(connection.remotePeer), failure: null, connection };
    } catch (thrown) {
      if (isFault(thrown)) throw thrown;
      const { code, message } = toPartnerdError(thrown, "dial_failed");
      return { target, record: this.#record, proven: null, failure: { code, message }, connection: null };
    }
  }
}

const SILENT_ENDS_FORGIVEN = 2;

function endedSilently({ record, failure }: FarEndDial): boolean {
  return failure !== null && failure.code !== "timeout" && record.connectedMs !== null && record.firstBytes === null;
}

/** `/ip4/192.0.2.7/tcp/4001` of an address with a PeerID. */
export const endpointText = (multiaddr: Multiaddr): string => {
  const text = multiaddr.toString();
  const at = text.lastIndexOf("/p2p/");
  return at < 0 ? text : text.slice(0, at);
};
