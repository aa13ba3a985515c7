/**
 * Says in mutated code if a mutant is active. A copy of this file is in the tree of mutants. In the process of the tests, the runner sets the
 * state; processes and threads that the tests start take it from the environment.
 */
import { appendFileSync } from "node:fs";

export const ACTIVE_VARIABLE = "MUTATION_ACTIVE";
/** A file to which a process appends the numbers of mutants that it reaches. */
export const REACHED_VARIABLE = "MUTATION_REACHED";

export interface SwitchState {
  /** The number of the active mutant; -1 if none is. */
  active: number;
  /** Whether this process has reached the active one. */
  isReached: boolean;
  /** Called once for each mutant that is reached, until `seen` is cleared. */
  onReached: ((id: number) => void) | undefined;
  readonly seen: Set<number>;
}

const KEY = Symbol.for("oc-partnerd.mutation-switch");
const holder = globalThis as { [KEY]?: SwitchState };

/** One for all copies of this module in a process. */
export const switchState: SwitchState = holder[KEY] ?? fromEnvironment();
holder[KEY] = switchState;

function fromEnvironment(): SwitchState {
  const file = process.env[REACHED_VARIABLE];
  const onReached = file === undefined ? undefined : (id: number) => appendFileSync(file, `${id}\n`);
  return { active: Number(process.env[ACTIVE_VARIABLE] ?? -1), isReached: false, onReached, seen: new Set() };
}

export function $mutant(id: number): boolean {
  if (switchState.onReached !== undefined && !switchState.seen.has(id)) {
    switchState.seen.add(id);
    switchState.onReached(id);
  }
  if (id !== switchState.active) return false;
  switchState.isReached = true;
  return true;
}
