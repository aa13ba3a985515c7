/** The keyed queue against a very simple model: a list of waiting keys with their times, and a list of busy keys. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { KeyedQueue } from "../../src/reconciler/keyed-queue.ts";
import { settled, VirtualClock } from "../../src/sim/time/virtual-clock.ts";
import { propertyRuns } from "../support/campaign.ts";
import { commandsComparedBy } from "../support/model-command.ts";

const KEYS = ["a", "b", "c", "d"] as const;
type Key = (typeof KEYS)[number];

interface Run {
  readonly key: Key;
  readonly atMs: number;
}

/** The behaviour of the work on a key. */
interface Behaviour {
  /** Keys that it schedules, possibly itself, and their delays. */
  readonly schedules: readonly { readonly key: Key; readonly inMs: number }[];
  /** Ends in the turn in which it started; otherwise when a command ends it. */
  readonly endsAtOnce: boolean;
  readonly disposes: boolean;
}

const HOLDS: Behaviour = { schedules: [], endsAtOnce: false, disposes: false };

class Model {
  nowMs = 0;
  disposed = false;
  readonly runs: Run[] = [];
  /** In order of arrival; a key rescheduled for an earlier time moves to the end. */
  waiting: { readonly key: Key; readonly dueMs: number }[] = [];
  /** Busy keys, and the time for which each was scheduled in the meantime. */
  readonly busy = new Map<Key, number>();
  readonly behaviours = new Map<Key, Behaviour>();
  #ending: Key[] = [];

  schedule(key: Key, atMs: number): void {
    if (this.disposed) return;
    const wakeMs = this.busy.get(key);
    if (wakeMs !== undefined) this.busy.set(key, Math.min(wakeMs, atMs));
    else if (atMs < (this.dueMs(key) ?? Number.POSITIVE_INFINITY)) this.#enqueue(key, atMs);
  }

  /** Advances time and runs what falls due. */
  advance(durationMs: number): void {
    const untilMs = this.nowMs + durationMs;
    for (let next = this.#earliest(); next !== undefined && next.dueMs <= untilMs; next = this.#earliest()) {
      this.nowMs = Math.max(this.nowMs, next.dueMs);
      for (let due = this.#earliest(); due !== undefined && due.dueMs <= this.nowMs; due = this.#earliest()) this.#start(due.key);
      for (const key of this.#ending.splice(0)) this.end(key);
    }
    this.nowMs = untilMs;
  }

  end(key: Key): void {
    const wakeMs = this.busy.get(key);
    this.busy.delete(key);
    if (wakeMs !== undefined && wakeMs < Number.POSITIVE_INFINITY) this.#enqueue(key, wakeMs);
  }

  dueMs(key: Key): number | undefined {
    const dueMs = this.busy.get(key) ?? this.waiting.find((each) => each.key === key)?.dueMs;
    return dueMs === Number.POSITIVE_INFINITY ? undefined : dueMs;
  }

  #enqueue(key: Key, dueMs: number): void {
    this.waiting = [...this.waiting.filter((each) => each.key !== key), { key, dueMs }];
  }

  #earliest() {
    if (this.disposed) return undefined;
    return this.waiting.toSorted((one, other) => one.dueMs - other.dueMs)[0];
  }

  #start(key: Key): void {
    const { schedules, endsAtOnce, disposes } = this.behaviours.get(key) ?? HOLDS;
    this.waiting = this.waiting.filter((each) => each.key !== key);
    this.busy.set(key, Number.POSITIVE_INFINITY);
    this.runs.push({ key, atMs: this.nowMs });
    for (const { key: other, inMs } of schedules) this.schedule(other, this.nowMs + inMs);
    if (endsAtOnce) this.#ending.push(key);
    if (disposes) this.disposed = true;
  }
}

class Real {
  readonly clock = new VirtualClock();
  readonly runs: Run[] = [];
  readonly behaviours: ReadonlyMap<Key, Behaviour>;
  readonly queue = new KeyedQueue<Key>(this.clock, (key) => this.#work(key));
  readonly #ends = new Map<Key, () => void>();

  constructor({ behaviours }: Model) {
    this.behaviours = behaviours;
  }

  end(key: Key): Promise<void> {
    this.#ends.get(key)?.();
    return settled();
  }

  async #work(key: Key): Promise<void> {
    const { schedules, endsAtOnce, disposes } = this.behaviours.get(key) ?? HOLDS;
    expect(this.#ends.has(key), `${key} is already busy`).toBe(false);
    this.runs.push({ key, atMs: this.clock.monotonicMs() });
    for (const { key: other, inMs } of schedules) this.queue.schedule(other, this.clock.monotonicMs() + inMs);
    if (disposes) this.queue[Symbol.dispose]();
    if (endsAtOnce) return;
    await new Promise<void>((resolve) => this.#ends.set(key, resolve));
    this.#ends.delete(key);
  }
}

const command = commandsComparedBy(same);

function same(model: Model, { clock, queue, runs }: Real): void {
  expect(runs, "runs with their times, in order").toEqual(model.runs);
  expect(KEYS.filter((key) => queue.isBusy(key))).toEqual(KEYS.filter((key) => model.busy.has(key)));
  expect(clock.monotonicMs()).toBe(model.nowMs);
  expect(clock.pendingTimers, "one timer while a key waits, none otherwise").toBe(
    model.disposed ? 0 : Math.min(1, model.waiting.length),
  );
  if (!model.disposed) expect(KEYS.map((key) => queue.dueAtMs(key))).toEqual(KEYS.map((key) => model.dueMs(key)));
}

const aKey = fc.constantFrom(...KEYS);
/** Only a few values, so that many coincide; the first is in the past. */
const inMs = fc.constantFrom(-5, 0, 5, 10, 20);
const laterMs = fc.constantFrom(5, 10, 20);
const schedulesIn = (delayMs: fc.Arbitrary<number>) => fc.array(fc.record({ key: aKey, inMs: delayMs }), { maxLength: 2 });
/** Work that ends at once schedules nothing at once, or the queue could loop for ever without time passing. */
const behaviour: fc.Arbitrary<Behaviour> = fc.oneof(
  fc.record({ schedules: schedulesIn(inMs), endsAtOnce: fc.constant(false), disposes: fc.constant(false) }),
  fc.record({ schedules: schedulesIn(laterMs), endsAtOnce: fc.constant(true), disposes: fc.constant(false) }),
);

const schedule = fc
  .tuple(aKey, fc.oneof({ weight: 9, arbitrary: inMs }, fc.constant(Number.POSITIVE_INFINITY)))
  .map(([key, delayMs]) =>
    command(`schedule ${key} in ${delayMs}`, (model, { clock, queue }) => {
      const atMs = clock.monotonicMs() + delayMs;
      if (delayMs < Number.POSITIVE_INFINITY) model.schedule(key, atMs);
      queue.schedule(key, atMs);
    }),
  );
const behave = fc
  .tuple(aKey, behaviour)
  .map(([key, how]) => command(`work on ${key} is ${fc.stringify(how)}`, (model) => void model.behaviours.set(key, how)));
const end = aKey.map((key) =>
  command(
    `end ${key}`,
    (model, real) => {
      model.end(key);
      return real.end(key);
    },
    ({ busy }) => busy.has(key),
  ),
);
const advance = fc.constantFrom(0, 4, 5, 15, 40).map((durationMs) =>
  command(`advance ${durationMs}`, (model, { clock }) => {
    model.advance(durationMs);
    return clock.advance(durationMs);
  }),
);
/** The event loop stalls: overdue keys run late but still in order. */
const stall = laterMs.map((durationMs) =>
  command(`stall ${durationMs}`, (model, { clock }) => {
    model.nowMs += durationMs;
    clock.stall(durationMs);
  }),
);
const dispose = fc.constant(
  command("dispose", (model, { queue }) => {
    model.disposed = true;
    queue[Symbol.dispose]();
  }),
);
const disposeAtWork = aKey.map((key) =>
  command(`work on ${key} disposes`, (model) => void model.behaviours.set(key, { ...HOLDS, disposes: true })),
);

const LIVELY = [schedule, schedule, schedule, advance, advance, end, end, behave, stall];

async function follow(commands: Iterable<fc.AsyncCommand<Model, Real>>): Promise<void> {
  const model = new Model();
  const real = new Real(model);
  await fc.asyncModelRun(() => ({ model, real }), commands);
  await drain(model, real);
}

/** No key is lost: once all work ends and time passes, every waiting key runs, and nothing is left. */
async function drain(model: Model, real: Real): Promise<void> {
  for (const key of KEYS) model.behaviours.set(key, { ...HOLDS, endsAtOnce: true });
  for (const key of model.busy.keys()) {
    model.end(key);
    await real.end(key);
  }
  model.advance(1_000);
  await real.clock.advance(1_000);
  same(model, real);
  expect(real.clock.pendingTimers).toBe(0);
}

test("behaves like the model: one run per key at a time, the earlier time wins, a wake during work runs once afterwards", async () => {
  const commands = fc.commands(LIVELY, { maxCommands: 60, size: "max" });
  await fc.assert(fc.asyncProperty(commands, follow), propertyRuns(300, 10_000));
});

test("behaves like the model when disposed: nothing runs afterwards", async () => {
  const commands = fc.commands([...LIVELY, dispose, disposeAtWork], { maxCommands: 40, size: "max" });
  await fc.assert(fc.asyncProperty(commands, follow), propertyRuns(200, 5_000));
});
