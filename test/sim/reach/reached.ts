/** The parts of source files that runs have reached. Pure. */

/** Half-open ranges of characters of a file, in order. */
export type Spans = readonly (readonly [number, number])[];

/** The code that a run reached, by path from the root of the repository. */
export type Reach = readonly { readonly file: string; readonly spans: Spans }[];

/** As V8 reports it: each range overrides those around it. */
export interface FunctionCoverage {
  readonly ranges: readonly { readonly startOffset: number; readonly endOffset: number; readonly count: number }[];
}

/** The characters of one file that were executed, given all of its functions. */
export function executed(functions: readonly FunctionCoverage[]): Uint8Array {
  const ranges = functions.flatMap((one) => one.ranges);
  // Outer ranges first: inner ones override them.
  const sorted = ranges.sort((one, other) => one.startOffset - other.startOffset || other.endOffset - one.endOffset);
  const length = Math.max(0, ...sorted.map(({ endOffset }) => endOffset));
  const characters = new Uint8Array(length);
  for (const { startOffset, endOffset, count } of sorted) characters.fill(count > 0 ? 1 : 0, startOffset, endOffset);
  return characters;
}

/** The union of everything reached so far. */
export class Reached {
  readonly #files = new Map<string, Uint8Array>();

  /** Adds the characters, and returns those that are new. */
  add(file: string, characters: Uint8Array): Spans {
    const before = this.#files.get(file) ?? new Uint8Array(0);
    const all = before.length >= characters.length ? before : new Uint8Array(characters.length);
    if (all !== before) all.set(before);
    this.#files.set(file, all);
    const fresh: [number, number][] = [];
    for (const [index, isReached] of characters.entries()) {
      if (isReached === 0 || all[index] === 1) continue;
      all[index] = 1;
      const last = fresh.at(-1);
      if (last?.[1] === index) last[1] = index + 1;
      else fresh.push([index, index + 1]);
    }
    return fresh;
  }

  /** Adds what a run reached, and returns how many spans of it are new. */
  addAll(reach: Reach): number {
    let fresh = 0;
    for (const { file, spans } of reach) {
      const characters = new Uint8Array(spans.at(-1)?.[1] ?? 0);
      for (const [from, to] of spans) characters.fill(1, from, to);
      fresh += this.add(file, characters).length;
    }
    return fresh;
  }

  /** Undefined if the file was never loaded. */
  of(file: string): Uint8Array | undefined {
    return this.#files.get(file);
  }
}
