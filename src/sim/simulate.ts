/** Runs a fixture: the same fixture gives the same trace, here and everywhere. */
import { turns } from "../base/clock.ts";
import { messageOf } from "../base/errors.ts";
import { type Fixture, REST_MS } from "../fixture/format/schema.ts";
import { allInvariants } from "./all-invariants.ts";
import { ProcessEnded } from "./daemon/daemon-lifecycle.ts";
import { Expectations } from "./expectations.ts";
import { apply, isExpectation } from "./fault-actions.ts";
import { settled, VirtualClock } from "./time/virtual-clock.ts";
import { Trace } from "./trace.ts";
import { type Unmet, World } from "./world.ts";

/** Something that must always hold does not, or something that the fixture expects did not come. */
export interface Violation {
  readonly invariant: string;
  readonly atMs: number;
  readonly message: string;
  /** Of an expectation of the fixture. */
  readonly unmet?: Unmet;
}

export interface SimResult {
  readonly violations: readonly Violation[];
  /** The decision trace, one printed line each. */
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
  /** Ends the run at this time of the world. */
  readonly untilMs?: number;
  readonly onTrace?: (line: string, atMs: number) => void;
  /** Awaited before each step, with the time that it happens at; for those who watch. */
  readonly pace?: (atMs: number) => Promise<void>;
}

/** A run says so much, and then it is enough. */
const MOST_VIOLATIONS = 20;
/** Steps between two reports of progress, and two looks at the signal. */
const REPORT_STEPS = 512;

/** Rejects only with the reason of `signal`. One run at a time in a thread: it listens for rejections that nobody handles. */
export async function simulate(fixture: Fixture, options: SimulateOptions = {}): Promise<SimResult> {
  const { header, lines } = fixture;
  const clock = new VirtualClock();
  const violations: Violation[] = [];
  const violated = (invariant: string, message: string, unmet?: Unmet) => {
    if (violations.length === MOST_VIOLATIONS) return;
    violations.push({ invariant, atMs: clock.monotonicMs(), message, ...(unmet && { unmet }) });
  };
  using world = new World({
    header,
    clock,
    traceOf: (nameOf) => new Trace({ nameOf, ...(options.onTrace === undefined ? {} : { onLine: options.onTrace }) }),
    invariants: allInvariants,
    onViolation: violated,
  });
  const expectations = new Expectations(world, lines.filter(isExpectation));
  for (const line of lines) {
    if ("peer" in line) world.peerNamed(line.peer);
    if (isExpectation(line)) clock.schedule(line.atMs, () => expectations.due(line));
    else clock.schedule(line.atMs, () => apply(world, line));
  }
  const untilMs = options.untilMs ?? header.durationMs ?? (lines.at(-1)?.atMs ?? 0) + REST_MS;
  using _rejections = unhandledRejections((thrown) => violated("no-stray-rejection", messageOf(thrown)));
  world.lifecycle.start();
  const steps = await run(clock, world, untilMs, violated, options);
  world.finished();
  expectations.finished(options.untilMs === undefined);
  return {
    violations,
    trace: world.trace.lines,
    traceHash: world.trace.hash(),
    simulatedMs: clock.monotonicMs(),
    steps,
    peers: world.peers().length,
  };
}

/** One timer, then one turn of the real event loop, in which every promise that can settle does: that is a step. */
async function run(
  clock: VirtualClock,
  world: World,
  untilMs: number,
  violated: (invariant: string, message: string) => void,
  { signal, onProgress, pace }: SimulateOptions,
): Promise<number> {
  let steps = 0;
  const step = (): boolean => {
    world.stepped();
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
