/** A TCP connection between two machines, below libp2p: two pipes, and at each end the current owner of the socket. */
import type { Clock } from "../../base/clock.ts";
import { CUT, type Frame } from "./frames.ts";
import { Pipe, type Wire } from "./pipe.ts";

/** The owner of one end of a link. */
export interface Socket {
  received(frame: Frame): void;
  /** There is room again for what is to be sent. */
  drained(): void;
  /** The machine lost its end; the far end has not been told. */
  lost(): void;
}

/** The machine at one end of a link. */
export interface SocketHolder {
  readonly clock: Clock;
  /** Its ends of links, each with its owner. */
  readonly sockets: Map<LinkEnd, Socket>;
}

export class LinkEnd {
  readonly #holder: SocketHolder;
  readonly #outgoing: Pipe;
  #far: LinkEnd | undefined;
  #socket: Socket | undefined;
  /** We have told the far end that nobody is here. */
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

  /** A link whose ends have no owner yet. `forth` leads from the dialler to the acceptor, `back` to the dialler. */
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

  /** This end has no owner any more. */
  get isLeft(): boolean {
    return this.#socket === undefined;
  }

  /** False if the sender should wait for `drained`. */
  send(frame: Frame): boolean {
    return this.#outgoing.send(frame);
  }

  /** Both ends believe that the link is open, and nothing passes any more, as when a router on the way has forgotten it. */
  blackhole(): void {
    this.#outgoing.lose();
    if (this.#far !== undefined) this.#far.#outgoing.lose();
  }

  /** Makes `socket` the owner of this end, until it is cut or left. */
  attach(socket: Socket): void {
    this.#socket = socket;
    this.#holder.sockets.set(this, socket);
  }

  /** Leaves, and tells the far end. */
  cut(): void {
    if (this.#socket === undefined) return;
    this.leave();
    this.#sayCut();
  }

  /** This end has no owner any more; the far end learns it from the answer to its next frame. */
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
