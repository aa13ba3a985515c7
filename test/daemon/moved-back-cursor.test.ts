/** Opens a log that a faulty version left: its cursor had moved back to a redelivered message, and reading never resumed. */
import { hash } from "node:crypto";
import { beforeEach, describe, expect, test } from "vitest";
import { type Clock, systemClock, systemRandom } from "../../src/base/clock.ts";
import { loadConfig } from "../../src/config/load.ts";
import { openLog } from "../../src/daemon/open-log.ts";
import { Metrics } from "../../src/http/metrics.ts";
import { VirtualClock } from "../../src/sim/time/virtual-clock.ts";
import { cursorRowOf } from "../../src/store/model/cursor.ts";
import { dedupeKeyOf, messageHash } from "../../src/store/model/dedupe-key.ts";
import type { Store } from "../../src/store/store.ts";
import { desired, received, start } from "../store/support/events.ts";
import { rawConnection, TemporaryStore } from "../store/support/temporary-store.ts";
import { RecordingLogger } from "../support/recording-logger.ts";

const STREAM = { stream: "OC", created: "2026-01-01T00:00:00Z" };

/** As Ingest does for a message at this sequence. */
function take(store: Store, sequence: number) {
  const message = received(desired({ name: `message ${sequence}` }), { streamSequence: sequence });
  const ofMessage = messageHash(String(sequence), hash("sha256", message.payload, "hex"));
  const dedupeKey = dedupeKeyOf(STREAM, sequence, ofMessage);
  return store.appendReceived([{ ...message, dedupeKey }], { ...STREAM, sequence, messageHash: ofMessage });
}

let temporary: TemporaryStore;
let logger: RecordingLogger;
beforeEach(() => {
  [temporary, logger] = [new TemporaryStore(), new RecordingLogger()];
  return () => temporary[Symbol.dispose]();
});

/** Three messages, with the cursor at the first, as such a version left them. */
function moveBack(): void {
  for (const sequence of [1, 2, 3]) take(temporary.store, sequence);
  temporary.store[Symbol.dispose]();
  using raw = rawConnection(temporary.path);
  const { checksum } = cursorRowOf({ ...STREAM, firstSequence: 1, sequence: 1, messageHash: null });
  raw.database.prepare("update ingest_cursor set sequence = 1, message_hash = null, checksum = ?").run(checksum);
}

function open(owner: AsyncDisposableStack, clock: Clock = systemClock, signal = new AbortController().signal) {
  return openLog(loadConfig({ flags: { data: temporary.directory }, env: {}, file: undefined, serves: true }), {
    clock,
    random: systemRandom,
    logger,
    metrics: new Metrics(),
    signal,
    owner,
    onObserved: () => {},
    onLogged: () => {},
  });
}

const moved = () =>
  logger.at("warn").filter(({ message }) => message === "cursor was behind the rows of the log; moved it forward");
const contents = () => [temporary.read("select * from event_log"), temporary.read("select * from ingest_cursor")];

test("a cursor that had moved back is put where the rows prove it to be, and reading resumes there", async () => {
  moveBack();
  await using owner = new AsyncDisposableStack();
  const { store } = await open(owner);
  expect(store.cursor()?.sequence).toBe(3);
  expect(moved().map(({ fields }) => fields)).toEqual([{ stream: "OC", before: 1, sequence: 3 }]);
  expect(take(store, 3)).toEqual(["duplicate"]);
  expect(take(store, 4)).toMatchObject([{ streamSequence: 4 }]);
});

test("a start that is refused, because the key is not the log's, leaves the cursor as it was", async () => {
  start(temporary.store);
  moveBack();
  const before = contents();
  await using owner = new AsyncDisposableStack();
  await expect(open(owner)).rejects.toMatchObject({ code: "identity_changed" });
  expect([contents(), moved()]).toEqual([before, []]);
});

describe("a cursor that cannot be corrected because another process holds the lock", () => {
  let clock: VirtualClock;
  let ending: AbortController;
  let owner: AsyncDisposableStack;
  let lock: ReturnType<typeof rawConnection>;
  let opening: ReturnType<typeof open>;
  let isOver: boolean;

  beforeEach(async () => {
    moveBack();
    [clock, ending, owner, isOver] = [new VirtualClock(), new AbortController(), new AsyncDisposableStack(), false];
    lock = rawConnection(temporary.path);
    lock.database.exec("begin immediate");
    const refused = Promise.withResolvers<void>();
    const schedule = clock.schedule.bind(clock);
    clock.schedule = (delayMs, run) => {
      refused.resolve();
      return schedule(delayMs, run);
    };
    opening = open(owner, clock, ending.signal);
    const over = () => {
      isOver = true;
    };
    opening.then(over, over);
    await Promise.race([refused.promise, opening]);
    await clock.advance(1_000);
    return async () => {
      lock[Symbol.dispose]();
      await owner.disposeAsync();
    };
  });

  test("is waited for, and corrected once the lock is released", async () => {
    expect([isOver, moved()]).toEqual([false, []]);
    lock.database.exec("rollback");
    await clock.advance(50);
    const { store } = await opening;
    expect([store.cursor()?.sequence, moved().length]).toEqual([3, 1]);
  });

  test("is not waited for when the daemon stops", async () => {
    ending.abort(new Error("SIGTERM"));
    await clock.advance(0);
    expect(isOver).toBe(true);
    await expect(opening).rejects.toThrow("SIGTERM");
    expect(moved()).toEqual([]);
  });
});
