/** The identity key that a far end sends in its noise handshake. */
import { publicKeyFromProtobuf } from "@libp2p/crypto/keys";
import { peerIdFromPublicKey } from "@libp2p/peer-id";
import { PartnerdError } from "../../base/errors.ts";
import type { PeerId } from "../../base/ids.ts";

/** libp2p's KeyType. */
const ECDSA = 3;
const IDENTITY_KEY_FIELD = 0x0a;
const KEY_TYPE_FIELD = 0x08;

/**
 * True if `payload`, a NoiseHandshakePayload, contains an ECDSA key. @libp2p/crypto 5.1.23 cannot read those of Go
 * (docs/upstream/ecdsa-public-keys.md).
 */
export function hasEcdsaKey(payload: Uint8Array): boolean {
  // An ECDSA key has 91 to 158 bytes, so its length may take two.
  const keyAt = (payload[1] ?? 0) < 0x80 ? 2 : 3;
  return payload[0] === IDENTITY_KEY_FIELD && payload[keyAt] === KEY_TYPE_FIELD && payload[keyAt + 1] === ECDSA;
}

/** The PeerID of the key in `payload`, a NoiseHandshakePayload; undefined if it has none that can be read. */
export function claimedPeerId(payload: Uint8Array): PeerId | undefined {
  const [field = 0, low = 0, high = 0] = payload;
  const [length, keyAt] = low < 0x80 ? [low, 2] : [(high << 7) | (low & 0x7f), 3];
  const key = payload.subarray(keyAt, keyAt + length);
  if (field !== IDENTITY_KEY_FIELD || key[0] !== KEY_TYPE_FIELD || key.length < length) return undefined;
  try {
    return peerIdFromPublicKey(publicKeyFromProtobuf(key)).toString() as PeerId;
  } catch {
    return undefined;
  }
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
