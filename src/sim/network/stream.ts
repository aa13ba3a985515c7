/** One end of a simulated stream, as js-libp2p's yamux streams behave. */
import { StreamResetError, StreamStateError } from "@libp2p/interface";
import { abortable } from "../../base/pause.ts";
import type { HostStream, HostStreamEvents } from "../../p2p/host/host.ts";
import type { StreamFrame } from "./frames.ts";
import { Listeners } from "./listeners.ts";

/** What a stream needs of its connection. */
export interface StreamCarrier {
  /** False if the stream should wait for `drained`. */
  send(frame: StreamFrame): boolean;
  /** The far end of the stream with this id; undefined if it does not exist there, not yet or not any more. */
  otherEndOf(id: number): SimPartnerStream | undefined;
  /** This end is over. */
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
  /** Arrived before anybody listened. */
  #unread: Uint8Array[] = [];

  constructor(
    init: { readonly id: number; readonly direction: "inbound" | "outbound"; readonly protocol: string },
    carrier: StreamCarrier,
  ) {
    this.id = init.id;
    this.direction = init.direction;
    this.protocol = init.protocol;
    this.#carrier = carrier;
  }

  /** The same stream at the far end; undefined if it does not exist there, not yet or not any more. */
  get otherEnd(): SimPartnerStream | undefined {
    return this.#carrier.otherEndOf(this.id);
  }

  addEventListener<Type extends keyof HostStreamEvents>(type: Type, listener: (event: HostStreamEvents[Type]) => void): void {
    this.#listeners.add(type, listener);
    // As libp2p does: whoever listens in a constructor is not told before it is done.
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
    // It may have ended while we waited.
    if (this.writeStatus === "closing") this.finish();
  }

  abort(error: Error): void {
    if (this.#isOver) return;
    this.#unread = [];
    this.#carrier.send({ kind: "reset", streamId: this.id });
    this.#end("aborted", error);
  }

  /** FIN at once: nothing more comes from this end. */
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

  /** The connection below is gone. */
  connectionEnded(): void {
    if (!this.#isOver) this.#end("closed");
  }

  get #isOver(): boolean {
    return this.status !== "open" && this.status !== "closing";
  }

  #receivedData(bytes: Uint8Array): void {
    if (this.remoteWriteStatus !== "writable") return;
    if (this.#unread.length === 0 && this.#listeners.has("message")) this.#listeners.tell("message", { data: bytes });
    else this.#unread.push(bytes);
  }

  #receivedFin(): void {
    if (this.remoteWriteStatus === "closed") return;
    this.remoteWriteStatus = "closed";
    this.#listeners.tell("remoteCloseWrite", undefined);
    // Whoever was told may have ended it.
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
