import { describe, expect, it } from "vitest";
import {
  type BatchOutcome,
  IngestBuffer,
  type IngestBufferOptions,
  type ReceivedMessage,
} from "../../src/ingest/ingest-buffer.ts";
import { VirtualClock } from "../../src/sim/time/virtual-clock.ts";

const message = (number: number, size = 1): ReceivedMessage => ({
  subject: `S.${number}`,
  bytes: new Uint8Array(size),
  dedupeKey: null,
});

function setUp(options: Partial<IngestBufferOptions> = {}) {
  const clock = new VirtualClock();
  const batches: string[][] = [];
  const state = { outcome: "done" as BatchOutcome, overflows: 0, drops: 0 };
  const buffer = new IngestBuffer({
    clock,
    onBatch(batch) {
      batches.push(batch.map(({ subject }) => subject));
      return state.outcome;
    },
    onOverflow: () => {
      state.overflows += 1;
    },
    onDrop: () => {
      state.drops += 1;
    },
    ...options,
  });
  const offer = (from: number, to: number, size?: number) => {
    for (let number = from; number <= to; number++) buffer.offer(message(number, size));
  };
  return { clock, batches, state, buffer, offer };
}

describe("IngestBuffer", () => {
  it("delivers messages in order, at most 64 at a time, and yields to the event loop in between", async () => {
    const { clock, batches, buffer, offer } = setUp();
    offer(1, 130);
    expect(batches).toEqual([]);
    const batchesBeforeOthers = new Promise((resolve) => clock.schedule(0, () => resolve(batches.length)));
    await clock.advance(0);
    expect(await batchesBeforeOthers).toBe(1);
    expect(batches.map((batch) => batch.length)).toEqual([64, 64, 2]);
    expect(batches.flat()).toEqual(Array.from({ length: 130 }, (_, index) => `S.${index + 1}`));
    expect(buffer.counts()).toEqual({ dropped: 0, buffered: 0 });
  });

  it("drops the newest messages when full, counts them, and reports each burst once", async () => {
    const { clock, batches, state, buffer, offer } = setUp({ maxMessages: 4 });
    offer(1, 7);
    expect(buffer.counts()).toEqual({ dropped: 3, buffered: 4 });
    expect(state.overflows).toBe(1);
    await clock.advance(0);
    expect(batches.flat()).toEqual(["S.1", "S.2", "S.3", "S.4"]);
    offer(8, 12);
    expect(buffer.counts().dropped).toBe(4);
    expect([state.overflows, state.drops]).toEqual([2, 4]);
  });

  it("is idle at once if it is empty, and otherwise only after the last batch", async () => {
    const { clock, batches, buffer, offer } = setUp();
    await buffer.idle();
    offer(1, 65);
    const idle = buffer.idle().then(() => batches.length);
    await clock.advance(0);
    expect(await idle).toBe(2);
  });

  it("limits the bytes as well", async () => {
    const { clock, buffer, offer } = setUp({ maxBytes: 100 });
    offer(1, 3, 40);
    expect(buffer.counts()).toEqual({ buffered: 2, dropped: 1 });
    await clock.advance(0);
    offer(4, 5, 40);
    expect(buffer.counts()).toEqual({ buffered: 2, dropped: 1 });
  });

  it("keeps a batch that was not taken and delivers it again after a delay, in order", async () => {
    const { clock, batches, state, offer, buffer } = setUp();
    state.outcome = { retryMs: 1_000 };
    offer(1, 2);
    await clock.advance(0);
    offer(3, 3);
    await clock.advance(0);
    expect(batches).toEqual([["S.1", "S.2"]]);
    state.outcome = "done";
    await clock.advance(1_000);
    expect(batches.slice(1)).toEqual([["S.1", "S.2", "S.3"]]);
    expect(buffer.counts().buffered).toBe(0);
    expect(clock.pendingTimers).toBe(0);
  });

  it("acknowledges each message after its batch was taken, and not before", async () => {
    const told: string[] = [];
    const { clock, buffer, state } = setUp({
      onBatch(batch) {
        told.push(`batch of ${batch.length}`);
        return state.outcome;
      },
    });
    state.outcome = { retryMs: 1_000 };
    for (const number of [1, 2]) buffer.offer({ ...message(number), acknowledge: () => told.push(`acknowledged ${number}`) });
    await clock.advance(0);
    expect(told).toEqual(["batch of 2"]);
    state.outcome = "done";
    await clock.advance(1_000);
    expect(told.slice(1)).toEqual(["batch of 2", "acknowledged 1", "acknowledged 2"]);
  });

  it("drained: delivers the rest, again for a moment if a batch is not taken", async () => {
    const { clock, batches, state, buffer, offer } = setUp();
    state.outcome = { retryMs: 50 };
    offer(1, 100);
    const drained = buffer.drain();
    await clock.advance(200);
    state.outcome = "done";
    await clock.advance(50);
    await drained;
    expect(batches.map((batch) => batch.length)).toEqual([64, 64, 64, 64, 64, 64, 36]);
    expect(clock.pendingTimers).toBe(0);
  });

  it("drained: needs no time if every batch is taken, and no second attempt fits beyond 300 ms", async () => {
    const { batches, buffer, offer } = setUp();
    offer(1, 100);
    await buffer.drain();
    expect(batches.map((batch) => batch.length)).toEqual([64, 36]);

    const failing = setUp();
    failing.state.outcome = { retryMs: 300 };
    failing.offer(1, 1);
    const drained = failing.buffer.drain();
    await failing.clock.advance(300);
    await drained;
    // Also once when it is disposed.
    expect(failing.batches).toHaveLength(3);
  });

  it("drained in vain: says how many messages the broker does not redeliver", async () => {
    const lost: number[] = [];
    const { clock, batches, state, buffer, offer } = setUp({ onLost: (messages) => lost.push(messages) });
    state.outcome = { retryMs: 1_000 };
    offer(1, 3);
    buffer.offer({ ...message(4), acknowledge: () => {} });
    await buffer.drain();
    expect(lost).toEqual([3]);
    expect(batches.length).toBe(2);
    expect(buffer.counts().buffered).toBe(0);
    expect(clock.pendingTimers).toBe(0);
  });

  it("disposed: reports a loss only if there is one, be it a single message", () => {
    const lost: number[] = [];
    const onLost = (messages: number) => void lost.push(messages);
    const taking = setUp({ onLost });
    taking.offer(1, 1);
    taking.buffer[Symbol.dispose]();
    expect([lost, taking.batches]).toEqual([[], [["S.1"]]]);
    const failing = setUp({ onLost });
    failing.state.outcome = { retryMs: 1_000 };
    failing.offer(1, 1);
    failing.buffer[Symbol.dispose]();
    expect(lost).toEqual([1]);
  });

  it("discarded: is idle, and has all of its room again", async () => {
    const { batches, buffer, offer } = setUp({ maxBytes: 100 });
    offer(1, 2, 50);
    const idle = buffer.idle();
    buffer.discard();
    await idle;
    offer(3, 4, 50);
    expect(buffer.counts()).toEqual({ buffered: 2, dropped: 0 });
    expect(batches).toEqual([]);
  });

  it.each([
    ["at most half full by messages", { maxMessages: 128 }, 2],
    ["more than half full by messages", { maxMessages: 130 }, 1],
    ["at most half full by bytes", { maxBytes: 128 }, 2],
    ["more than half full by bytes", { maxBytes: 130 }, 1],
  ])("a burst is over once the buffer is %s", async (_, options, overflows) => {
    let taken = false;
    const { clock, buffer, offer, state } = setUp({
      ...options,
      onBatch() {
        if (taken) return { retryMs: 1_000 };
        taken = true;
        return "done";
      },
    });
    offer(1, 131);
    expect(state.overflows).toBe(1);
    await clock.advance(0);
    expect(buffer.counts().buffered).toBe(Object.values(options).reduce((sum, most) => sum + most, 0) - 64);
    offer(132, 262);
    expect(state.overflows).toBe(overflows);
  });

  it("holds 64 MiB, if not told otherwise", () => {
    const { buffer } = setUp();
    const bytes = new Uint8Array(16 * 1_048_576);
    const offers = [1, 2, 3, 4].map((number) => buffer.offer({ ...message(number), bytes }));
    expect([...offers, buffer.offer(message(5))]).toEqual([true, true, true, true, false]);
  });

  it("delivers the rest when disposed, until a batch is not taken", async () => {
    const { clock, batches, buffer, offer } = setUp();
    offer(1, 100);
    buffer[Symbol.dispose]();
    expect(batches.map((batch) => batch.length)).toEqual([64, 36]);

    const failing = setUp({ clock });
    failing.state.outcome = { retryMs: 1_000 };
    failing.offer(1, 100);
    failing.buffer[Symbol.dispose]();
    expect(failing.batches).toHaveLength(1);
    await clock.advance(0);
    expect(failing.batches).toHaveLength(1);
    expect(clock.pendingTimers).toBe(0);
  });
});
