/** Follows the lines that the processes write, and settles what they mean. Pure. */

import type { ResultLine } from "../runner/messages.ts";
import type { Outcome } from "./results.ts";

type Caught = Extract<Outcome, { kind: "caught" }>;

/** After this many failed controls, a test file says nothing about a mutant. */
const MOST_ATTEMPTS = 2;

export class Ledger {
  readonly caught = new Map<number, Caught>();
  readonly #done = new Set<string>();
  readonly #attempts = new Map<string, number>();
  readonly #tentative = new Map<string, Map<number, Caught>>();
  readonly #started = new Map<string, number>();
  /** Test files whose control failed: what a mutant left behind in modules may be the cause. */
  readonly #spoiled = new Set<string>();

  /** If the test file has still to run for the mutant. */
  isOpen(testFile: string, id: number): boolean {
    return !this.caught.has(id) && !this.#done.has(pair(testFile, id));
  }

  /** Whether the test file may run for several mutants without loading the program again. */
  keepsModules(testFile: string): boolean {
    return !this.#spoiled.has(testFile);
  }

  /** The mutants that this line settles. */
  take(line: ResultLine): readonly number[] {
    const { testFile } = line;
    switch (line.kind) {
      case "started":
        this.#started.set(testFile, line.id);
        return [];
      case "survived":
        this.#started.delete(testFile);
        this.#done.add(pair(testFile, line.id));
        return [];
      case "caught":
        this.#started.delete(testFile);
        this.#tentativeOf(testFile).set(line.id, { kind: "caught", testFile, test: line.test, how: line.how });
        // Its control can only run in the process that it spoiled, so a second hang is proof enough.
        return line.how === "hung" && this.#attempt(testFile, line.id) >= MOST_ATTEMPTS ? this.#settle(testFile, [line.id]) : [];
      case "control":
        return line.passed ? this.#settle(testFile, [...this.#tentativeOf(testFile).keys()]) : this.#drop(testFile);
      case "finished":
        return this.#tentativeOf(testFile).size === 0 ? [] : this.#settle(testFile, [...this.#tentativeOf(testFile).keys()]);
    }
  }

  /** The processes have ended. A mutant that twice ended its process is caught. */
  ended(): readonly number[] {
    const settled = [...this.#started].flatMap(([testFile, id]) => {
      if (this.#attempt(testFile, id) < MOST_ATTEMPTS) return [];
      this.#tentativeOf(testFile).set(id, { kind: "caught", testFile, test: "ends the process", how: "crashed" });
      return this.#settle(testFile, [id]);
    });
    this.#started.clear();
    this.#tentative.clear();
    return settled;
  }

  #settle(testFile: string, ids: readonly number[]): readonly number[] {
    const tentative = this.#tentativeOf(testFile);
    for (const id of ids) {
      const caught = tentative.get(id);
      if (caught !== undefined && !this.caught.has(id)) this.caught.set(id, caught);
      tentative.delete(id);
    }
    return ids;
  }

  #drop(testFile: string): readonly number[] {
    const tentative = this.#tentativeOf(testFile);
    this.#spoiled.add(testFile);
    for (const [id, { how }] of tentative)
      if (how !== "hung" && this.#attempt(testFile, id) >= MOST_ATTEMPTS) this.#done.add(pair(testFile, id));
    tentative.clear();
    return [];
  }

  #attempt(testFile: string, id: number): number {
    const attempts = (this.#attempts.get(pair(testFile, id)) ?? 0) + 1;
    this.#attempts.set(pair(testFile, id), attempts);
    return attempts;
  }

  #tentativeOf(testFile: string): Map<number, Caught> {
    const known = this.#tentative.get(testFile) ?? new Map<number, Caught>();
    this.#tentative.set(testFile, known);
    return known;
  }
}

const pair = (testFile: string, id: number): string => `${id} ${testFile}`;
