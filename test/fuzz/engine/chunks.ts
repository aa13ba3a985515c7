/** Cuts inputs into chunks, as a network does. */
import { Dice } from "./dice.ts";

/** The pieces of `bytes`, each in a buffer of its own. */
export function* chunksOf(bytes: Uint8Array, sizes: Iterator<number, undefined>): Generator<Uint8Array, undefined> {
  for (let at = 0; at < bytes.length; ) {
    const size = Math.max(1, sizes.next().value ?? bytes.length);
    yield new Uint8Array(bytes.subarray(at, at + size));
    at += size;
  }
}

/** Sizes that follow from the bytes, so that an input is always cut in the same way. */
export function* sizesFrom(bytes: Uint8Array, most = 300): Generator<number, undefined> {
  const dice = new Dice(bytes.length + 256 * (bytes[bytes.length >> 1] ?? 0));
  for (;;) yield dice.length(most);
}

export function* equalSizes(size: number): Generator<number, undefined> {
  for (;;) yield size;
}
