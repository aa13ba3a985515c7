/** A TCP connection between two machines, below libp2p: two pipes, with a socket owner at each end. */
import type { Clock } from "../../base/clock.ts";
import { CUT, type Frame } from "./frames.ts";
import { Pipe, type Wire } from "./pipe.ts";

/** The owner of one end of a link. */
export interface Socket {
  received(frame: Frame): void;
  /** The send buffer has room again. */
  drained(): void;
  /** This end was lost without telling the far end. */
  lost(): void;
}

/** The machine at one end of a link. */
export interface SocketHolder {
  readonly clock: Clock;
  /** Its link ends, each with its owner. */
  readonly sockets: Map<LinkEnd, Socket>;
}

export class LinkEnd {
  readonly #holder: SocketHolder;
  readonly #outgoing: Pipe;
  #far: LinkEnd | undefined;
  #socket: Socket | undefined;
  /** We have sent the far end a reset. */
  #saidCut = false;

  private constructor(holder: SocketHolder, outgoing: Wire, incoming: Wire) {
    this.#holder = holder;
    this.#outgoing = new Pipe(outgoing, (frame) => {
      const far = this.#far;
      if (far !== undefined) far.#received(frame);
    });
    this.#outgoing.onDrained = () => {
      holder.clock.schedule(incoming.delayMs(), () => this.#socket?.drained());
    };
  }

  /** A link without owners yet. `forth` leads from the dialler to the acceptor, `back` the other way. */
  static pair(dialler: SocketHolder, acceptor: SocketHolder, forth: Wire, back: Wire): readonly [LinkEnd, LinkEnd] {
    const near = new LinkEnd(dialler, forth, back);
    const far = new LinkEnd(acceptor, back, forth);
    near.#far = far;
    far.#far = near;
    return [near, far];
  }

  /** The owner of the far end's socket; undefined if it has none. */
  get farSocket(): Socket | undefined {
    const far = this.#far;
    return far === undefined ? undefined : far.#socket;
  }

  /** True if this end no longer has an owner. */
  get isLeft(): boolean {
    return this.#socket === undefined;
  }

  /** Sends a frame. Returns false if the sender should wait for `drained`. */
  send(frame: Frame): boolean {
    return this.#outgoing.send(frame);
  }

  /** Makes the link half-open, as when a router forgets it: both ends believe that it is open, but nothing gets through. */
  blackhole(): void {
    this.#outgoing.lose();
    if (this.#far !== undefined) this.#far.#outgoing.lose();
  }

  /** Makes `socket` the owner of this end until `cut` or `leave`. */
  attach(socket: Socket): void {
    this.#socket = socket;
    this.#holder.sockets.set(this, socket);
  }

  /** Leaves and sends the far end a reset. */
  cut(): void {
    if (this.#socket === undefined) return;
    this.leave();
    this.#sayCut();
  }

  /** Drops the owner of this end. The far end finds out from the reset that its next frame gets. */
  leave(): void {
    this.#socket = undefined;
    this.#holder.sockets.delete(this);
  }

  #received(frame: Frame): void {
    if (this.#socket !== undefined) this.#socket.received(frame);
    else if (frame.kind !== "cut" && !this.#saidCut) this.#sayCut();
  }

  #sayCut(): void {
    this.#saidCut = true;
    this.send(CUT);
  }
}
