/** The identity key that a far end sends in its noise handshake. */
import { publicKeyFromProtobuf } from "@libp2p/crypto/keys";
import { peerIdFromPublicKey } from "@libp2p/peer-id";
import { PartnerdError } from "../../base/errors.ts";
import type { PeerId } from "../../base/ids.ts";
import { ProtobufReader } from "../wire/protobuf.ts";

/** Field numbers of NoiseHandshakePayload and PublicKey. */
const IDENTITY_KEY = 1;
const KEY_TYPE = 1;
/** libp2p's KeyType. */
const ECDSA = 3;

/**
 * True if `payload`, a NoiseHandshakePayload, contains an ECDSA key. @libp2p/crypto 5.1.23 cannot read those of Go
 * (docs/upstream/ecdsa-public-keys.md).
 */
export function hasEcdsaKey(payload: Uint8Array): boolean {
  const key = fieldOf(payload, IDENTITY_KEY);
  return key instanceof Uint8Array && fieldOf(key, KEY_TYPE) === ECDSA;
}

/** The PeerID of the key in `payload`, a NoiseHandshakePayload; undefined if it has none that can be read. */
export function claimedPeerId(payload: Uint8Array): PeerId | undefined {
  const key = fieldOf(payload, IDENTITY_KEY);
  if (!(key instanceof Uint8Array)) return undefined;
  try {
    return peerIdFromPublicKey(publicKeyFromProtobuf(key)).toString() as PeerId;
  } catch {
    return undefined;
  }
}

/** The last value of the field, which is the one that counts in protobuf; undefined if there is none, or the message is malformed. */
function fieldOf(message: Uint8Array, wanted: number): Uint8Array | number | undefined {
  const reader = new ProtobufReader(message, (detail) => new RangeError(detail));
  let found: Uint8Array | number | undefined;
  try {
    while (!reader.isAtEnd) {
      const { field, value } = reader.field();
      if (field === wanted) found = value;
    }
  } catch {
    return undefined;
  }
  return found;
}

interface NoiseCrypto {
  decrypt(...args: unknown[]): { subarray(): Uint8Array };
}

/**
 * Calls `start`, which begins a handshake, and returns its result. `onPlaintext` gets whatever that handshake decrypts, until
 * `isOver`. @chainsafe/libp2p-noise has no hook for it, but reads its `crypto` once per handshake. Throws `internal_error` if an
 * update has changed that.
 */
export function watchDecryption<Result>(
  noise: object,
  isOver: () => boolean,
  onPlaintext: (plaintext: Uint8Array) => void,
  start: () => Result,
): Result {
  if (!hasCrypto(noise)) throw new PartnerdError("internal_error", "this version of libp2p-noise has no crypto to watch");
  const { crypto } = noise;
  const decrypt = (...args: unknown[]) => {
    const plaintext = crypto.decrypt(...args);
    if (!isOver()) onPlaintext(plaintext.subarray());
    return plaintext;
  };
  noise.crypto = { ...crypto, decrypt };
  try {
    return start();
  } finally {
    noise.crypto = crypto;
  }
}

function hasCrypto(noise: object): noise is { crypto: NoiseCrypto } {
  return "crypto" in noise && typeof (noise.crypto as Partial<NoiseCrypto> | undefined)?.decrypt === "function";
}
