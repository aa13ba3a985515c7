/** A libp2p host of the simulated network, on a machine of its own, and whatever is wrong with that machine. */
import type { Clock } from "../../base/clock.ts";
import type { PeerId } from "../../base/ids.ts";
import type { Host, HostEvents, HostGater, HostStreamHandler, ProtocolLimits } from "../../p2p/host/host.ts";
import type { SimConnection } from "./connection.ts";
import { Dial, type DiallingHost } from "./dial.ts";
import { dialDenied } from "./errors.ts";
import { AcceptorHandshake } from "./handshake.ts";
import type { LinkEnd, Socket } from "./link.ts";
import { Listeners } from "./listeners.ts";
import type { StreamHandler } from "./negotiator.ts";
import type { Cut, DialAnswer, Listener, SimNetwork } from "./network.ts";

export interface SimNodeInit {
  readonly peerId: PeerId;
  /** The machine's: while it is paused, nothing arrives here. */
  readonly clock: Clock;
  /** As in libp2p's options. */
  readonly gater?: HostGater;
}

/** The PeerID that an `other_key` node proves. */
const STRANGER = "stranger" as PeerId;

/** What libp2p allows of a protocol by default. */
const DEFAULT_LIMITS: ProtocolLimits = { maxInboundStreams: 32, maxOutboundStreams: 64 };

export class SimNode implements Host, DiallingHost, Listener {
  readonly peerId: PeerId;
  readonly clock: Clock;
  readonly gater: HostGater | undefined;
  readonly #network: SimNetwork;
  answers: DialAnswer = "yes";
  lagMs = 0;
  readonly sockets = new Map<LinkEnd, Socket>();
  readonly #connections = new Set<SimConnection>();
  readonly #handlers = new Map<string, StreamHandler>();
  readonly #listeners = new Listeners<HostEvents>();
  readonly #dials = new Map<PeerId, Dial>();
  #cut: Cut = "none";
  #crashed = false;

  constructor(network: SimNetwork, { peerId, clock, gater }: SimNodeInit) {
    this.#network = network;
    this.peerId = peerId;
    this.clock = clock;
    this.gater = gater;
  }

  /** Rejects as libp2p does; see src/p2p/heartbeat/open-errors.ts. `target` ends in the PeerID that must answer. */
  async dial(target: { toString(): string }, { signal }: { readonly signal: AbortSignal }): Promise<SimConnection> {
    signal.throwIfAborted();
    const [address = "", expected = ""] = target.toString().split("/p2p/");
    const peerId = expected as PeerId;
    if (this.gater?.denyDialPeer(peerId) === true) throw dialDenied();
    const underWay = this.#dials.get(peerId);
    if (underWay !== undefined) return underWay.join(signal);
    const dial = new Dial(this.#network, this, address, peerId, () => this.#dials.delete(peerId));
    this.#dials.set(peerId, dial);
    return dial.join(signal);
  }

  async handle(protocol: string, handle: HostStreamHandler, limits: ProtocolLimits = DEFAULT_LIMITS): Promise<void> {
    this.#handlers.set(protocol, { handle, limits });
  }

  async unhandle(protocols: string[]): Promise<void> {
    for (const protocol of protocols) this.#handlers.delete(protocol);
  }

  /** The oldest first. */
  getConnections(): readonly SimConnection[] {
    return [...this.#connections];
  }

  addEventListener<Type extends keyof HostEvents>(type: Type, listener: (event: HostEvents[Type]) => void): void {
    this.#listeners.add(type, listener);
  }

  removeEventListener<Type extends keyof HostEvents>(type: Type, listener: (event: HostEvents[Type]) => void): void {
    this.#listeners.remove(type, listener);
  }

  get cut(): Cut {
    return this.#cut;
  }

  set cut(cut: Cut) {
    this.#cut = cut;
    if (cut !== "both") this.#network.healed();
  }

  /** The machine loses all state and is back at once: it says no goodbye, and answers later frames with a reset. */
  forgetConnections(): void {
    for (const [link, socket] of this.sockets) {
      link.leave();
      socket.lost();
    }
  }

  /** A router on the way forgets the open connections: both ends believe in them, nothing passes; new ones work. */
  blackholeConnections(): void {
    for (const [link] of this.sockets) link.blackhole();
  }

  /** Both ends of every connection learn that it is over: this one now, the far end when the reset arrives. */
  resetConnections(): void {
    for (const [link, socket] of this.sockets) {
      link.cut();
      socket.lost();
    }
  }

  /** The process is gone; its owner stops its clock. Its machine resets its connections and refuses dials. */
  crash(): void {
    this.#crashed = true;
    this.#connections.clear();
    for (const [link] of this.sockets) link.cut();
  }

  get crashed(): boolean {
    return this.#crashed;
  }

  /** What this node proves to be. For the network's own files, as is all below. */
  get shownPeerId(): PeerId {
    return this.answers === "other_key" ? STRANGER : this.peerId;
  }

  accept(link: LinkEnd): void {
    link.attach(new AcceptorHandshake(link, this));
  }

  handlerOf(protocol: string): StreamHandler | undefined {
    return this.#handlers.get(protocol);
  }

  connectionOpened(connection: SimConnection): void {
    if (connection.status === "open") this.#connections.add(connection);
    this.#listeners.tell("connection:open", { detail: connection });
  }

  connectionClosed(connection: SimConnection): void {
    if (this.#connections.delete(connection)) this.#listeners.tell("connection:close", { detail: connection });
  }
}
