/** A libp2p host of the simulated network, on a machine of its own, with that machine's faults. */
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
  /** The machine's clock: while it is paused, nothing arrives here. */
  readonly clock: Clock;
  /** As libp2p's `connectionGater` option. */
  readonly gater?: HostGater;
}

/** The PeerID that an `other_key` node proves. */
const STRANGER = "stranger" as PeerId;

/** libp2p's default limits per protocol. */
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

  /** Rejects as libp2p does; see src/p2p/heartbeat/open-errors.ts. `target` ends in the expected PeerID. */
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

  /** Oldest first. */
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

  /** The machine loses all connection state, as in an instant reboot: it sends no goodbye and answers later frames with a reset. */
  forgetConnections(): void {
    for (const [link, socket] of this.sockets) {
      link.leave();
      socket.lost();
    }
  }

  /** Makes all connections half-open: both ends believe that they are open, but nothing gets through. New ones work. */
  blackholeConnections(): void {
    for (const [link] of this.sockets) link.blackhole();
  }

  /** Resets every connection: this end notices now, the far end when the reset arrives. */
  resetConnections(): void {
    for (const [link, socket] of this.sockets) {
      link.cut();
      socket.lost();
    }
  }

  /** Ends the process (the caller stops its clock). The machine resets its connections and refuses dials. */
  crash(): void {
    this.#crashed = true;
    this.#connections.clear();
    for (const [link] of this.sockets) link.cut();
  }

  get crashed(): boolean {
    return this.#crashed;
  }

  /** The PeerID that this node proves. This and everything below is for the network's own files. */
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
