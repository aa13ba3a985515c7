/** Reduces an input to fewer bytes that still fail. */

/**
 * Removes ever smaller parts of `input` for as long as `fails` says that the rest still fails. Calls it at most `maxTries` times.
 */
export async function reduce(
  input: Uint8Array,
  fails: (smaller: Uint8Array) => Promise<boolean>,
  maxTries: number,
): Promise<Uint8Array> {
  let smallest = input;
  let tries = 0;
  for (let part = Math.ceil(smallest.length / 2); part >= 1; ) {
    let hasShrunk = false;
    for (let at = 0; at < smallest.length && tries < maxTries; ) {
      const smaller = Buffer.concat([smallest.subarray(0, at), smallest.subarray(at + part)]);
      tries += 1;
      if (await fails(smaller)) {
        smallest = smaller;
        hasShrunk = true;
      } else at += part;
    }
    if (tries >= maxTries || (part === 1 && !hasShrunk)) break;
    if (!hasShrunk || part > smallest.length) part = Math.max(1, Math.floor(Math.min(part, smallest.length) / 2));
  }
  return new Uint8Array(smallest);
}
