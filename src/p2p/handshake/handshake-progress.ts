/** How far a handshake has come. */
import type { PeerId } from "../../base/ids.ts";
import type { Beginning } from "./first-bytes.ts";

/**
 * `connected`: TCP is connected. `first_bytes`: bytes have arrived, as sent (`raw`) or after the pre-shared key (`decrypted`).
 * `encrypting`: both ends agreed on noise. `identity`: the PeerID that the far end claims, before its proof is verified. `encrypted`:
 * it has proved to be the peer that was dialled.
 */
export type HandshakeProgress =
  | { readonly stage: "connected" | "encrypting" | "encrypted" }
  | { readonly stage: "first_bytes"; readonly level: "raw" | "decrypted"; readonly beginning: Beginning }
  | { readonly stage: "identity"; readonly peerId: PeerId };
