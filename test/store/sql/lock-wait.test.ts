/** How long the appends of a store wait together while another process holds the lock. */
import { expect, it } from "vitest";
import { systemClock } from "../../../src/base/clock.ts";
import { openStore } from "../../../src/store/store.ts";
import { errorWith } from "../../support/matchers.ts";
import { append, desired } from "../support/events.ts";
import { rawConnection, TemporaryStore } from "../support/temporary-store.ts";

const MOST_MS = 200;

it("waits once in a second, however many appends there are, and again after it", async () => {
  using temporary = new TemporaryStore();
  temporary.store[Symbol.dispose]();
  using store = openStore({ directory: temporary.directory, clock: systemClock, busyTimeoutMs: MOST_MS });
  using blocker = rawConnection(temporary.path);
  blocker.database.exec("begin immediate");
  const waitMs = () => {
    const startedMs = performance.now();
    expect(() => append(store, desired())).toThrow(errorWith("database_failed", /SQLITE_BUSY/));
    return performance.now() - startedMs;
  };
  expect(waitMs()).toBeGreaterThanOrEqual(MOST_MS - 10);
  const startedMs = performance.now();
  for (let count = 0; count < 50; count++) waitMs();
  expect(performance.now() - startedMs).toBeLessThan(MOST_MS);
  await new Promise((resolve) => void setTimeout(resolve, 1_000));
  expect(waitMs()).toBeGreaterThanOrEqual(MOST_MS - 10);
  blocker.database.exec("rollback");
  expect(append(store, desired())).toMatchObject({ seq: 1 });
});
