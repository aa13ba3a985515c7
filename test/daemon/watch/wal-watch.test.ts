/** The write-ahead log during a long read: it grows, which is reported; afterwards it is checkpointed and truncated. */
import { statSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { WalWatch } from "../../../src/daemon/watch/wal-watch.ts";
import { seededRandom } from "../../../src/sim/time/random.ts";
import { VirtualClock } from "../../../src/sim/time/virtual-clock.ts";
import { desired, received } from "../../store/support/events.ts";
import { rawConnection, TemporaryStore } from "../../store/support/temporary-store.ts";
import { startStopwatch } from "../../support/pace/pace.ts";
import { PEER_A } from "../../support/peers.ts";
import { RecordingLogger } from "../../support/recording-logger.ts";

const MIB = 1024 * 1024;

let temporary: TemporaryStore;
beforeEach(() => {
  temporary = new TemporaryStore();
});
afterEach(() => temporary[Symbol.dispose]());

/** A few thousand rows, each with a message of at least a page. */
function writeUntil(walMib: number): number {
  let rows = 0;
  for (; temporary.store.walBytes() < walMib * MIB; rows += 100) {
    const batch = Array.from({ length: 100 }, (_, index) =>
      received(desired({ name: `row-${rows + index}`, peerId: PEER_A }), { payload: Buffer.alloc(20_000, `${rows + index} `) }),
    );
    temporary.store.appendReceived(batch);
  }
  return rows;
}

describe("the write-ahead log", () => {
  const LONG = 64 * MIB;
  let logger: RecordingLogger;
  let clock: VirtualClock;
  /** Its size, and the size that emptying leaves. */
  let bytes: number;
  let least: number;
  let emptied: number;
  let failure: Error | undefined;
  let watch: WalWatch;

  beforeEach(() => {
    [clock, logger] = [new VirtualClock(), new RecordingLogger()];
    [bytes, least, emptied, failure] = [0, 0, 0, undefined];
    const walBytes = () => {
      if (failure !== undefined) throw failure;
      return bytes;
    };
    const emptyWal = () => {
      emptied += 1;
      bytes = Math.min(bytes, least);
      return bytes === 0;
    };
    watch = new WalWatch({ store: { walBytes, emptyWal }, clock, random: seededRandom(1), logger });
  });
  afterEach(() => {
    watch[Symbol.dispose]();
    expect(clock.pendingTimers).toBe(0);
  });

  it("is emptied above 16 MiB, every five seconds", () => {
    bytes = 16 * MIB;
    clock.advanceSync(60_000);
    expect(emptied).toBe(0);
    bytes += 1;
    clock.advanceSync(4_999);
    expect(emptied).toBe(0);
    clock.advanceSync(1);
    expect([emptied, logger.lines]).toEqual([1, []]);
  });

  it("is reported above 64 MiB, once, and once it is not", () => {
    bytes = least = LONG;
    clock.advanceSync(5_000);
    expect(logger.lines).toEqual([]);
    bytes = least = LONG + 1;
    clock.advanceSync(15_000);
    expect(logger.lines).toMatchObject([{ level: "warn", fields: { walBytes: LONG + 1 } }]);
    least = LONG;
    clock.advanceSync(15_000);
    expect(logger.lines.slice(1)).toMatchObject([{ level: "info", fields: { walBytes: LONG } }]);
  });

  it("that cannot be emptied is a debug line, because appends report it, unless the mistake is ours", () => {
    failure = new Error("disk I/O error");
    clock.advanceSync(5_000);
    const message = "cannot empty the write-ahead log";
    expect(logger.lines).toEqual([{ level: "debug", fields: { error: "disk I/O error" }, message }]);
    failure = new TypeError("a bug");
    clock.advanceSync(5_000);
    expect(logger.lines.slice(1)).toMatchObject([{ message: "internal error", fields: { part: "log", error: "a bug" } }]);
  });
});

describe("a reader that does not finish", () => {
  it("lets the write-ahead log grow, which is reported once, and it is checkpointed and truncated when the reader finishes", () => {
    const logger = new RecordingLogger();
    const { clock, store } = temporary;
    using _watch = new WalWatch({ store, clock, random: seededRandom(1), logger });
    using reader = rawConnection(temporary.path, { readonly: true });
    const seen = reader.database.prepare("select count(*) from event_log").pluck();
    reader.database.exec("begin");
    expect(seen.get()).toBe(0);
    const rows = writeUntil(65);
    expect(rows).toBeGreaterThan(2_000);
    clock.advanceSync(20_000);
    expect(store.walBytes()).toBeGreaterThan(64 * MIB);
    expect(store.walBytes()).toBe(statSync(`${temporary.path}-wal`).size);
    expect(logger.lines).toMatchObject([
      { level: "warn", message: "write-ahead log keeps growing because a long read blocks it" },
    ]);
    // The reader still sees its snapshot, and the store can still write.
    expect(seen.get()).toBe(0);
    const stopwatch = startStopwatch();
    expect(store.emptyWal()).toBe(false);
    expect(stopwatch.elapsedMs(), `${stopwatch}`).toBeLessThan(1_000);
    reader.database.exec("commit");
    clock.advanceSync(5_000);
    expect(store.walBytes()).toBe(0);
    expect(logger.lines.at(-1)).toMatchObject({ level: "info", message: "write-ahead log is small again" });
    expect(statSync(temporary.path).size).toBeGreaterThan(40 * MIB);
    expect(seen.get()).toBe(rows);
  });

  it("is harmless if little is written", () => {
    const logger = new RecordingLogger();
    const { clock, store } = temporary;
    using _watch = new WalWatch({ store, clock, random: seededRandom(1), logger });
    const before = store.walBytes();
    clock.advanceSync(60_000);
    expect(store.walBytes()).toBe(before);
    expect(logger.lines).toEqual([]);
  });
});
