/** A heartbeat stream with its connection: knows when it is over, whoever ended it. */
import { PartnerdError, type RemoteEnd } from "../../base/errors.ts";
import type { PeerId } from "../../base/ids.ts";
import { abortable } from "../../base/pause.ts";
import type { Direction } from "../../events/types.ts";
import type { HostConnection, HostStream } from "../host/host.ts";
import type { AbortableStream, StreamKey } from "../registry/registry.ts";
import { PARTNER_PROTOCOL } from "../wire/constants.ts";

/** The place of a partner stream in the registry. */
export function keyOf(direction: Direction, peerId: PeerId): StreamKey {
  return { protocol: PARTNER_PROTOCOL, peerId, direction };
}

export class PartnerStream implements AbortableStream {
  readonly connection: HostConnection;
  readonly #stream: HostStream;
  readonly #ended = new AbortController();
  #remoteEnd: RemoteEnd | undefined;
  /** The far end or the connection ended the stream. Called once, and never after our own abort. */
  onRemoteEnd: (remoteEnd: RemoteEnd) => void = () => {};

  constructor(stream: HostStream, connection: HostConnection) {
    this.connection = connection;
    this.#stream = stream;
    stream.addEventListener("remoteCloseWrite", this.#finished);
    stream.addEventListener("close", this.#closed);
    // Every end closes the far side's writing, so the status comes first.
    if (stream.status !== "open") this.#closed();
    else if (stream.remoteWriteStatus === "closed") this.#finished();
  }

  /** Aborts when the stream ends, for whatever reason; it may have ended before it came to us. */
  get ended(): AbortSignal {
    return this.#ended.signal;
  }

  /** How the far end or the connection ended it; undefined while it is open, and if we ended it. */
  get remoteEnd(): RemoteEnd | undefined {
    return this.#remoteEnd;
  }

  /** Gives each chunk that arrives to `read`, at once. */
  read(read: (chunk: Uint8Array) => void): void {
    this.#stream.addEventListener("message", (event) => {
      if (!this.ended.aborted) read(event.data.subarray());
    });
  }

  /** Resolves when the stream can take more; rejects with the signal's reason. */
  async write(bytes: Uint8Array, signal: AbortSignal): Promise<void> {
    if (!this.#stream.send(bytes)) await this.#drained(signal);
  }

  abort(error: Error): void {
    if (this.ended.aborted) return;
    this.#stream.removeEventListener("remoteCloseWrite", this.#finished);
    this.#stream.removeEventListener("close", this.#closed);
    this.#ended.abort(error);
    this.#stream.abort(error);
  }

  /** The event and not libp2p's onDrain(), which waits only once in a stream's life. */
  async #drained(signal: AbortSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const onDrain = () => resolve();
    this.#stream.addEventListener("drain", onDrain);
    try {
      await abortable(promise, signal);
    } finally {
      this.#stream.removeEventListener("drain", onDrain);
    }
  }

  /** FIN leaves the status open and swallows what we send: it is the end. */
  readonly #finished = (): void => this.#end("remote_closed");

  readonly #closed = (): void => this.#end(this.#stream.status === "reset" ? "reset" : "connection_lost");

  #end(remoteEnd: RemoteEnd): void {
    if (this.ended.aborted) return;
    this.#remoteEnd = remoteEnd;
    this.abort(new PartnerdError("stream_lost", `the stream ended: ${remoteEnd}`, { details: { remoteEnd } }));
    this.onRemoteEnd(remoteEnd);
  }
}
