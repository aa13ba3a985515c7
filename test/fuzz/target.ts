/** Targets of fuzzing: code that takes bytes from outside, and its promises. */
import type fc from "fast-check";
import { isFault, PartnerdError } from "../../src/base/errors.ts";

export interface Target {
  /** Also the folder of its seeds. */
  readonly name: string;
  /** The code that it runs, for the page and the table. */
  readonly what: string;
  /** True if seeds hold JSON, so that mutations may follow its structure. */
  readonly isJson?: boolean;
  /** Structured inputs, where mutations alone would rarely get past the first check. */
  readonly arbitrary?: fc.Arbitrary<Uint8Array>;
  /** Returns if the code did what it promises; throws otherwise. */
  run(input: Uint8Array): void | Promise<void>;
}

/** A promise that was not kept. */
export class Broken extends Error {
  override readonly name = "Broken";
}

/** Throws Broken unless `holds`. */
export function promise(holds: boolean, what: string, facts?: unknown): asserts holds {
  if (!holds) throw new Broken(facts === undefined ? what : `${what}: ${JSON.stringify(facts).slice(0, 500)}`);
}

/** Throws Broken unless both are the same in JSON. */
export function promiseSame(one: unknown, other: unknown, what: string): void {
  const [first, second] = [JSON.stringify(one), JSON.stringify(other)];
  if (first !== second) throw new Broken(`${what}: ${first?.slice(0, 300)} and ${second?.slice(0, 300)}`);
}

export type Outcome<Value> = { readonly value: Value } | { readonly error: PartnerdError };

/** The result of `work`, or its documented error. Rethrows any other error, internal ones included. */
export function outcomeOf<Value>(work: () => Value): Outcome<Value> {
  try {
    return { value: work() };
  } catch (thrown) {
    return { error: documented(thrown) };
  }
}

/** `thrown` if it is an error with a code of its own; throws it otherwise. */
export function documented(thrown: unknown): PartnerdError {
  if (thrown instanceof PartnerdError && !isFault(thrown)) return thrown;
  throw thrown;
}
