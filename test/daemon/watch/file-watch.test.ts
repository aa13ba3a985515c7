/** A database that is moved while nothing is appended. */
import { beforeEach, expect, it } from "vitest";
import { PartnerdError } from "../../../src/base/errors.ts";
import { FileWatch } from "../../../src/daemon/watch/file-watch.ts";
import { seededRandom } from "../../../src/sim/time/random.ts";
import { VirtualClock } from "../../../src/sim/time/virtual-clock.ts";
import { RecordingLogger } from "../../support/recording-logger.ts";

const MOVED = new PartnerdError("database_moved", "oc-partnerd.db is gone", { nextStep: "put it back" });

let clock: VirtualClock;
let logger: RecordingLogger;
let failure: Error | null;
let looks: number;
let watch: FileWatch;

beforeEach(() => {
  clock = new VirtualClock();
  logger = new RecordingLogger();
  [failure, looks] = [null, 0];
  const checkFiles = () => {
    looks += 1;
    if (failure !== null) throw failure;
  };
  watch = new FileWatch({ store: { checkFiles }, clock, random: seededRandom(1), logger });
});

it("is noticed within a second, said once, and so is its end", () => {
  clock.advanceSync(999);
  expect(looks).toBe(0);
  clock.advanceSync(2_001);
  expect([looks, watch.failing, logger.lines]).toEqual([3, null, []]);
  failure = MOVED;
  clock.advanceSync(3_000);
  expect(watch.failing).toBe(MOVED);
  const message = "database is not in its place; nothing is logged or acknowledged";
  expect(logger.lines).toEqual([{ level: "error", fields: { error: MOVED.message, nextStep: "put it back" }, message }]);
  failure = null;
  clock.advanceSync(3_000);
  expect(watch.failing).toBeNull();
  expect(logger.lines.slice(1)).toEqual([{ level: "info", fields: {}, message: "database is in its place again" }]);
});

it("a mistake of ours is a fault, once", () => {
  failure = new TypeError("a bug");
  clock.advanceSync(3_000);
  expect(logger.lines).toMatchObject([{ message: "internal error", fields: { part: "log", error: "a bug" } }]);
});

it("nothing looks after the end", () => {
  watch[Symbol.dispose]();
  expect(clock.pendingTimers).toBe(0);
});
