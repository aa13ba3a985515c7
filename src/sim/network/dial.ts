/** Establishes a connection: the TCP handshake, then noise, seen from both ends. A dial resolves after two round trips. */
import { AbortError, ConnectionClosedError, TimeoutError } from "@libp2p/interface";
import type { PeerId } from "../../base/ids.ts";
import { SimConnection } from "./connection.ts";
import { connectionIntercepted, connectionRefused, connectionReset, unexpectedPeer } from "./errors.ts";
import { CUT } from "./frames.ts";
import { DiallerHandshake, type HandshakeHost } from "./handshake.ts";
import type { LinkEnd } from "./link.ts";
import type { Listener, Machine, SimNetwork } from "./network.ts";

/** An unanswered SYN is resent after a second, with the wait doubling each time. */
const FIRST_RETRANSMISSION_MS = 1_000;
/** By then libp2p's own one-minute limit has passed. */
const MAX_RETRANSMISSIONS = 6;
/** Time to verify signatures. An abort during it is too late: the connection opens anyway. */
const UPGRADE_MS = 2;

/** The node that dials. */
export interface DiallingHost extends HandshakeHost, Machine {
  readonly peerId: PeerId;
}

/** A dial from one node to one peer, which several callers may join. */
export class Dial {
  readonly #network: SimNetwork;
  readonly #node: DiallingHost;
  readonly #address: string;
  readonly #expected: PeerId;
  readonly #waiting = new Set<PromiseWithResolvers<SimConnection>>();
  readonly #onSettled: () => void;
  #link: LinkEnd | undefined;
  /** The machine's next step. */
  #timer: Disposable | undefined;
  #settled = false;

  constructor(network: SimNetwork, node: DiallingHost, address: string, expected: PeerId, onSettled: () => void) {
    this.#network = network;
    this.#node = node;
    this.#address = address;
    this.#expected = expected;
    this.#onSettled = onSettled;
    this.#knock(0);
  }

  /** Rejects if the dial does, and with an AbortError when `signal` aborts. The dial is aborted when its last caller leaves. */
  async join(signal: AbortSignal): Promise<SimConnection> {
    const outcome = Promise.withResolvers<SimConnection>();
    this.#waiting.add(outcome);
    const onAbort = () => {
      outcome.reject(new AbortError("The dial was aborted"));
      if (this.#waiting.delete(outcome) && this.#waiting.size === 0) this.#abort();
    };
    signal.addEventListener("abort", onAbort, { once: true });
    try {
      return await outcome.promise;
    } finally {
      signal.removeEventListener("abort", onAbort);
    }
  }

  /** Sends a SYN. The operating systems handle this, even if both processes are stopped. */
  #knock(times: number): void {
    const { clock } = this.#network;
    this.#timer = clock.schedule(this.#network.delayMs(this.#node), () => {
      if (this.#node.crashed) return;
      const answer = this.#network.knock(this.#node, this.#address, this.#expected);
      if (answer === "silence") this.#timer = clock.schedule(FIRST_RETRANSMISSION_MS * 2 ** times, () => this.#knockAgain(times));
      else if (answer === "refused") this.#failIn(this.#network.delayMs(this.#node), connectionRefused(this.#address));
      else this.#accepted(answer);
    });
  }

  #knockAgain(times: number): void {
    if (times < MAX_RETRANSMISSIONS) this.#knock(times + 1);
    else this.#failIn(0, new TimeoutError("The dial timed out"));
  }

  #accepted(listener: Listener): void {
    const [near, far] = this.#network.connect(this.#node, listener);
    this.#link = near;
    const onIdentity = (peerId: PeerId) => this.#meet(near, handshake, peerId);
    const handshake: DiallerHandshake = new DiallerHandshake(near, onIdentity, () => this.#fail(connectionReset()));
    near.attach(handshake);
    listener.accept(far);
    far.send({ kind: "tcp_accepted" });
  }

  #meet(link: LinkEnd, handshake: DiallerHandshake, peerId: PeerId): void {
    if (peerId !== this.#expected) this.#refuse(link, unexpectedPeer(peerId, this.#expected));
    else if (this.#node.gater?.denyOutboundEncryptedConnection(peerId) === true) this.#refuse(link, connectionIntercepted());
    else {
      link.send({ kind: "dialler", peerId: this.#node.peerId });
      // From here on it is too late to abort.
      this.#link = undefined;
      this.#node.clock.schedule(UPGRADE_MS, () => this.#upgraded(link, handshake, peerId));
    }
  }

  #upgraded(link: LinkEnd, handshake: DiallerHandshake, peerId: PeerId): void {
    if (link.isLeft) return;
    const connection = new SimConnection(link, this.#node, peerId, "outbound");
    // As in libp2p, a connection that died during its upgrade is still announced as opened, and never as closed.
    const isDead = handshake.early.some(({ kind }) => kind === "cut");
    if (isDead) connection.received(CUT);
    this.#node.connectionOpened(connection);
    if (!isDead) for (const frame of handshake.early) connection.received(frame);
    if (connection.status === "open") this.#settle((waiting) => waiting.resolve(connection));
    else this.#fail(new ConnectionClosedError("Remote closed connection during opening"));
  }

  #refuse(link: LinkEnd, error: Error): void {
    link.cut();
    this.#fail(error);
  }

  #fail(error: Error): void {
    this.#settle((waiting) => waiting.reject(error));
  }

  #settle(tell: (waiting: PromiseWithResolvers<SimConnection>) => void): void {
    if (this.#settled) return;
    this.#settled = true;
    for (const waiting of this.#waiting) tell(waiting);
    this.#onSettled();
  }

  /** libp2p notices a moment later; callers that join in between are aborted too. */
  #abort(): void {
    this.#timer?.[Symbol.dispose]();
    this.#link?.cut();
    this.#failIn(0, new AbortError("The dial was aborted"));
  }

  /** Fails on the process's own clock, so a paused process learns of it late. */
  #failIn(delayMs: number, error: Error): void {
    this.#node.clock.schedule(delayMs, () => this.#fail(error));
  }
}
