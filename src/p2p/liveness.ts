/**
 * Proofs of life by session ping. One at a time per connection, and none is ever aborted: a pong for a ping that yamux
 * has forgotten kills the connection. So whoever waits gives up on its own side, and the ping stays under way.
 */
import type { Connection } from "@libp2p/interface";
import { PartnerdError } from "../errors.ts";
import { abortable } from "./abortable.ts";
import { pingOverStream } from "./probe.ts";

interface PendingPing {
  readonly pong: Promise<void>;
  /** Somebody gave up waiting: until the pong comes, the connection is suspect. */
  overdue: boolean;
}

export class Liveness {
  readonly #pending = new WeakMap<Connection, PendingPing>();
  readonly #onLatePong: (connection: Connection) => void;

  /** `onLatePong`: a suspect connection has answered after all. */
  constructor(onLatePong: (connection: Connection) => void) {
    this.#onLatePong = onLatePong;
  }

  /** Whether a ping on this connection is overdue. Suspects are not reused. */
  isSuspect(connection: Connection): boolean {
    return this.#pending.get(connection)?.overdue === true;
  }

  /**
   * Resolves when the far end answers a ping: it is alive now, whenever that ping was sent. Rejects with the signal's
   * reason, which leaves the connection suspect, or when the connection ends.
   */
  async prove(connection: Connection, signal: AbortSignal): Promise<void> {
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
  doubt(connection: Connection): void {
    this.#pingUnderWay(connection).overdue = true;
  }

  #pingUnderWay(connection: Connection): PendingPing {
    const underWay = this.#pending.get(connection);
    if (underWay !== undefined) return underWay;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const pending: PendingPing = { pong: promise, overdue: false };
    this.#pending.set(connection, pending);
    // Forgotten in the same turn as it settles, or the next proof would join an answer that is already there.
    const settle = () => {
      this.#pending.delete(connection);
      connection.removeEventListener("close", onClose);
    };
    const onClose = () => {
      settle();
      reject(new PartnerdError("stream_lost", "connection closed"));
    };
    const onPong = () => {
      settle();
      resolve();
      if (pending.overdue) this.#onLatePong(connection);
    };
    const onError = (error: unknown) => {
      settle();
      reject(error as Error);
    };
    promise.catch(() => {
      // Whoever waited has given up, or nobody did.
    });
    // The muxer leaves a ping unsettled when its connection closes, so we watch that ourselves.
    connection.addEventListener("close", onClose, { once: true });
    sessionPing(connection).then(onPong, onError);
    return pending;
  }
}

/** The one place that knows that libp2p keeps the muxer private. Any other muxer than yamux is pinged over a stream. */
async function sessionPing(connection: Connection): Promise<void> {
  const { muxer } = connection as Connection & { readonly muxer?: { ping?(): Promise<number> } };
  if (typeof muxer?.ping === "function") await muxer.ping();
  else await pingOverStream(connection);
}
