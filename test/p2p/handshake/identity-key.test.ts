import { generateKeyPair, publicKeyToProtobuf } from "@libp2p/crypto/keys";
import { peerIdFromPrivateKey } from "@libp2p/peer-id";
import { expect, test } from "vitest";
import { claimedPeerId, hasEcdsaKey } from "../../../src/p2p/handshake/identity-key.ts";

const field = (number: number, value: Uint8Array) => Buffer.concat([Uint8Array.of((number << 3) | 2, value.length), value]);
const SIGNATURE = field(2, Buffer.alloc(64, 1));

test("the identity key is read wherever it is in the payload", async () => {
  const key = await generateKeyPair("Ed25519");
  const identity = field(1, publicKeyToProtobuf(key.publicKey));
  for (const payload of [Buffer.concat([identity, SIGNATURE]), Buffer.concat([SIGNATURE, identity])]) {
    expect(claimedPeerId(payload)).toBe(peerIdFromPrivateKey(key).toString());
    expect(hasEcdsaKey(payload)).toBe(false);
  }
  const ecdsa = field(1, Buffer.concat([Uint8Array.of(0x08, 3), field(2, Buffer.alloc(91, 4))]));
  for (const payload of [Buffer.concat([ecdsa, SIGNATURE]), Buffer.concat([SIGNATURE, ecdsa])]) {
    expect(hasEcdsaKey(payload)).toBe(true);
    expect(claimedPeerId(payload)).toBeUndefined();
  }
});

test("a payload without a key, or cut off, has none", () => {
  for (const payload of [SIGNATURE, SIGNATURE.subarray(0, 9), Uint8Array.of(0x0a, 200), new Uint8Array()]) {
    expect(claimedPeerId(payload)).toBeUndefined();
    expect(hasEcdsaKey(payload)).toBe(false);
  }
});
