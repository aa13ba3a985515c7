/** The one fact about a failed dial that libp2p reports only as text. */

/**
 * True if `error` is a failed handshake because the far end proved another key than the one in the address.
 *
 * @chainsafe/libp2p-noise 17.0.0 throws a plain Error, and libp2p 3.3.11 (upgrader.js) keeps only its message: neither name, code nor
 * cause. test/p2p/host/unexpected-peer.test.ts uses the real libraries, and fails if an update changes the wording.
 */
export function isUnexpectedPeer(error: unknown): boolean {
  return error instanceof Error && error.name === "EncryptionFailedError" && error.message.includes(NOISE_MISMATCH);
}

const NOISE_MISMATCH = "does not match expected remote identity key";
