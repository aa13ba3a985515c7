/**
 * Why handshakes fail, for reasons that libp2p does not tell: another protocol, another pre-shared key, an identity key that it cannot
 * read, and another peer than the one that was dialled.
 */
import type { ConnectionEncrypter, ConnectionProtector, MessageStream, MultiaddrConnection } from "@libp2p/interface";
import { PartnerdError } from "../../base/errors.ts";
import type { PeerId } from "../../base/ids.ts";
import { RecentMap } from "../../base/recent-map.ts";
import { cutBy, cutError } from "../budgets/cuts.ts";
import { type Bytes, bufferedBytes, interceptBytes } from "../muxer/intercept.ts";
import { MAX_REMEMBERED_PEERS } from "../wire/constants.ts";
import { type Beginning, FirstBytes } from "./first-bytes.ts";
import type { HandshakeProgress } from "./handshake-progress.ts";
import { claimedPeerId, hasEcdsaKey, watchDecryption } from "./identity-key.ts";

export interface HandshakeWatchInit {
  /** True if this host has a pre-shared key. */
  readonly isPrivate: boolean;
  /** An inbound handshake failed. `address` is an IP address. */
  readonly onInboundFailure: (error: PartnerdError, address: string) => void;
  /** Called as handshakes proceed, of any connection. */
  readonly onProgress?: ((progress: HandshakeProgress) => void) | undefined;
}

interface Failure {
  readonly error: PartnerdError;
  /** False for a program that speaks another protocol: it is not a peer, so an inbound failure is not worth a report. */
  readonly isPeer: boolean;
}

interface Handshake {
  readonly connection: MultiaddrConnection;
  /** Of an outbound connection: the peer that was dialled. */
  readonly peerId: PeerId | undefined;
  readonly firstBytes: FirstBytes;
  /** Noise has begun or a reason has been found, so that a close tells nothing. */
  isDecided: boolean;
}

export class HandshakeWatch {
  readonly #init: HandshakeWatchInit;
  /** By each layer of a connection's bytes before encryption. */
  readonly #handshakes = new WeakMap<MessageStream, Handshake>();
  readonly #failures = new RecentMap<PeerId, PartnerdError>(MAX_REMEMBERED_PEERS);

  constructor(init: HandshakeWatchInit) {
    this.#init = init;
  }

  /** Why the last dial to this peer failed, if it is one of these reasons; forgets it. */
  takeFailure(peerId: PeerId): PartnerdError | undefined {
    const failure = this.#failures.get(peerId);
    this.#failures.delete(peerId);
    return failure;
  }

  /** Call it before any byte of the connection is read. */
  connected(connection: MultiaddrConnection): void {
    const { isPrivate } = this.#init;
    const peerId = connection.remoteAddr.getComponents().findLast(({ name }) => name === "p2p")?.value as PeerId | undefined;
    const handshake: Handshake = {
      connection,
      peerId: connection.direction === "outbound" ? peerId : undefined,
      firstBytes: new FirstBytes(),
      isDecided: false,
    };
    this.#handshakes.set(connection, handshake);
    this.#init.onProgress?.({ stage: "connected" });
    // A js host that understands nothing closes without a word.
    connection.addEventListener("close", ({ local, error }) => {
      const cut = cutBy(error);
      if (cut !== undefined && handshake.peerId !== undefined) this.#failures.set(handshake.peerId, cutError(cut));
      // The transport reports a reset by the far end as an error of the system.
      const byFarEnd = error === undefined ? local !== true : "errno" in error;
      if (!isPrivate || peerId === undefined || handshake.isDecided) return;
      const { beginning } = handshake.firstBytes;
      if (beginning === "foreign") this.#failed(handshake, notLibp2p());
      // A host with a pre-shared key sends its whole nonce at once.
      else if (byFarEnd && beginning !== "other")
        this.#failed(handshake, pskMismatch("it closed the connection before the handshake"));
    });
    this.#checkFirstBytes(handshake, connection, handshake.firstBytes, "raw", (beginning) => {
      // A nonce may look like anything, so with a pre-shared key only the decrypted bytes decide.
      if (!isPrivate && beginning === "foreign") return notLibp2p();
      if (isPrivate && beginning === "multistream") return pskMismatch("it uses none, this host does");
      if (!isPrivate && beginning === "nonce") return pskMismatch("it seems to use one, this host does not");
      return undefined;
    });
  }

  /** Patches the protector so that the first bytes that it decrypts are checked, and returns it. */
  watchProtector<Watched extends ConnectionProtector>(protector: Watched): Watched {
    const protect = protector.protect.bind(protector);
    protector.protect = async (connection, options) => {
      const stream = await protect(connection, options);
      const handshake = this.#handshakes.get(connection);
      if (handshake === undefined) return stream;
      this.#handshakes.set(stream, handshake);
      this.#checkFirstBytes(handshake, stream, new FirstBytes(), "decrypted", (beginning) => {
        if (beginning === "incomplete" || beginning === "multistream") return undefined;
        if (handshake.firstBytes.beginning === "foreign") return notLibp2p();
        return pskMismatch("it seems to use another one than this host");
      });
      return stream;
    };
    return protector;
  }

  /** Patches the encrypter so that the far end's identity key is checked, and returns it. */
  watchEncrypter<Watched extends ConnectionEncrypter>(encrypter: Watched): Watched {
    const secureInbound = encrypter.secureInbound.bind(encrypter);
    const secureOutbound = encrypter.secureOutbound.bind(encrypter);
    encrypter.secureInbound = (stream, options) => this.#secure(encrypter, stream, () => secureInbound(stream, options));
    encrypter.secureOutbound = (stream, options) => this.#secure(encrypter, stream, () => secureOutbound(stream, options));
    return encrypter;
  }

  async #secure<Secured extends { readonly remotePeer: { toString(): string } }>(
    encrypter: object,
    stream: MessageStream,
    start: () => Promise<Secured>,
  ): Promise<Secured> {
    const handshake = this.#handshakes.get(stream);
    if (handshake !== undefined) handshake.isDecided = true;
    const { onProgress } = this.#init;
    onProgress?.({ stage: "encrypting" });
    let isOver = false;
    let hasUnreadableKey = false;
    const seen = (plaintext: Uint8Array) => {
      hasUnreadableKey ||= hasEcdsaKey(plaintext);
      const peerId = onProgress && claimedPeerId(plaintext);
      if (peerId !== undefined) onProgress?.({ stage: "identity", peerId });
    };
    try {
      const secured = await watchDecryption(encrypter, () => isOver, seen, start);
      // Noise compares keys, and the PeerID of an RSA or ECDSA key does not contain its key. Compare at once: the far end may close
      // the connection next, or be denied here.
      if (handshake?.peerId !== undefined && secured.remotePeer.toString() !== handshake.peerId)
        throw this.#failed(handshake, otherPeer());
      onProgress?.({ stage: "encrypted" });
      return secured;
    } catch (thrown) {
      if (!hasUnreadableKey || handshake === undefined) throw thrown;
      throw this.#failed(handshake, identityUnsupported(thrown));
    } finally {
      isOver = true;
    }
  }

  #checkFirstBytes(
    handshake: Handshake,
    layer: MessageStream,
    first: FirstBytes,
    level: "raw" | "decrypted",
    failureOf: (beginning: Beginning) => Failure | undefined,
  ): void {
    let isKnown = false;
    const isAborted = (bytes: Bytes): boolean => {
      if (isKnown) return false;
      first.add(bytes);
      const { beginning } = first;
      if (bytes.byteLength > 0) this.#init.onProgress?.({ stage: "first_bytes", level, beginning });
      isKnown = beginning !== "incomplete" && beginning !== "other";
      const failure = failureOf(beginning);
      if (failure === undefined) return false;
      handshake.connection.abort(this.#failed(handshake, failure));
      return true;
    };
    if (isAborted(bufferedBytes(layer))) return;
    interceptBytes(layer, (bytes, pass) => {
      if (!isAborted(bytes)) pass(bytes);
    });
  }

  #failed(handshake: Handshake, { error, isPeer }: Failure): PartnerdError {
    const { connection, peerId } = handshake;
    handshake.isDecided = true;
    if (peerId !== undefined) this.#failures.set(peerId, error);
    if (connection.direction === "inbound" && isPeer)
      this.#init.onInboundFailure(error, connection.remoteAddr.getComponents()[0]?.value ?? "unknown");
    return error;
  }
}

function otherPeer(): Failure {
  const error = new PartnerdError("identity_mismatch", "cannot connect: the far end has another PeerID");
  return { error, isPeer: true };
}

function notLibp2p(): Failure {
  const error = new PartnerdError("dial_failed", "cannot connect: the port answers in another protocol than libp2p", {
    nextStep: "check host and port of the address",
  });
  return { error, isPeer: false };
}

function pskMismatch(detail: string): Failure {
  const error = new PartnerdError("psk_mismatch", `the far end's pre-shared key does not seem to be ours: ${detail}`, {
    nextStep: "use the same swarm.key at both ends: p2p.pskFile; or check host and port, if it may not be libp2p",
  });
  return { error, isPeer: true };
}

function identityUnsupported(cause: unknown): Failure {
  const error = new PartnerdError("identity_unsupported", "the far end's identity is an ECDSA key, which js-libp2p cannot read", {
    nextStep: "give it an Ed25519, secp256k1 or RSA identity, and publish its new PeerID",
    cause,
  });
  return { error, isPeer: true };
}
