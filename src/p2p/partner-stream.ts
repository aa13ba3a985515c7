/** A heartbeat stream with its connection: knows when it is over, whoever ended it. */
import { once } from "node:events";
import type { Connection, Stream } from "@libp2p/interface";
import { PartnerdError } from "../errors.ts";
import type { CloseReason } from "../events/types.ts";
import type { AbortableStream } from "./registry.ts";

/** How a stream ends that we did not end. */
export type FarEnd = Extract<CloseReason, "remote_closed" | "reset" | "connection_lost">;

export class PartnerStream implements AbortableStream {
  readonly connection: Connection;
  readonly #stream: Stream;
  readonly #ended = new AbortController();
  /** The far end or the connection ended the stream. Called once, and never after our own abort. */
  onFarEnd: (reason: FarEnd) => void = () => {};

  constructor(stream: Stream, connection: Connection) {
    this.connection = connection;
    this.#stream = stream;
    stream.addEventListener("remoteCloseWrite", this.#finished);
    stream.addEventListener("close", this.#closed);
    if (stream.remoteWriteStatus === "closed") this.#finished();
    else if (stream.status !== "open") this.#closed();
  }

  /** Aborts when the stream ends, for whatever reason; it may have ended before it came to us. */
  get ended(): AbortSignal {
    return this.#ended.signal;
  }

  /** Gives each chunk that arrives to `read`, at once. */
  read(read: (chunk: Uint8Array) => void): void {
    this.#stream.addEventListener("message", (event) => {
      if (!this.ended.aborted) read(event.data.subarray());
    });
  }

  /** Resolves when the stream can take more; rejects when it ends or the signal aborts. */
  async write(bytes: Uint8Array, signal: AbortSignal): Promise<void> {
    // The event and not onDrain(), which waits only once in a stream's life.
    if (!this.#stream.send(bytes)) await once(this.#stream as unknown as EventTarget, "drain", { signal });
  }

  abort(error: Error): void {
    if (this.ended.aborted) return;
    this.#stream.removeEventListener("remoteCloseWrite", this.#finished);
    this.#stream.removeEventListener("close", this.#closed);
    this.#ended.abort(error);
    this.#stream.abort(error);
  }

  /** FIN leaves the status open and swallows what we send: it is the end. */
  readonly #finished = (): void => this.#end("remote_closed");

  readonly #closed = (): void => this.#end(this.#stream.status === "reset" ? "reset" : "connection_lost");

  #end(reason: FarEnd): void {
    if (this.ended.aborted) return;
    this.abort(new PartnerdError("stream_lost", `stream ended: ${reason}`));
    this.onFarEnd(reason);
  }
}
