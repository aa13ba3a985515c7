/** A bug to plant by patching source code as it is loaded, so that production code needs no switches for bugs. */

export interface Plant {
  readonly name: string;
  /** The fault and its effect on users, in one sentence. */
  readonly what: string;
  /** The file to patch, relative to the root of the repository. */
  readonly file: string;
  /** Must occur exactly once in that file. */
  readonly find: string;
  readonly replace: string;
}

/** `source` with the bug planted. Throws unless the snippet occurs exactly once: plants must be updated with the code. */
export function patched(source: string, { name, file, find, replace }: Plant): string {
  const occurrences = source.split(find).length - 1;
  if (find === "" || occurrences !== 1) {
    throw new Error(`the planted bug ${name} does not fit ${file}: its snippet occurs ${occurrences} times, not once\n${find}`);
  }
  return source.replace(find, () => replace);
}
