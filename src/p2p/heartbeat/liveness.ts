/**
 * Proofs of life by session ping. One ping at a time per connection, never aborted: a pong for a ping that yamux has forgotten kills
 * the connection. A caller that stops waiting leaves its ping outstanding.
 */
import { abortable } from "../../base/pause.ts";
import type { HostConnection } from "../host/host.ts";
import { pingOverStream } from "./probe.ts";

interface PendingPing {
  readonly pong: Promise<void>;
  /** A caller has stopped waiting; the connection is suspect until the pong arrives. */
  overdue: boolean;
}

export class Liveness {
  readonly #pending = new WeakMap<HostConnection, PendingPing>();
  readonly #onLatePong: (connection: HostConnection) => void;

  /** Calls `onLatePong` when a suspect connection answers after all. */
  constructor(onLatePong: (connection: HostConnection) => void) {
    this.#onLatePong = onLatePong;
  }

  /** Whether a ping on this connection is overdue. Suspects are not reused. */
  isSuspect(connection: HostConnection): boolean {
    return this.#pending.get(connection)?.overdue === true;
  }

  /**
   * Resolves when the far end answers a ping, perhaps an earlier one: it is alive now. Rejects with the signal's reason, which
   * leaves the connection suspect. Yamux never settles the ping of a closed connection, so the signal must abort then; our
   * streams' signals do.
   */
  async prove(connection: HostConnection, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const pending = this.#pingUnderWay(connection);
    try {
      await abortable(pending.pong, signal);
    } catch (error) {
      pending.overdue = true;
      throw error;
    }
  }

  /** Something other than a ping was not answered; the connection is suspect until it answers a ping. */
  markSuspect(connection: HostConnection): void {
    this.#pingUnderWay(connection).overdue = true;
  }

  #pingUnderWay(connection: HostConnection): PendingPing {
    const underWay = this.#pending.get(connection);
    if (underWay !== undefined) return underWay;
    const pending: PendingPing = { pong: this.#ping(connection), overdue: false };
    this.#pending.set(connection, pending);
    pending.pong.catch(() => {
      // Callers that waited have been told, if there were any.
    });
    return pending;
  }

  async #ping(connection: HostConnection): Promise<void> {
    try {
      await sessionPing(connection);
    } catch (error) {
      this.#pending.delete(connection);
      throw error;
    }
    // Removed before callers learn of the answer; otherwise the next proof would join a ping that has been answered.
    const suspect = this.isSuspect(connection);
    this.#pending.delete(connection);
    if (suspect) this.#onLatePong(connection);
  }
}

/** Muxers other than yamux are pinged over a stream. */
async function sessionPing(connection: HostConnection): Promise<void> {
  const { muxer } = connection;
  if (typeof muxer?.ping === "function") await muxer.ping();
  else await pingOverStream(connection);
}
