/** Runs a fixture. Deterministic: the same fixture gives the same trace on every machine. */
import { turns } from "../base/clock.ts";
import { messageOf } from "../base/errors.ts";
import { type Fixture, REST_MS } from "../fixture/format/schema.ts";
import { ProcessEnded } from "./daemon/daemon-lifecycle.ts";
import { settled, VirtualClock } from "./time/virtual-clock.ts";
import type { Unmet } from "./world.ts";
import { Worlds } from "./worlds.ts";

/** A broken invariant, or an expectation of the fixture that was not met. */
export interface Violation {
  readonly invariant: string;
  readonly atMs: number;
  readonly message: string;
  /** Of an expectation of the fixture. */
  readonly unmet?: Unmet;
}

export interface SimResult {
  readonly violations: readonly Violation[];
  /** The decision trace, as printed lines. */
  readonly trace: readonly string[];
  /** SHA-256 (hex) over everything observable, heartbeats included. */
  readonly traceHash: string;
  readonly simulatedMs: number;
  readonly steps: number;
  readonly peers: number;
}

export interface SimulateOptions {
  readonly signal?: AbortSignal;
  readonly onProgress?: (atMs: number, untilMs: number) => void;
  /** Stops the run at this simulated time. */
  readonly untilMs?: number;
  readonly onTrace?: (line: string, atMs: number) => void;
  /** Awaited before each step, with the time of that step, so that the run can be slowed down for viewing. */
  readonly pace?: (atMs: number) => Promise<void>;
}

/** The most violations a run reports before it stops. */
const MOST_VIOLATIONS = 20;
/** Steps between progress reports, which is also how often the signal is checked. */
const REPORT_STEPS = 512;

/** Rejects only with the reason of `signal`. At most one run per thread at a time, as it listens for unhandled rejections. */
export async function simulate(fixture: Fixture, options: SimulateOptions = {}): Promise<SimResult> {
  const { header, lines } = fixture;
  const clock = new VirtualClock();
  const violations: Violation[] = [];
  const violated = (invariant: string, message: string, unmet?: Unmet) => {
    if (violations.length === MOST_VIOLATIONS) return;
    violations.push({ invariant, atMs: clock.monotonicMs(), message, ...(unmet && { unmet }) });
  };
  using worlds = new Worlds({ fixture, clock, onViolation: violated, onTrace: options.onTrace });
  const untilMs = options.untilMs ?? header.durationMs ?? (lines.at(-1)?.atMs ?? 0) + REST_MS;
  using _rejections = unhandledRejections((thrown) => violated("no-stray-rejection", messageOf(thrown)));
  worlds.start();
  const steps = await run(clock, worlds, untilMs, violated, options);
  worlds.finished(options.untilMs === undefined);
  return {
    violations,
    trace: worlds.trace,
    traceHash: worlds.hash(),
    simulatedMs: clock.monotonicMs(),
    steps,
    peers: worlds.peers,
  };
}

/** Each step runs one timer, then one turn of the real event loop, which settles every promise that can settle. */
async function run(
  clock: VirtualClock,
  worlds: Worlds,
  untilMs: number,
  violated: (invariant: string, message: string) => void,
  { signal, onProgress, pace }: SimulateOptions,
): Promise<number> {
  let steps = 0;
  const step = (): boolean => {
    worlds.stepped();
    try {
      if (!clock.step(untilMs)) return false;
    } catch (thrown) {
      if (!(thrown instanceof ProcessEnded)) violated("nothing-throws", messageOf(thrown));
    }
    steps += 1;
    if (steps % REPORT_STEPS === 0) {
      signal?.throwIfAborted();
      onProgress?.(clock.monotonicMs(), untilMs);
    }
    return true;
  };
  if (pace === undefined) await turns(step);
  else {
    do {
      await settled();
      await pace(Math.min(clock.nextDueMs(), untilMs));
    } while (step());
  }
  return steps;
}

function unhandledRejections(report: (thrown: unknown) => void): Disposable {
  const listener = (thrown: unknown) => {
    if (!(thrown instanceof ProcessEnded)) report(thrown);
  };
  process.on("unhandledRejection", listener);
  return { [Symbol.dispose]: () => void process.off("unhandledRejection", listener) };
}
