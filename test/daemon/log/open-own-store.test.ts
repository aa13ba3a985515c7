/** Opening the store while another process holds its lock, and closing it when it cannot be written. */
import { existsSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Database } from "better-sqlite3";
import { beforeEach, describe, expect, it } from "vitest";
import { PartnerdError } from "../../../src/base/errors.ts";
import { openOwnStore } from "../../../src/daemon/log/open-own-store.ts";
import { VirtualClock } from "../../../src/sim/time/virtual-clock.ts";
import type { Store } from "../../../src/store/store.ts";
import { start } from "../../store/support/events.ts";
import { rawConnection, temporaryDirectory } from "../../store/support/temporary-store.ts";
import { errorWith } from "../../support/matchers.ts";
import { RecordingLogger } from "../../support/recording-logger.ts";

let clock: VirtualClock;
let logger: RecordingLogger;
let data: string;
let ending: AbortController;
let owner: AsyncDisposableStack;
let failure: unknown;

beforeEach(() => {
  const directory = temporaryDirectory();
  [clock, logger, data] = [new VirtualClock(), new RecordingLogger(), directory.path];
  [ending, owner, failure] = [new AbortController(), new AsyncDisposableStack(), undefined];
  return () => directory[Symbol.dispose]();
});

const open = () => openOwnStore({ directory: data, clock, logger, signal: ending.signal, owner });

/** The outcome of an attempt to open the store; "waiting" until then. */
function opening(): { state: "waiting" | "open" | "failed" } {
  const now: ReturnType<typeof opening> = { state: "waiting" };
  open().then(
    () => (now.state = "open"),
    (error: unknown) => {
      failure = error;
      now.state = "failed";
    },
  );
  return now;
}

/** Locks the database, as any other process can. */
function locked(): { readonly database: Database } & Disposable {
  const raw = rawConnection(join(data, "oc-partnerd.db"));
  raw.database.exec("begin exclusive");
  return raw;
}

it.each([
  ["missing", (file: string) => rmSync(file), 1],
  ["empty", (file: string) => writeFileSync(file, ""), 1],
  ["as the last run left it", () => {}, 0],
])(
  "says that it cannot tell whether the log was truncated if the head file is not there: it is %s",
  async (_, change, warnings) => {
    const first = await open();
    expect(logger.lines).toEqual([]);
    start(first);
    await owner.disposeAsync();
    change(join(data, "oc-partnerd.head"));
    owner = new AsyncDisposableStack();
    await open();
    await owner.disposeAsync();
    const message = "head file of the event log was missing or empty: this start cannot tell whether the log was truncated";
    expect(logger.at("warn").map((line) => line.message)).toEqual(Array.from({ length: warnings }, () => message));
  },
);

describe("a store whose database is locked", () => {
  it("is opened within 50 ms after the lock is released, and closed with the daemon", async () => {
    using lock = locked();
    const store = opening();
    await clock.advance(50);
    lock.database.exec("rollback");
    await clock.advance(49);
    expect(store.state).toBe("waiting");
    await clock.advance(1);
    expect([store.state, existsSync(join(data, "oc-partnerd.db-wal"))]).toEqual(["open", true]);
    await owner.disposeAsync();
    expect([existsSync(join(data, "oc-partnerd.db-wal")), logger.lines, clock.pendingTimers]).toEqual([false, [], 0]);
  });

  it.each([
    [4_999, "waiting"],
    [5_000, "failed"],
  ])("is waited for until 5 s have passed: after %i ms, it is %s", async (afterMs, state) => {
    using _lock = locked();
    const store = opening();
    await clock.advance(0);
    clock.stall(afterMs);
    await clock.advance(0);
    expect(store.state).toBe(state);
    if (state === "failed") expect(failure).toMatchObject({ code: "database_failed", details: { isPassing: true } });
    ending.abort(new Error("over"));
    await clock.advance(0);
  });

  it("is not waited for when the daemon stops, and not opened then", async () => {
    using lock = locked();
    const store = opening();
    await clock.advance(0);
    lock.database.exec("rollback");
    ending.abort(new Error("SIGTERM"));
    await clock.advance(0);
    expect([store.state, clock.pendingTimers]).toEqual(["failed", 0]);
    expect(failure).toEqual(new Error("SIGTERM"));
  });
});

it("a database that cannot be opened for another reason is not waited for", async () => {
  using foreign = rawConnection(join(data, "oc-partnerd.db"));
  foreign.database.exec("create table theirs (id)");
  await expect(open()).rejects.toThrow(errorWith("database_failed", /belongs to another program/));
  expect(clock.pendingTimers).toBe(0);
});

describe("a store that cannot write its newest counts", () => {
  /** A store that closes, and then fails in this way. */
  async function failingWith(error: Error): Promise<void> {
    const store = (await open()) as { -readonly [Key in keyof Store]: Store[Key] };
    const close = store[Symbol.dispose].bind(store);
    store[Symbol.dispose] = () => {
      close();
      throw error;
    };
  }

  it("stops all the same, and says what is lost", async () => {
    await failingWith(new PartnerdError("database_failed", "disk full", { nextStep: "make room" }));
    await owner.disposeAsync();
    const message = "could not write the newest counts of repeated failures; they are lost";
    expect(logger.lines).toEqual([{ level: "error", fields: { error: "disk full; make room" }, message }]);
  });

  it("does not hide a mistake of ours", async () => {
    await failingWith(new TypeError("a bug"));
    await expect(owner.disposeAsync()).rejects.toThrow("a bug");
    expect(logger.lines).toEqual([]);
  });
});
