/** The log of a run: what holds it, what its rows say, and the order in which its parts end. */
import { join } from "node:path";
import { beforeEach, expect, it, vi } from "vitest";
import { loadConfig } from "../../src/config/load.ts";
import { type Log, openLog } from "../../src/daemon/open-log.ts";
import { Metrics } from "../../src/http/metrics.ts";
import { writeNextKey } from "../../src/identity/rotation.ts";
import { seededRandom } from "../../src/sim/time/random.ts";
import { VirtualClock } from "../../src/sim/time/virtual-clock.ts";
import type { LogEntry } from "../../src/store/model/log-entry.ts";
import { lockDirectory } from "../../src/store/sql/lock.ts";
import type { Store } from "../../src/store/store.ts";
import { appendMany } from "../store/support/archiving.ts";
import { append, desired, inboundRefused } from "../store/support/events.ts";
import { rawConnection, TemporaryStore } from "../store/support/temporary-store.ts";
import { errorWith } from "../support/matchers.ts";
import { PEER_A } from "../support/peers.ts";
import { RecordingLogger } from "../support/recording-logger.ts";

const MIB = 1_048_576;

let clock: VirtualClock;
let logger: RecordingLogger;
let temporary: TemporaryStore;
let ending: AbortController;
let owner: AsyncDisposableStack;
let logged: LogEntry[];

beforeEach(() => {
  [clock, logger, logged] = [new VirtualClock(), new RecordingLogger(), []];
  [ending, owner] = [new AbortController(), new AsyncDisposableStack()];
  temporary = new TemporaryStore();
  temporary.store[Symbol.dispose]();
  return async () => {
    await owner.disposeAsync();
    temporary[Symbol.dispose]();
  };
});

const open = (): Promise<Log> =>
  openLog(loadConfig({ flags: {}, env: { OCPARTNERD_DATA: temporary.directory }, file: undefined }), {
    clock,
    logger,
    owner,
    random: seededRandom(1),
    metrics: new Metrics(),
    signal: ending.signal,
    onObserved: () => {},
    onLogged: (entry) => void logged.push(entry),
  });
const rows = () => temporary.read("select type, details from event_log order by seq");
const stop = () => owner.disposeAsync();

it("is locked for this daemon until it ends", async () => {
  await open();
  expect(() => lockDirectory(temporary.directory)).toThrow(errorWith("data_dir_in_use", /in use/));
  await stop();
  lockDirectory(temporary.directory)[Symbol.dispose]();
});

it("has a start that names run, PeerID and settings, tells each row, and has a stop as its last one", async () => {
  const { recorder, run, peerId, store } = await open();
  expect(run).toMatch(/^[0-9a-f]{8}$/);
  expect(rows()).toEqual([]);
  recorder.running();
  append(store, desired());
  await stop();
  expect(rows().map(({ type }) => type)).toEqual(["DaemonStarted", "PeerDesired", "DaemonStopped"]);
  expect(logged.slice(0, 2).map(({ seq, event }) => [seq, event.type])).toEqual([
    [1, "DaemonStarted"],
    [2, "PeerDesired"],
  ]);
  expect(JSON.parse(String(rows()[0]?.["details"]))).toMatchObject({ run, peerId, config: { data: temporary.directory } });
  expect(clock.pendingTimers).toBe(0);
});

it("settles a rotation that was interrupted, and says so", async () => {
  await writeNextKey(temporary.directory);
  await open();
  const settled = () => logger.at("warn").filter(({ message }) => message === "interrupted rotation of the identity settled");
  expect(settled().map(({ fields }) => fields)).toEqual([{ outcome: "withdrawn" }]);
  await stop();
  owner = new AsyncDisposableStack();
  await open();
  expect(settled()).toHaveLength(1);
});

it("waits at its end for another process to release the lock, and then has every row", async () => {
  const { recorder } = await open();
  recorder.running();
  using raw = rawConnection(temporary.path);
  raw.database.exec("begin immediate");
  recorder.observed(inboundRefused(PEER_A));
  const stopped = stop();
  await clock.advance(100);
  raw.database.exec("rollback");
  await clock.advance(100);
  await stopped;
  expect(rows().map(({ type }) => type)).toEqual(["DaemonStarted", "InboundRefused", "DaemonStopped"]);
});

it("keeps its write-ahead log small", async () => {
  const { store } = await open();
  let emptied = 0;
  const emptyWal = () => {
    emptied += 1;
    return true;
  };
  Object.assign<Store, Pick<Store, "walBytes" | "emptyWal">>(store, { walBytes: () => 17 * MIB, emptyWal });
  await clock.advance(5_000);
  expect(emptied).toBe(1);
});

it("reports a memory limit that is too small", async () => {
  using _limit = vi.spyOn(process, "constrainedMemory").mockReturnValue(MIB);
  await open();
  const message = "memory limit is below what the daemon may need; the kernel could kill it";
  expect(logger.at("warn").filter((line) => line.message === message)).toMatchObject([{ fields: { limitBytes: MIB } }]);
});

it("is not opened while the daemon stops: not for a lock, and not while its rows are verified", async () => {
  using raw = rawConnection(join(temporary.directory, "oc-partnerd.db"));
  raw.database.exec("pragma locking_mode = exclusive; begin immediate");
  const waiting = open();
  await clock.advance(0);
  ending.abort(new Error("SIGTERM"));
  await expect(waiting).rejects.toThrow("SIGTERM");
  raw.database.close();
  await stop();
  owner = new AsyncDisposableStack();
  // More rows than are verified at once.
  appendMany(temporary.reopen(), 501);
  temporary.store[Symbol.dispose]();
  await expect(open()).rejects.toThrow("SIGTERM");
});
