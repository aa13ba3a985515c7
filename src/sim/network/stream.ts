/** One end of a simulated stream, behaving like js-libp2p's yamux streams. */
import { StreamResetError, StreamStateError } from "@libp2p/interface";
import { abortable } from "../../base/pause.ts";
import type { HostStream, HostStreamEvents } from "../../p2p/host/host.ts";
import type { StreamFrame } from "./frames.ts";
import { Listeners } from "./listeners.ts";

/** The interface of a connection to its streams. */
export interface StreamCarrier {
  /** Returns false if the stream should wait for `drained`. */
  send(frame: StreamFrame): boolean;
  /** The far end of the stream with this id; undefined while it does not exist there. */
  otherEndOf(id: number): SimPartnerStream | undefined;
  /** Called when this end of the stream has ended. */
  ended(stream: SimPartnerStream): void;
}

export class SimPartnerStream implements HostStream {
  readonly id: number;
  readonly direction: "inbound" | "outbound";
  protocol: string;
  status: HostStream["status"] = "open";
  writeStatus: HostStream["remoteWriteStatus"] = "writable";
  remoteWriteStatus: HostStream["remoteWriteStatus"] = "writable";
  readonly #carrier: StreamCarrier;
  readonly #listeners = new Listeners<HostStreamEvents>();
  #needsDrain = false;
  /** Data that arrived before a listener was added. */
  #unread: Uint8Array[] = [];
  #receivedBytes = 0;

  constructor(
    init: { readonly id: number; readonly direction: "inbound" | "outbound"; readonly protocol: string },
    carrier: StreamCarrier,
  ) {
    this.id = init.id;
    this.direction = init.direction;
    this.protocol = init.protocol;
    this.#carrier = carrier;
  }

  /** All bytes of data that have arrived. */
  get receivedBytes(): number {
    return this.#receivedBytes;
  }

  /** Bytes that wait for a reader. */
  get unreadBytes(): number {
    return this.#unread.reduce((sum, { length }) => sum + length, 0);
  }

  /** The same stream at the far end; undefined while it does not exist there. */
  get otherEnd(): SimPartnerStream | undefined {
    return this.#carrier.otherEndOf(this.id);
  }

  addEventListener<Type extends keyof HostStreamEvents>(type: Type, listener: (event: HostStreamEvents[Type]) => void): void {
    this.#listeners.add(type, listener);
    // As in libp2p: a listener added in a constructor is not called until that has returned.
    if (type === "message" && this.#unread.length > 0) queueMicrotask(() => this.#tellUnread());
  }

  removeEventListener<Type extends keyof HostStreamEvents>(type: Type, listener: (event: HostStreamEvents[Type]) => void): void {
    this.#listeners.remove(type, listener);
  }

  send(bytes: Uint8Array): boolean {
    if (this.writeStatus !== "writable") throw new StreamStateError(`Cannot write to a stream that is ${this.writeStatus}`);
    this.#needsDrain = !this.#carrier.send({ kind: "data", streamId: this.id, bytes });
    return !this.#needsDrain;
  }

  async close({ signal }: { readonly signal: AbortSignal }): Promise<void> {
    if (this.writeStatus !== "writable") return;
    this.writeStatus = "closing";
    if (this.#needsDrain) await this.#drained(signal);
    // The stream may have ended in the meantime.
    if (this.writeStatus === "closing") this.finish();
  }

  abort(error: Error): void {
    if (this.#isOver) return;
    this.#unread = [];
    this.#carrier.send({ kind: "reset", streamId: this.id });
    this.#end("aborted", error);
  }

  /** Sends FIN at once: nothing more is sent from this end. */
  finish(): void {
    if (this.#isOver || this.writeStatus === "closed") return;
    this.#carrier.send({ kind: "fin", streamId: this.id });
    this.writeStatus = "closed";
    if (this.remoteWriteStatus === "closed") this.#end("closed");
  }

  received(frame: StreamFrame): void {
    if (this.#isOver) return;
    if (frame.kind === "data") this.#receivedData(frame.bytes);
    else if (frame.kind === "fin") this.#receivedFin();
    else if (frame.kind === "reset") this.#end("reset", new StreamResetError());
  }

  drained(): void {
    if (!this.#needsDrain) return;
    this.#needsDrain = false;
    this.#listeners.tell("drain", undefined);
  }

  /** Called when the underlying connection has ended. */
  connectionEnded(): void {
    if (!this.#isOver) this.#end("closed");
  }

  get #isOver(): boolean {
    return this.status !== "open" && this.status !== "closing";
  }

  #receivedData(bytes: Uint8Array): void {
    if (this.remoteWriteStatus !== "writable") return;
    this.#receivedBytes += bytes.length;
    if (this.#unread.length === 0 && this.#listeners.has("message")) this.#listeners.tell("message", { data: bytes });
    else this.#unread.push(bytes);
  }

  #receivedFin(): void {
    if (this.remoteWriteStatus === "closed") return;
    this.remoteWriteStatus = "closed";
    this.#listeners.tell("remoteCloseWrite", undefined);
    // A listener may have ended it.
    if (this.writeStatus === "closed" && !this.#isOver) this.#end("closed");
  }

  #tellUnread(): void {
    const unread = this.#unread;
    this.#unread = [];
    for (const bytes of unread) this.#listeners.tell("message", { data: bytes });
  }

  #end(status: "closed" | "aborted" | "reset", error?: Error): void {
    this.status = status;
    this.writeStatus = "closed";
    this.remoteWriteStatus = "closed";
    this.#carrier.ended(this);
    this.#listeners.tell("close", error === undefined ? {} : { error });
  }

  async #drained(signal: AbortSignal): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const onClose = ({ error }: HostStreamEvents["close"]) => reject(error ?? new StreamStateError("stream closed"));
    const onDrain = () => resolve();
    this.addEventListener("drain", onDrain);
    this.addEventListener("close", onClose);
    try {
      await abortable(promise, signal);
    } finally {
      this.removeEventListener("drain", onDrain);
      this.removeEventListener("close", onClose);
    }
  }
}
