/** Connects to a peer: plans which addresses to dial, and tries them in order. */
import type { Multiaddr } from "@multiformats/multiaddr";
import { type Clock, deadline } from "../../base/clock.ts";
import { isFault, PartnerdError } from "../../base/errors.ts";
import type { PeerId } from "../../base/ids.ts";
import { abortable } from "../../base/pause.ts";
import type { DesiredPeer } from "../../events/types.ts";
import type { DialPlanner } from "../dial/dial-planner.ts";
import type { Host, HostConnection } from "../host/host.ts";
import { dialError, dialErrors } from "./open-errors.ts";

export interface DiallerComponents {
  readonly host: Host;
  readonly clock: Clock;
  readonly dialPlanner: DialPlanner;
  /** The time limit of the whole attempt, which the addresses share. */
  readonly openTimeoutMs: number;
  /** Knows why some dials failed; the simulator's host has none of these failures. */
  readonly handshakes?: HandshakeFailures | undefined;
}

/** See `HandshakeWatch`. */
export interface HandshakeFailures {
  takeFailure(peerId: PeerId): PartnerdError | undefined;
}

export class Dialler {
  readonly #components: DiallerComponents;

  constructor(components: DiallerComponents) {
    this.#components = components;
  }

  /**
   * The first connection that an address gives. Each address but the last gets an equal share of the time that is left. Rejects with a
   * PartnerdError, or with the signal's reason.
   */
  async dial({ peerId, address }: Pick<DesiredPeer, "peerId" | "address">, signal: AbortSignal): Promise<HostConnection> {
    const { clock, dialPlanner, handshakes, openTimeoutMs } = this.#components;
    const endMs = clock.monotonicMs() + openTimeoutMs;
    const targets = await abortable(dialPlanner.plan(peerId, address, signal), signal);
    const failures: PartnerdError[] = [];
    for (const [index, target] of targets.entries()) {
      const shares = targets.length - index;
      handshakes?.takeFailure(peerId);
      try {
        if (shares === 1) return await this.#dialTarget(target, signal);
        return await this.#dialWithin(Math.max(0, endMs - clock.monotonicMs()) / shares, target, signal);
      } catch (error) {
        signal.throwIfAborted();
        if (isFault(error)) throw error;
        failures.push(handshakes?.takeFailure(peerId) ?? dialError(error));
      }
    }
    throw dialErrors(failures);
  }

  async #dialWithin(limitMs: number, target: Multiaddr, signal: AbortSignal): Promise<HostConnection> {
    const late = () => new PartnerdError("timeout", `no answer within ${Math.round(limitMs)} ms`);
    using limit = deadline(this.#components.clock, limitMs, late, signal);
    return await this.#dialTarget(target, limit.signal);
  }

  async #dialTarget(target: Multiaddr, signal: AbortSignal): Promise<HostConnection> {
    try {
      return await this.#dialOnce(target, signal);
    } catch (error) {
      signal.throwIfAborted();
      // libp2p joins a current dial to the same peer, even one that was just aborted and is about to reject.
      if (!(error instanceof Error && error.name === "AbortError")) throw error;
    }
    await abortable(new Promise<void>((resolve) => void this.#components.clock.schedule(0, resolve)), signal);
    return this.#dialOnce(target, signal);
  }

  #dialOnce(target: Multiaddr, signal: AbortSignal): Promise<HostConnection> {
    return abortable(this.#components.host.dial(target, { force: true, signal }), signal);
  }
}
