import { generateKeyPairFromSeed } from "@libp2p/crypto/keys";
import { peerIdFromPrivateKey } from "@libp2p/peer-id";
import { type PeerId, parsePeerId } from "../../src/base/ids.ts";

/** The PeerID of the Ed25519 key whose seed is 32 bytes of `seed`; the same in every run. */
export async function peerIdOfSeed(seed: number): Promise<PeerId> {
  const privateKey = await generateKeyPairFromSeed("Ed25519", new Uint8Array(32).fill(seed));
  const peerId = parsePeerId(peerIdFromPrivateKey(privateKey).toString());
  if (peerId === undefined) throw new Error(`seed ${seed} gives no PeerID`);
  return peerId;
}
