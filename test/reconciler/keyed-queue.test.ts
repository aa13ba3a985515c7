import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { KeyedQueue } from "../../src/reconciler/keyed-queue.ts";
import { MinHeap } from "../../src/reconciler/min-heap.ts";
import { VirtualClock } from "../../src/sim/time/virtual-clock.ts";

/** A queue whose work the test ends. */
function harness() {
  const clock = new VirtualClock();
  const started: { key: string; atMs: number }[] = [];
  const finish = new Map<string, () => void>();
  const queue = new KeyedQueue<string>(clock, (key) => {
    started.push({ key, atMs: clock.monotonicMs() });
    const { promise, resolve } = Promise.withResolvers<void>();
    finish.set(key, resolve);
    return promise;
  });
  const done = async (key: string) => {
    finish.get(key)?.();
    await clock.advance(0);
  };
  return { clock, queue, started, done };
}

describe("a keyed queue", () => {
  test("runs a key at its time, not earlier", async () => {
    const { clock, queue, started } = harness();
    queue.schedule("a", 100);
    await clock.advance(99);
    expect(started).toEqual([]);
    await clock.advance(1);
    expect(started).toEqual([{ key: "a", atMs: 100 }]);
  });

  test("merges duplicates, and the earlier time wins in either order", async () => {
    const { clock, queue, started, done } = harness();
    queue.schedule("a", 100);
    queue.schedule("a", 50);
    queue.schedule("a", 200);
    queue.schedule("b", 30);
    queue.schedule("b", 60);
    await clock.advance(1_000);
    await done("a");
    await done("b");
    await clock.advance(1_000);
    expect(started).toEqual([
      { key: "b", atMs: 30 },
      { key: "a", atMs: 50 },
    ]);
  });

  test("reruns a busy key once when its work ends, however often it was scheduled", async () => {
    const { clock, queue, started, done } = harness();
    queue.schedule("a", 0);
    await clock.advance(0);
    queue.schedule("a", 5);
    queue.schedule("a", 5);
    queue.schedule("a", 9);
    await clock.advance(20);
    expect(started).toHaveLength(1);
    expect(queue.isBusy("a")).toBe(true);
    await done("a");
    expect(started).toHaveLength(2);
    await done("a");
    await clock.advance(100);
    expect(started).toHaveLength(2);
  });

  test("forgets a time that an earlier one replaced", async () => {
    const { clock, queue, started, done } = harness();
    queue.schedule("a", 100);
    queue.schedule("a", 50);
    queue.schedule("b", 100);
    await clock.advance(50);
    await done("a");
    queue.schedule("a", 100);
    await clock.advance(50);
    expect(started.map(({ key }) => key)).toEqual(["a", "b", "a"]);
    await Promise.all([done("a"), done("b")]);
    queue.schedule("c", 300);
    queue.schedule("c", 200);
    await clock.advance(100);
    expect(clock.pendingTimers).toBe(0);
  });

  test("does not let a busy key delay another", async () => {
    const { clock, queue, started } = harness();
    queue.schedule("slow", 0);
    queue.schedule("quick", 10);
    await clock.advance(10);
    expect(started.map(({ key }) => key)).toEqual(["slow", "quick"]);
  });

  test("keeps no timer when idle, and runs nothing once disposed", async () => {
    const { clock, queue, started, done } = harness();
    queue.schedule("a", 10);
    await clock.advance(10);
    await done("a");
    expect(clock.pendingTimers).toBe(0);
    queue.schedule("b", 20);
    queue[Symbol.dispose]();
    queue.schedule("c", 20);
    expect(clock.pendingTimers).toBe(0);
    await clock.advance(1_000);
    expect(started).toHaveLength(1);
  });

  test("never runs a key twice at once, loses one or runs one early, for any schedule and duration of work", async () => {
    const step = fc.record({ key: fc.constantFrom("a", "b", "c"), inMs: fc.nat(50), thenMs: fc.nat(30), workMs: fc.nat(40) });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 40 }), async (steps) => {
        const clock = new VirtualClock();
        const wanted = new Map<string, number>();
        const busy = new Set<string>();
        let workMs = 0;
        const queue = new KeyedQueue<string>(clock, (key) => {
          expect(busy.has(key)).toBe(false);
          expect(wanted.get(key) ?? Number.POSITIVE_INFINITY).toBeLessThanOrEqual(clock.monotonicMs());
          wanted.delete(key);
          busy.add(key);
          const { promise, resolve } = Promise.withResolvers<void>();
          clock.schedule(workMs, () => {
            busy.delete(key);
            resolve();
          });
          return promise;
        });
        for (const { key, inMs, thenMs, workMs: nextWorkMs } of steps) {
          workMs = nextWorkMs;
          const atMs = clock.monotonicMs() + inMs;
          wanted.set(key, Math.min(wanted.get(key) ?? Number.POSITIVE_INFINITY, atMs));
          queue.schedule(key, atMs);
          await clock.advance(thenMs);
        }
        await clock.advance(10_000);
        expect(wanted.size).toBe(0);
        expect(clock.pendingTimers).toBe(0);
      }),
      { numRuns: 200 },
    );
  });
});

test("the heap drops removed entries and keeps the order of the rest", () => {
  const entries = fc.array(fc.record({ atMs: fc.nat(20), stays: fc.boolean() }), { maxLength: 100, size: "max" });
  fc.assert(
    fc.property(entries, (wanted) => {
      const heap = new MinHeap<number>();
      const pushed = wanted.map(({ atMs }, index) => heap.push(atMs, index));
      for (const entry of pushed) if (wanted[entry.value]?.stays === false) heap.remove(entry);
      const expected = pushed.filter(({ value }) => wanted[value]?.stays).sort((a, b) => a.atMs - b.atMs || a.order - b.order);
      expect(expected.map(() => heap.pop())).toEqual(expected.map(({ value }) => value));
      expect(heap.peek()).toBeUndefined();
    }),
  );
});

test("the heap returns values in time order, and equal times in insertion order", () => {
  fc.assert(
    fc.property(fc.array(fc.nat(20), { maxLength: 200 }), (times) => {
      const heap = new MinHeap<number>();
      times.forEach((atMs, index) => {
        heap.push(atMs, index);
      });
      const expected = times.map((atMs, index) => ({ atMs, index })).sort((a, b) => a.atMs - b.atMs || a.index - b.index);
      expect(times.map(() => heap.pop())).toEqual(expected.map(({ index }) => index));
      expect(heap.peek()).toBeUndefined();
    }),
  );
});
