/** The file that tells the next start until when this run was alive. */
import { join } from "node:path";
import { expect, it } from "vitest";
import { lastAliveMsOf, SignOfLife } from "../../../src/daemon/watch/sign-of-life.ts";
import { seededRandom } from "../../../src/sim/time/random.ts";
import { VirtualClock } from "../../../src/sim/time/virtual-clock.ts";
import { temporaryDirectory } from "../../store/support/temporary-store.ts";
import { RecordingLogger } from "../../support/recording-logger.ts";

it("is renewed every 10 s, and the next run reads the last renewal", () => {
  using directory = temporaryDirectory();
  const clock = new VirtualClock();
  const startedMs = clock.wallMs();
  const common = { directory: directory.path, clock, random: seededRandom(1), logger: new RecordingLogger() };
  {
    using first = new SignOfLife(common);
    expect(first.previousMs).toBeNull();
    expect(lastAliveMsOf(directory.path)).toBeCloseTo(startedMs, 0);
    clock.advanceSync(29_000);
  }
  expect(clock.pendingTimers).toBe(0);
  clock.advanceSync(3_600_000);
  using second = new SignOfLife(common);
  expect(second.previousMs).toBeCloseTo(startedMs + 20_000, 0);
});

it("says once that it cannot be renewed", () => {
  using directory = temporaryDirectory();
  const [clock, logger] = [new VirtualClock(), new RecordingLogger()];
  const path = join(directory.path, "missing");
  using _sign = new SignOfLife({ directory: path, clock, random: seededRandom(1), logger });
  clock.advanceSync(60_000);
  expect(logger.at("warn")).toMatchObject([{ message: expect.stringMatching(/^cannot renew the sign of life/) as string }]);
});
