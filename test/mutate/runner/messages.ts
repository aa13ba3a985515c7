/** The files through which the command and the processes of the tests talk. */
import { createHash } from "node:crypto";

/** Of the vitest of the mutants: its directory, its test files in order, and how many run at a time. */
export const DIRECTORY_VARIABLE = "MUTATION_DIRECTORY";
export const FILES_VARIABLE = "MUTATION_FILES";
export const LANES_VARIABLE = "MUTATION_LANES";

/** Written per test file after a run without an active mutant. */
export interface FileRecord {
  readonly testFile: string;
  /** Why no test of the file can catch anything: it fails without a mutant. */
  readonly problem: string | null;
  /** Reached while the file was loaded, or between tests: by each of its tests. */
  readonly shared: readonly number[];
  readonly tests: readonly TestRecord[];
}

export interface TestRecord {
  /** Vitest's, which is the same in every run. */
  readonly id: string;
  readonly name: string;
  readonly ms: number;
  readonly passed: boolean;
  readonly reached: readonly number[];
}

/** The work of one test file: mutants, each with the tests to run. */
export interface FilePlan {
  readonly testFile: string;
  /** Whether to load the program once for several mutants, if none of them is reached while it is loaded. */
  readonly keepsModules: boolean;
  readonly mutants: readonly PlannedMutant[];
}

export interface PlannedMutant {
  readonly id: number;
  /** Reached while the file was loaded, so it is loaded again for this mutant. */
  readonly isShared: boolean;
  /** Ids of tests. */
  readonly tests: readonly string[];
  /** A test that takes longer has caught the mutant. */
  readonly limitMs: number;
}

/** One line of the file of results. Lines of a test file are in order; those of several files are mixed. */
export type ResultLine =
  | { readonly kind: "started"; readonly testFile: string; readonly id: number }
  | { readonly kind: "survived"; readonly testFile: string; readonly id: number }
  | { readonly kind: "caught"; readonly testFile: string; readonly id: number; readonly test: string; readonly how: How }
  /** The tests that caught something passed again without a mutant, or did not. Settles what the file caught before. */
  | { readonly kind: "control"; readonly testFile: string; readonly passed: boolean }
  | { readonly kind: "finished"; readonly testFile: string };

/** By a failing test, an error that no test handled, or a test that did not end. */
export type How = "failed" | "unhandled" | "hung" | "crashed";

export const resultsFile = (directory: string): string => `${directory}/results.jsonl`;
/** The numbers of mutants that need no further run, one a line. */
export const settledFile = (directory: string): string => `${directory}/settled`;
export const planFile = (directory: string, testFile: string): string => `${directory}/plans/${fileName(testFile)}`;
export const recordFile = (directory: string, testFile: string): string => `${directory}/records/${fileName(testFile)}`;

const fileName = (testFile: string): string => `${createHash("sha256").update(testFile).digest("hex").slice(0, 24)}.json`;
