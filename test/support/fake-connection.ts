/** Connections and streams of the fake network: two ends, frames in order, each end closable at any time. */

import type { Did, PeerId } from "../../src/ids.ts";
import type { AbortableStream } from "../../src/p2p/registry.ts";
import type { FakeHost } from "./fake-host.ts";
import type { FakeNetwork } from "./fake-network.ts";

export type Frame =
  | { readonly kind: "open" | "accepted" | "challenge" | "echo" | "fin" | "reset"; readonly streamId: number }
  | { readonly kind: "heartbeat"; readonly streamId: number; readonly claimed: PeerId; readonly did: Did }
  | { readonly kind: "ping" | "pong" | "close" };

export class FakeConnection {
  readonly ends: readonly [FakeEnd, FakeEnd];
  readonly #network: FakeNetwork;
  readonly #onBothClosed: () => void;

  constructor(network: FakeNetwork, dialler: FakeHost, acceptor: FakeHost, onBothClosed: () => void) {
    this.#network = network;
    this.#onBothClosed = onBothClosed;
    this.ends = [new FakeEnd(this, dialler, acceptor.peerId, "outbound"), new FakeEnd(this, acceptor, dialler.peerId, "inbound")];
  }

  otherEnd(end: FakeEnd): FakeEnd {
    return this.ends[0] === end ? this.ends[1] : this.ends[0];
  }

  /** Frames of one direction never overtake each other. */
  send(from: FakeEnd, frame: Frame): void {
    const to = this.otherEnd(from);
    const { clock } = this.#network;
    to.arrivesMs = Math.max(to.arrivesMs, clock.monotonicMs() + this.#network.delayMs());
    clock.schedule(to.arrivesMs - clock.monotonicMs(), () => {
      to.backlog.push(frame);
      this.#deliver(to);
    });
  }

  flush(): void {
    for (const end of this.ends) this.#deliver(end);
  }

  /** Both ends learn at once. */
  reset(): void {
    for (const end of this.ends) end.lose();
  }

  endClosed(): void {
    if (this.ends.every((end) => !end.open)) this.#onBothClosed();
  }

  #deliver(end: FakeEnd): void {
    while (!this.#network.isHeld(this.otherEnd(end).host.peerId, end.host.peerId)) {
      const frame = end.backlog.shift();
      if (frame === undefined) return;
      if (frame.kind === "close") end.lose();
      else if (end.open) end.host.received(end, frame);
    }
  }
}

/** One host's side of a connection. */
export class FakeEnd {
  readonly connection: FakeConnection;
  readonly host: FakeHost;
  readonly remotePeerId: PeerId;
  readonly direction: "outbound" | "inbound";
  readonly streams = new Map<number, FakeStream>();
  readonly backlog: Frame[] = [];
  arrivesMs = 0;
  open = true;
  /** Whoever waits for the pong under way. */
  pingWaiters: (() => void)[] = [];
  /** A ping was sent and its pong has not come. */
  pingPending = false;
  /** Somebody gave up waiting for that pong. */
  suspect = false;
  #nextStreamId: number;

  constructor(connection: FakeConnection, host: FakeHost, remotePeerId: PeerId, direction: "outbound" | "inbound") {
    this.connection = connection;
    this.host = host;
    this.remotePeerId = remotePeerId;
    this.direction = direction;
    this.#nextStreamId = direction === "outbound" ? 1 : 2;
  }

  send(frame: Frame): void {
    if (this.open) this.connection.send(this, frame);
  }

  newStream(streamId = this.#takeStreamId()): FakeStream {
    const stream = new FakeStream(this, streamId);
    this.streams.set(streamId, stream);
    return stream;
  }

  /** We close: the other end learns when the frame arrives. */
  abort(): void {
    this.send({ kind: "close" });
    this.lose();
  }

  /** The connection is gone for this end, and every stream with it. */
  lose(): void {
    if (!this.open) return;
    this.open = false;
    for (const stream of this.streams.values()) stream.ended("connection_lost");
    this.host.disconnected(this);
    this.connection.endClosed();
  }

  #takeStreamId(): number {
    const streamId = this.#nextStreamId;
    this.#nextStreamId += 2;
    return streamId;
  }
}

export type FakeStreamEnd = "remote_closed" | "reset" | "connection_lost";

export class FakeStream implements AbortableStream {
  readonly end: FakeEnd;
  readonly id: number;
  open = true;
  /** A frame for this stream arrived. */
  onFrame: (frame: Frame & { readonly streamId: number }) => void = () => {};
  /** The far end, or the connection, ended it. Never called after our own abort. */
  onEnd: (reason: FakeStreamEnd) => void = () => {};

  constructor(end: FakeEnd, id: number) {
    this.end = end;
    this.id = id;
  }

  send(kind: "accepted" | "challenge" | "echo" | "fin"): void {
    if (this.open) this.end.send({ kind, streamId: this.id });
  }

  abort(): void {
    if (!this.open) return;
    this.#forget();
    this.end.send({ kind: "reset", streamId: this.id });
  }

  ended(reason: FakeStreamEnd): void {
    if (!this.open) return;
    this.#forget();
    this.onEnd(reason);
  }

  #forget(): void {
    this.open = false;
    this.end.streams.delete(this.id);
  }
}
