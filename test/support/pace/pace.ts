/**
 * The deadlines of the tests. A deadline is patient: it is scaled by how slow the machine is, which is measured once, and counts only
 * the share of the machine that was to be had while it ran. A bound is a promise of DESIGN.md: it is not scaled. On an idle machine it is
 * exact to the millisecond; while the cores are shared with other work, only the share counts.
 */
import { deadline, systemClock } from "../../../src/base/clock.ts";
import { readMachine } from "./machine.ts";
import { PaceClock } from "./pace-clock.ts";
import { measureSlowness } from "./slowness.ts";

/** In the environment of the test processes: what was measured when the run started. */
export const SLOWNESS_VARIABLE = "TEST_SLOWNESS";

/** For what runs in the process of a test with short time-outs of its own, too. */
export const paceClock = new PaceClock({ clock: systemClock, readMachine });

let measured: number | undefined;

/** How slow this machine is, from 1 to 12: as measured at the start of the run, or now where nobody has. */
function slowness(): number {
  measured ??= Number(process.env[SLOWNESS_VARIABLE]) || measureSlowness().slowness;
  return measured;
}

/**
 * A promise of DESIGN.md, in ms of machine time.
 *
 * Its limit: the tested program's own work counts as load too, so a program with more busy threads than there are cores gets extra time.
 * A daemon works on one thread, so it does not. Leaving that work out would need to know whose it is, and the tests of a file share a
 * process: its children are not only the daemons that a bound is about.
 */
export interface Bound {
  readonly boundMs: number;
}

export const bound = (boundMs: number): Bound => ({ boundMs });

/** `deadline` in ms of `paceClock`: a bound is as long as it says. */
export function paceMs(deadline: number | Bound): number {
  return typeof deadline === "number" ? deadline * slowness() : deadline.boundMs;
}

/** A running measurement of machine time. */
export interface Stopwatch {
  /** Ms of machine time since the start; on an idle machine those of a clock on the wall. */
  elapsedMs(): number;
  /** Both times, for the message of a failure. */
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

/** Starts a deadline whose signal aborts with the reason: an error, or what did not happen in time. It keeps no process alive. */
export function startDeadline(
  limit: number | Bound,
  reason: string | (() => Error),
): { readonly signal: AbortSignal } & Disposable {
  const limitMs = paceMs(limit);
  const error = () => new Error(`not within ${Math.round(limitMs)} ms: ${reason}`);
  return deadline(paceClock, limitMs, typeof reason === "string" ? error : reason);
}
