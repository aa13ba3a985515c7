/** A TCP connection between two machines, below libp2p: two pipes, and at each end whoever has the socket now. */
import type { Frame } from "./frames.ts";
import { CUT } from "./frames.ts";
import type { SimNetwork } from "./network.ts";
import type { SimNode } from "./node.ts";
import { Pipe } from "./pipe.ts";

/** Has the socket of a link. */
export interface Socket {
  received(frame: Frame): void;
  /** There is room again for what is to be sent. */
  drained(): void;
  /** What it had is gone, without a word to the far end. */
  lost(): void;
}

export class LinkEnd {
  readonly node: SimNode;
  readonly #outgoing: Pipe;
  #far: LinkEnd | undefined;
  #socket: Socket | undefined;
  /** We have told the far end that nobody is here. */
  #saidCut = false;

  private constructor(network: SimNetwork, from: SimNode, to: SimNode) {
    this.node = from;
    this.#outgoing = new Pipe(network.wire(from, to), (frame) => {
      const far = this.#far;
      if (far !== undefined) far.#received(frame);
    });
    this.#outgoing.onDrained = () => {
      from.clock.schedule(network.delayMs(to), () => this.#socket?.drained());
    };
  }

  /** A link whose ends belong to nobody yet. */
  static pair(network: SimNetwork, dialler: SimNode, acceptor: SimNode): readonly [LinkEnd, LinkEnd] {
    const near = new LinkEnd(network, dialler, acceptor);
    const far = new LinkEnd(network, acceptor, dialler);
    near.#far = far;
    far.#far = near;
    return [near, far];
  }

  /** Who has the socket at the far end: undefined where nobody has. */
  get farSocket(): Socket | undefined {
    const far = this.#far;
    return far === undefined ? undefined : far.#socket;
  }

  /** Nobody has this end any more. */
  get isLeft(): boolean {
    return this.#socket === undefined;
  }

  /** False where it had better wait until `drained`. */
  send(frame: Frame): boolean {
    return this.#outgoing.send(frame);
  }

  /** Both ends believe that the link stands, and nothing passes any more, as when a router on the way has forgotten it. */
  blackhole(): void {
    this.#outgoing.lose();
    if (this.#far !== undefined) this.#far.#outgoing.lose();
  }

  /** From now on `socket` has this end; the node knows it, until it is cut or left. */
  attach(socket: Socket): void {
    this.#socket = socket;
    this.node.sockets.set(this, socket);
  }

  /** Nobody has this end any more, and the far end is told. */
  cut(): void {
    if (this.#socket === undefined) return;
    this.leave();
    this.#sayCut();
  }

  /** Nobody has this end any more; the far end learns it from the answer to whatever it sends next. */
  leave(): void {
    this.#socket = undefined;
    this.node.sockets.delete(this);
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
