/** Shows that @libp2p/crypto cannot read an ECDSA public key as go-libp2p writes it. Run: node docs/upstream/ecdsa-public-keys.ts */
import { generateKeyPairSync } from "node:crypto";
import { generateKeyPair, publicKeyFromProtobuf } from "@libp2p/crypto/keys";
import { peerIdFromPublicKey } from "@libp2p/peer-id";

const ECDSA = 3;
/** go-libp2p, core/crypto/ecdsa.go: `x509.MarshalPKIXPublicKey`, a SubjectPublicKeyInfo in DER. */
const pkix = generateKeyPairSync("ec", { namedCurve: "P-256" }).publicKey.export({ type: "spki", format: "der" });
attempt("a Go key", () => publicKeyFromProtobuf(Uint8Array.from([0x08, ECDSA, 0x12, pkix.length, ...pkix])));

const own = await generateKeyPair("ECDSA", "P-256");
attempt("the PeerID of a js key", () => peerIdFromPublicKey(own.publicKey));

function attempt(what: string, act: () => unknown): void {
  try {
    process.stdout.write(`${what}: ${String(act())}\n`);
  } catch (error) {
    process.stdout.write(`${what}: ${String(error)}\n`);
  }
}
