import { afterEach, describe, expect, it, vi } from "vitest";
import { systemClock } from "../../src/base/clock.ts";

describe("systemClock.schedule", () => {
  afterEach(() => {
    vi.useRealTimers();
  });

  it.each([0, -5])("runs a task that is due (%i ms) without a timer", async (delayMs) => {
    vi.useFakeTimers({ toFake: ["setTimeout"] });
    const { promise, resolve } = Promise.withResolvers<string>();
    systemClock.schedule(delayMs, () => resolve("ran"));
    expect(await promise).toBe("ran");
  });

  it("runs a task once, when its delay has passed", () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const task = vi.fn();
    systemClock.schedule(5, task);
    vi.advanceTimersByTime(4);
    expect(task).not.toHaveBeenCalled();
    vi.advanceTimersByTime(100);
    expect(task).toHaveBeenCalledOnce();
  });

  it.each([0, 5])("does not run a task that was disposed first (%i ms)", (delayMs) => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "setImmediate", "clearImmediate"] });
    const task = vi.fn();
    systemClock.schedule(delayMs, task)[Symbol.dispose]();
    vi.advanceTimersByTime(100);
    expect(task).not.toHaveBeenCalled();
  });
});
