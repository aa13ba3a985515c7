/** Plays the steps in order. Each step starts when the previous one has had its effect. */
import { type Clock, type Random, repeat } from "../base/clock.ts";
import { messageOf } from "../base/errors.ts";
import type { Display } from "./display/display.ts";
import type { Stage } from "./stage/stage.ts";
import type { DemoState, StepState } from "./stage/state.ts";
import type { Step } from "./steps.ts";

const REDRAW_EVERY_MS = 200;

interface PlayDependencies {
  readonly stage: Stage;
  readonly display: Display;
  readonly clock: Clock;
  readonly random: Random;
  readonly signal: AbortSignal;
}

/** Resolves to undefined when all steps are done, or to the error of the first step that failed. Later steps are not started. */
export async function play(steps: readonly Step[], dependencies: PlayDependencies): Promise<unknown> {
  const { stage, display, clock, random, signal } = dependencies;
  const startedMs = clock.monotonicMs();
  const progress: StepState[] = steps.map(({ title }) => ({ title, state: "waiting", elapsedMs: 0, missing: null }));
  const set = (index: number, change: Partial<StepState>) => {
    const step = progress[index];
    if (step !== undefined) progress[index] = { ...step, ...change };
    show();
  };
  let running: { readonly index: number; readonly sinceMs: number } | undefined;
  const show = () => {
    const nowMs = clock.monotonicMs();
    const current = progress.map((step, index) =>
      index === running?.index ? { ...step, elapsedMs: nowMs - running.sinceMs } : step,
    );
    const state: DemoState = { nodes: stage.nodes, steps: current, elapsedMs: nowMs - startedMs, nowMs: clock.wallMs() };
    display.show(state);
  };
  show();
  using _redraw = repeat(clock, random, REDRAW_EVERY_MS, 0, show);
  for (const [index, step] of steps.entries()) {
    const sinceMs = clock.monotonicMs();
    running = { index, sinceMs };
    set(index, { state: "running" });
    try {
      signal.throwIfAborted();
      const missing = await step.begin(stage, signal);
      await stage.until(missing, step.limitMs, (what) => {
        if (progress[index]?.missing !== what) set(index, { missing: what });
      });
    } catch (thrown) {
      running = undefined;
      set(index, { state: "failed", elapsedMs: clock.monotonicMs() - sinceMs, missing: messageOf(thrown).split("\n")[0] ?? "" });
      return thrown;
    }
    running = undefined;
    set(index, { state: "done", elapsedMs: clock.monotonicMs() - sinceMs, missing: null });
  }
  return undefined;
}
