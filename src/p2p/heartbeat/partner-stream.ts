/** A heartbeat stream with its connection; detects its end, from either side. */
import { PartnerdError, type RemoteEnd } from "../../base/errors.ts";
import type { PeerId } from "../../base/ids.ts";
import { abortable } from "../../base/pause.ts";
import type { Direction } from "../../events/types.ts";
import type { Cuts } from "../budgets/cuts.ts";
import type { HostConnection, HostStream } from "../host/host.ts";
import type { AbortableStream, StreamKey } from "../registry/registry.ts";
import { PARTNER_PROTOCOL } from "../wire/constants.ts";

/** The registry key of a partner stream. */
export function keyOf(direction: Direction, peerId: PeerId): StreamKey {
  return { protocol: PARTNER_PROTOCOL, peerId, direction };
}

export class PartnerStream implements AbortableStream {
  readonly connection: HostConnection;
  readonly #stream: HostStream;
  readonly #cuts: Cuts;
  readonly #ended = new AbortController();
  #remoteEnd: RemoteEnd | undefined;
  #isFull = false;
  /** Called when the far end or the connection ends the stream; once, and never after our own abort. */
  onRemoteEnd: (remoteEnd: RemoteEnd) => void = () => {};

  constructor(stream: HostStream, connection: HostConnection, cuts: Cuts) {
    this.connection = connection;
    this.#stream = stream;
    this.#cuts = cuts;
    stream.addEventListener("remoteCloseWrite", this.#finished);
    stream.addEventListener("close", this.#closed);
    stream.addEventListener("drain", () => {
      this.#isFull = false;
    });
    // A reset and a lost connection also close the far end's side, so check the status first.
    if (stream.status !== "open") this.#closed();
    else if (stream.remoteWriteStatus === "closed") this.#finished();
  }

  /** Aborts when the stream ends for any reason, perhaps before this object existed. */
  get ended(): AbortSignal {
    return this.#ended.signal;
  }

  /** How the far end or the connection ended it; undefined if it is open or was aborted here. */
  get remoteEnd(): RemoteEnd | undefined {
    return this.#remoteEnd;
  }

  /** The same stream, as the host gave it. */
  get hostStream(): HostStream {
    return this.#stream;
  }

  /** Calls `read` synchronously with each chunk that arrives. */
  read(read: (chunk: Uint8Array) => void): void {
    this.#stream.addEventListener("message", (event) => {
      if (!this.ended.aborted) read(event.data.subarray());
    });
  }

  /** True while bytes wait here because the far end's window, of 256 KiB in Go, or the network is full. */
  get isFull(): boolean {
    return this.#isFull;
  }

  /** Sends or queues `bytes`; see `isFull`. */
  send(bytes: Uint8Array): void {
    this.#isFull = !this.#stream.send(bytes);
  }

  /** Resolves when the stream can accept more; rejects with the signal's reason. */
  async write(bytes: Uint8Array, signal: AbortSignal): Promise<void> {
    this.send(bytes);
    if (this.isFull) await this.#drained(signal);
  }

  abort(error: Error): void {
    if (this.ended.aborted) return;
    this.#stream.removeEventListener("remoteCloseWrite", this.#finished);
    this.#stream.removeEventListener("close", this.#closed);
    this.#ended.abort(error);
    this.#stream.abort(error);
  }

  /** Uses the event because libp2p's onDrain() works only once per stream. */
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

  /** After FIN the status stays open but our bytes are lost, so we treat it as the end. */
  readonly #finished = (): void => this.#end("remote_closed");

  readonly #closed = (): void => {
    const cut = this.#cuts.cutOf(this.connection);
    this.#end(cut?.reason ?? (this.#stream.status === "reset" ? "reset" : "connection_lost"));
  };

  #end(remoteEnd: RemoteEnd): void {
    if (this.ended.aborted) return;
    this.#remoteEnd = remoteEnd;
    this.abort(new PartnerdError("stream_lost", "the stream ended", { details: { remoteEnd } }));
    this.onRemoteEnd(remoteEnd);
  }
}
