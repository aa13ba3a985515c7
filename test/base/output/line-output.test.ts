import { expect, test } from "vitest";
import { type DropReason, LineOutput } from "../../../src/base/output/line-output.ts";
import { VirtualClock } from "../../../src/sim/time/virtual-clock.ts";

const QUEUE_BYTES = 1_048_576;

function failure(code: string): Error {
  return Object.assign(new Error(code), { code });
}

/** An output whose device takes `room` bytes, and then fails with `code`. */
function device(room: number, code = "EAGAIN") {
  const clock = new VirtualClock();
  const state = { room, code, written: "", drops: { buffer_full: 0, reader_gone: 0 } as Record<DropReason, number> };
  const output: LineOutput = new LineOutput({
    clock,
    write(bytes, offset) {
      const taken = bytes.subarray(offset, offset + state.room);
      if (taken.byteLength === 0) throw failure(state.code);
      state.room -= taken.byteLength;
      state.written += Buffer.from(taken).toString();
      return taken.byteLength;
    },
    onDropped: (reason, lines) => {
      state.drops[reason] += lines;
    },
    onRecovered: (lines) => output.write(`${lines} dropped\n`),
  });
  return { clock, state, output };
}

const ROOM = Number.MAX_SAFE_INTEGER;

test("lines are written at once while there is room", () => {
  const { clock, state, output } = device(ROOM);
  output.write("one\n");
  output.write("two\n");
  expect(state.written).toBe("one\ntwo\n");
  expect(clock.pendingTimers).toBe(0);
});

test.each(["EAGAIN", "ENOSPC", "EIO"])("after %s, the rest of a line and the lines after it follow in order", async (code) => {
  const { clock, state, output } = device(2, code);
  output.write("one\n");
  output.write("two\n");
  expect(state.written).toBe("on");
  state.room = ROOM;
  await clock.advance(1_000);
  expect(state.written).toBe("one\ntwo\n");
  expect(state.drops).toEqual({ buffer_full: 0, reader_gone: 0 });
  expect(clock.pendingTimers).toBe(0);
});

test("the queue is bounded: lines beyond it are dropped, counted, and announced by one line where they are missing", async () => {
  const { clock, state, output } = device(0);
  const line = `${"x".repeat(1_023)}\n`;
  for (let count = 0; count < 1_500; count++) output.write(line);
  const kept = QUEUE_BYTES / line.length;
  expect(state.drops).toEqual({ buffer_full: 1_500 - kept, reader_gone: 0 });
  // Too little room for new lines.
  state.room = QUEUE_BYTES / 4;
  await clock.advance(1_000);
  output.write("early\n");
  state.room = ROOM;
  await clock.advance(1_000);
  output.write("late\n");
  expect(state.written).toBe(`${line.repeat(kept)}${1_500 - kept + 1} dropped\nlate\n`);
});

test("a line that is longer than the queue is dropped, and only that", () => {
  const { state, output } = device(ROOM);
  output.write(`${"x".repeat(QUEUE_BYTES)}\n`);
  output.write("next\n");
  expect(state.written).toBe("1 dropped\nnext\n");
});

test("without a reader, each line is dropped and counted once, and the first reader is told how many", async () => {
  const { clock, state, output } = device(5, "EPIPE");
  output.write("one\n");
  output.write("two\n");
  output.write("three\n");
  await clock.advance(60_000);
  output.write("four\n");
  expect(state).toMatchObject({ written: "one\nt", drops: { buffer_full: 0, reader_gone: 3 } });
  state.room = ROOM;
  await clock.advance(1_000);
  output.write("five\n");
  expect(state.written).toBe("one\nt3 dropped\nfive\n");
  expect(state.drops.reader_gone).toBe(3);
});

test.each([
  ["with the last line, if the reader takes it", "EAGAIN", ROOM, 100],
  ["at its deadline, if the reader takes nothing", "EAGAIN", 0, 500],
  ["at once, if the disk is full", "ENOSPC", 0, 0],
  ["at once, if the reader is gone", "EPIPE", 0, 0],
])("draining ends %s", async (_, code, roomLater, afterMs) => {
  const { clock, state, output } = device(0, code);
  output.write("last\n");
  let drainedMs: number | undefined;
  const startedMs = clock.monotonicMs();
  clock.schedule(100, () => {
    state.room = roomLater;
  });
  const draining = output.drain(500).then(() => {
    drainedMs = clock.monotonicMs() - startedMs;
  });
  await clock.advance(2_000);
  await draining;
  expect(drainedMs).toBeGreaterThanOrEqual(afterMs);
  expect(drainedMs).toBeLessThanOrEqual(afterMs + 20);
});
