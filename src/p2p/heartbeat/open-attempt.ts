/** One attempt to open, and the resources it has acquired, which are released if it fails. */
import { PartnerdError } from "../../base/errors.ts";
import type { PeerId } from "../../base/ids.ts";
import { type ConnectionIndex, carriesPartnerStream } from "../host/connection-index.ts";
import type { HostConnection } from "../host/host.ts";
import type { Liveness } from "./liveness.ts";
import { abortError } from "./open-errors.ts";
import type { PartnerStream } from "./partner-stream.ts";

/** One attempt that several causes may abort: its signal aborts with the first of them. Dispose it when the attempt is over. */
export class Try implements Disposable {
  readonly #controller = new AbortController();
  readonly #parents: readonly { readonly signal: AbortSignal; readonly onAbort: () => void }[];

  constructor(...parents: readonly AbortSignal[]) {
    this.#parents = parents.map((signal) => ({ signal, onAbort: () => this.#controller.abort(signal.reason) }));
    for (const { signal, onAbort } of this.#parents) {
      if (signal.aborted) onAbort();
      else signal.addEventListener("abort", onAbort, { once: true });
    }
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  cancel(reason: Error): void {
    this.#controller.abort(reason);
  }

  [Symbol.dispose](): void {
    for (const { signal, onAbort } of this.#parents) signal.removeEventListener("abort", onAbort);
  }
}

interface Connections {
  readonly connections: ConnectionIndex;
  readonly liveness: Liveness;
}

export class OpenAttempt extends Try {
  readonly peerId: PeerId;
  readonly dialled: HostConnection[] = [];
  connection: HostConnection | undefined;
  stream: PartnerStream | undefined;
  readonly settled = Promise.withResolvers<void>();

  constructor(peerId: PeerId, ...parents: readonly AbortSignal[]) {
    super(...parents);
    this.peerId = peerId;
  }

  /** Resets the stream. Aborts connections that we dialled unless the peer uses them; marks a silent older connection as suspect. */
  giveBack({ connections, liveness }: Connections): void {
    const reason = new PartnerdError("aborted", "the open failed");
    this.stream?.abort(reason);
    for (const connection of this.dialled) if (!carriesPartnerStream(connection)) connection.abort(reason);
    const timedOut = this.signal.aborted && abortError(this.signal).code === "timeout";
    if (timedOut && this.connection?.status === "open") liveness.markSuspect(this.connection);
    // Keep the newest suspect: if the peer was only asleep, its late pong wakes us at once.
    const idle = connections.of(this.peerId).filter((each) => liveness.isSuspect(each) && !carriesPartnerStream(each));
    for (const connection of idle.slice(1)) connection.abort(new PartnerdError("aborted", "a newer suspect connection is kept"));
  }

  /** The new stream is established: drops suspect connections, and our other dials to this peer. */
  dropSuperseded({ connections, liveness }: Connections): void {
    for (const connection of connections.of(this.peerId)) {
      const superseded = liveness.isSuspect(connection) || this.dialled.includes(connection);
      if (superseded && connection !== this.connection && !carriesPartnerStream(connection))
        connection.abort(new PartnerdError("aborted", "a newer connection replaced this one"));
    }
  }
}
