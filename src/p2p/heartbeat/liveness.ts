/**
 * Proofs of life by session ping. One at a time per connection, and none is ever aborted: a pong for a ping that yamux
 * has forgotten kills the connection. So whoever waits gives up on its own side, and the ping stays under way.
 */
import { abortable } from "../../base/pause.ts";
import type { HostConnection } from "../host/host.ts";
import { pingOverStream } from "./probe.ts";

interface PendingPing {
  readonly pong: Promise<void>;
  /** Somebody gave up waiting: until the pong comes, the connection is suspect. */
  overdue: boolean;
}

export class Liveness {
  readonly #pending = new WeakMap<HostConnection, PendingPing>();
  readonly #onLatePong: (connection: HostConnection) => void;

  /** `onLatePong`: a suspect connection has answered after all. */
  constructor(onLatePong: (connection: HostConnection) => void) {
    this.#onLatePong = onLatePong;
  }

  /** Whether a ping on this connection is overdue. Suspects are not reused. */
  isSuspect(connection: HostConnection): boolean {
    return this.#pending.get(connection)?.overdue === true;
  }

  /**
   * Resolves when the far end answers a ping: it is alive now, whenever that ping was sent. Rejects with the signal's
   * reason, which leaves the connection suspect. Yamux never settles the ping of a connection that has ended, so the
   * signal must abort then; those of our streams do.
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

  /** Something other than a ping went unanswered: the connection is suspect until it answers a ping. */
  markSuspect(connection: HostConnection): void {
    this.#pingUnderWay(connection).overdue = true;
  }

  #pingUnderWay(connection: HostConnection): PendingPing {
    const underWay = this.#pending.get(connection);
    if (underWay !== undefined) return underWay;
    const pending: PendingPing = { pong: this.#ping(connection), overdue: false };
    this.#pending.set(connection, pending);
    pending.pong.catch(() => {
      // Whoever waited has been told; perhaps nobody did.
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
    // Forgotten before anybody hears of the answer, or the next proof would join one that is already there.
    const suspect = this.isSuspect(connection);
    this.#pending.delete(connection);
    if (suspect) this.#onLatePong(connection);
  }
}

/** Any other muxer than yamux is pinged over a stream. */
async function sessionPing(connection: HostConnection): Promise<void> {
  const { muxer } = connection;
  if (typeof muxer?.ping === "function") await muxer.ping();
  else await pingOverStream(connection);
}
