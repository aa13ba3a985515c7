/** Both ends of a connection's handshake: the TCP reply, then noise, which tells each end the other's PeerID. */
import type { PeerId } from "../../base/ids.ts";
import type { HostGater } from "../../p2p/host/host.ts";
import { type ConnectionHost, SimConnection } from "./connection.ts";
import type { Frame } from "./frames.ts";
import type { LinkEnd, Socket } from "./link.ts";
import type { DialAnswer } from "./network.ts";

/** The interface of a node to its handshakes. */
export interface HandshakeHost extends ConnectionHost {
  /** The PeerID that this node proves to the far end. */
  readonly shownPeerId: PeerId;
  readonly answers: DialAnswer;
  readonly gater: HostGater | undefined;
  connectionOpened(connection: SimConnection): void;
}

/** The dialler's socket until the far end's PeerID is known and a connection takes over. */
export class DiallerHandshake implements Socket {
  readonly #link: LinkEnd;
  readonly #onIdentity: (peerId: PeerId) => void;
  readonly #onLost: () => void;
  /** Frames that arrived before the connection took over. */
  readonly early: Frame[] = [];
  #met = false;

  constructor(link: LinkEnd, onIdentity: (peerId: PeerId) => void, onLost: () => void) {
    this.#link = link;
    this.#onIdentity = onIdentity;
    this.#onLost = onLost;
  }

  received(frame: Frame): void {
    if (this.#met) this.early.push(frame);
    else if (frame.kind === "tcp_accepted") this.#link.send({ kind: "hello" });
    else if (frame.kind === "identity") {
      this.#met = true;
      this.#onIdentity(frame.peerId);
    } else if (frame.kind === "cut") {
      this.#link.leave();
      this.#onLost();
    }
  }

  drained(): void {}

  lost(): void {
    this.#onLost();
  }
}

/** The acceptor's socket until the dialler's PeerID is known. */
export class AcceptorHandshake implements Socket {
  readonly #link: LinkEnd;
  readonly #host: HandshakeHost;

  constructor(link: LinkEnd, host: HandshakeHost) {
    this.#link = link;
    this.#host = host;
  }

  received(frame: Frame): void {
    if (frame.kind === "hello") this.#link.send({ kind: "identity", peerId: this.#host.shownPeerId });
    else if (frame.kind === "dialler") this.#met(frame.peerId);
    else if (frame.kind === "cut") this.#link.leave();
  }

  drained(): void {}

  lost(): void {}

  #met(dialler: PeerId): void {
    const { answers, gater } = this.#host;
    const denied = answers === "denied" || gater?.denyInboundEncryptedConnection(dialler) === true;
    if (denied) this.#link.cut();
    else this.#host.connectionOpened(new SimConnection(this.#link, this.#host, dialler, "inbound"));
  }
}
