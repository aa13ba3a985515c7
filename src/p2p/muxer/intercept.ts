/** The bytes of a connection before libp2p acts on them, for which it has no hook. */
import type { StreamMessageEvent } from "@libp2p/interface";
import { PartnerdError } from "../../base/errors.ts";

export type Bytes = StreamMessageEvent["data"];

/**
 * Replaces `target.onData`, which libp2p's connections and muxers call with all bytes that arrive: `around` gets them, and passes on
 * what it wants. @libp2p/utils 7 declares the method public in its abstract classes, not in the interfaces. Throws `internal_error`
 * if an update has removed it.
 */
export function interceptBytes(target: object, around: (bytes: Bytes, pass: (bytes: Bytes) => void) => void): void {
  if (!receivesBytes(target))
    throw new PartnerdError("internal_error", "this version of libp2p has no onData, so its memory cannot be bounded");
  const pass = target.onData.bind(target);
  target.onData = (bytes) => around(bytes, pass);
}

function receivesBytes(target: object): target is { onData(bytes: Bytes): void } {
  return "onData" in target && typeof target.onData === "function";
}

/** Bytes that arrived at `target` before it was intercepted, and were not read yet. Throws `internal_error` as above. */
export function bufferedBytes(target: object): Bytes {
  if ("readBuffer" in target) return target.readBuffer as Bytes;
  throw new PartnerdError("internal_error", "this version of libp2p has no readBuffer, so first bytes may be missed");
}

/** The pieces of `bytes`, without copying them. */
export function piecesOf(bytes: Bytes): Iterable<Uint8Array> {
  return bytes instanceof Uint8Array ? [bytes] : bytes;
}
