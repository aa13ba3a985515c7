/**
 * The deadlines of the tests. A deadline is scaled by the slowness of the machine, which is measured once, and runs in machine time: it
 * counts only the share of the machine that was available. A bound is a promise of the product and is not scaled. On an idle machine it
 * is exact to the millisecond; on a busy one it also runs in machine time.
 */
import { deadline, systemClock } from "../../../src/base/clock.ts";
import { readMachine } from "./machine.ts";
import { PaceClock } from "./pace-clock.ts";
import { measureSlowness } from "./slowness.ts";

/** Environment variable of test processes: the slowness measured at the start of the run. */
export const SLOWNESS_VARIABLE = "TEST_SLOWNESS";

/** Also for code that runs in a test's process with short timeouts of its own. */
export const paceClock = new PaceClock({ clock: systemClock, readMachine });

let measured: number | undefined;

/** The slowness of this machine, from 1 to 12: as measured at the start of the run, or else now. */
function slowness(): number {
  measured ??= Number(process.env[SLOWNESS_VARIABLE]) || measureSlowness().slowness;
  return measured;
}

/**
 * A promise of the product, in ms of machine time.
 *
 * Limitation: the work of the tested program itself counts as load, so a program with more busy threads than cores would get extra time.
 * A daemon has one busy thread, so it does not. That work cannot be excluded, because it cannot be told apart from that of other children
 * of the test process.
 */
export interface Bound {
  readonly boundMs: number;
}

export const bound = (boundMs: number): Bound => ({ boundMs });

/** `deadline` in ms of `paceClock`; a bound is not scaled. */
export function paceMs(deadline: number | Bound): number {
  return typeof deadline === "number" ? deadline * slowness() : deadline.boundMs;
}

/** A running measurement of machine time. */
export interface Stopwatch {
  /** Machine time since the start, in ms; equal to wall time on an idle machine. */
  elapsedMs(): number;
  /** Machine and wall time, for error messages. */
  toString(): string;
}

export function startStopwatch(): Stopwatch {
  const [startedMs, wallMs] = [paceClock.monotonicMs(), performance.now()];
  const elapsedMs = () => paceClock.monotonicMs() - startedMs;
  return {
    elapsedMs,
    toString: () => `${Math.round(elapsedMs())} ms of machine time, ${Math.round(performance.now() - wallMs)} ms on the wall`,
  };
}

/** Starts a deadline whose signal aborts with `reason`: an error, or a text that names the missing event. It is unreferenced. */
export function startDeadline(
  limit: number | Bound,
  reason: string | (() => Error),
): { readonly signal: AbortSignal } & Disposable {
  const limitMs = paceMs(limit);
  const error = () => new Error(`not within ${Math.round(limitMs)} ms: ${reason}`);
  return deadline(paceClock, limitMs, typeof reason === "string" ? error : reason);
}
