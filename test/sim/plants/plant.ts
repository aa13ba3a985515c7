/** A bug that can be planted: production code has no switches for bugs, so one is a change of its source as it is loaded. */

export interface Plant {
  readonly name: string;
  /** What is wrong, and what of it a user would suffer. */
  readonly what: string;
  /** The one file that is changed, from the root of the repository. */
  readonly file: string;
  /** Occurs exactly once in that file. */
  readonly find: string;
  readonly replace: string;
}

/** `source` with the bug in it. Throws where the snippet is not there exactly once: the plant has to follow the code. */
export function patched(source: string, { name, file, find, replace }: Plant): string {
  const occurrences = source.split(find).length - 1;
  if (find === "" || occurrences !== 1) {
    throw new Error(
      `the planted bug ${name} does not fit ${file} any more: its snippet occurs ${occurrences} times, not once\n${find}`,
    );
  }
  return source.replace(find, () => replace);
}
