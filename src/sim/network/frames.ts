/** Frames exchanged by two machines of the simulated network. */
import type { PeerId } from "../../base/ids.ts";

/** Handshake frames in order: TCP, then noise, whose last message identifies the dialler. */
type HandshakeFrame =
  | { readonly kind: "tcp_accepted" }
  | { readonly kind: "hello" }
  | { readonly kind: "identity"; readonly peerId: PeerId }
  | { readonly kind: "dialler"; readonly peerId: PeerId };

/** `open` asks for a protocol; the far end answers `accept` or `unsupported`. */
export type StreamFrame =
  | { readonly kind: "open"; readonly streamId: number; readonly protocol: string }
  | { readonly kind: "accept"; readonly streamId: number }
  | { readonly kind: "unsupported"; readonly streamId: number }
  | { readonly kind: "data"; readonly streamId: number; readonly bytes: Uint8Array }
  | { readonly kind: "fin"; readonly streamId: number }
  | { readonly kind: "reset"; readonly streamId: number };

/** `goodbye` is answered by `farewell`. `cut` is a TCP RST: the sender has no such connection. */
type ConnectionFrame =
  | { readonly kind: "ping" }
  | { readonly kind: "pong" }
  | { readonly kind: "goodbye" }
  | { readonly kind: "farewell" }
  | { readonly kind: "cut" };

export type Frame = HandshakeFrame | StreamFrame | ConnectionFrame;

export const CUT: Frame = { kind: "cut" };
