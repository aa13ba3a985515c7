/** The daemon's runs in the log: how each began, with which configuration, and how the one before ended. */
import Database from "better-sqlite3";
import { beforeEach, describe, expect, it } from "vitest";
import type { PeerId } from "../../../src/base/ids.ts";
import type { IdentityChange } from "../../../src/events/upkeep/upkeep-facts.ts";
import { DEFAULT_LIMITS, DEFAULT_VOCABULARY } from "../../../src/events/vocabulary.ts";
import { VirtualClock } from "../../../src/sim/time/virtual-clock.ts";
import { knownMigrations } from "../../../src/store/sql/migrations.ts";
import { openStore } from "../../../src/store/store.ts";
import type { Start } from "../../../src/store/write/own-event-appender.ts";
import { RUN } from "../../support/attempts.ts";
import { PEER_A, PEER_B } from "../../support/peers.ts";
import { archiveBefore, findingsIn } from "../support/archiving.ts";
import { append, closed, desired, observe, opened, received, rejected, start } from "../support/events.ts";
import { TemporaryStore, temporaryDirectory } from "../support/temporary-store.ts";

let temporary: TemporaryStore;
beforeEach(() => {
  temporary = new TemporaryStore();
  return () => temporary[Symbol.dispose]();
});

const CONFIG = { name: "lyon", events: { peerDatatypes: ["PEER"] } };

function startWith(config: typeof CONFIG & object = CONFIG): Start {
  return start(temporary.reopen(), { version: "1.2.3", config });
}

const reasonOf = ({ entry }: Start) => entry.event.reason;
const configOf = ({ entry }: Start) => entry.event.details.config;

describe("DaemonStarted", () => {
  it("tells a first start from one after a clean shutdown and one after a crash", () => {
    expect(reasonOf(startWith())).toBe("first_start");
    expect(reasonOf(startWith())).toBe("unclean");
    temporary.store.appendStopped(60_000.4);
    append(temporary.store, rejected());
    expect(reasonOf(startWith())).toBe("clean");
    expect(reasonOf(startWith())).toBe("unclean");
    expect(temporary.read("select type, reason, duration_ms, duration_clock from event_log where type like 'Daemon%'")).toEqual([
      { type: "DaemonStarted", reason: "first_start", duration_ms: null, duration_clock: null },
      { type: "DaemonStarted", reason: "unclean", duration_ms: null, duration_clock: null },
      { type: "DaemonStopped", reason: null, duration_ms: 60_000, duration_clock: "monotonic" },
      { type: "DaemonStarted", reason: "clean", duration_ms: null, duration_clock: null },
      { type: "DaemonStarted", reason: "unclean", duration_ms: null, duration_clock: null },
    ]);
  });

  it("records version, schema and configuration, and leaves out a configuration that is the one before", () => {
    const first = startWith();
    expect(first.entry.event.details).toEqual({
      run: RUN,
      peerId: PEER_A,
      version: "1.2.3",
      schema: knownMigrations().size,
      configSha256: expect.stringMatching(/^[0-9a-f]{64}$/) as string,
      config: CONFIG,
    });
    const same = startWith();
    expect(configOf(same)).toBeNull();
    expect(same.entry.event.details.configSha256).toBe(first.entry.event.details.configSha256);
    const other = { ...CONFIG, name: "paris" };
    expect(configOf(startWith(other))).toEqual(other);
    expect(configOf(startWith(other))).toBeNull();
    expect(configOf(startWith())).toEqual(CONFIG);
  });

  const WIDER = { ...CONFIG, events: { peerDatatypes: ["PEER", "NODE"] } };
  const isOther = (config?: typeof CONFIG) => startWith(config).vocabularyChanged;
  /** As `reinterpret` does if nothing changes. */
  const reinterpreted = ({ events }: typeof CONFIG) =>
    temporary.store.appendReinterpreted([], { ...DEFAULT_VOCABULARY, ...DEFAULT_LIMITS, ...events });
  const whole = (config: typeof CONFIG) => ({
    ...config,
    events: { ...DEFAULT_VOCABULARY, ...DEFAULT_LIMITS, ...config.events },
  });

  it("tells that the vocabulary changed, also two starts later, and not of another setting", () => {
    expect([isOther(), isOther(), isOther({ ...CONFIG, name: "paris" })]).toEqual([false, false, false]);
    expect([isOther(WIDER), isOther(WIDER)]).toEqual([true, true]);
  });

  it("tells of a run under other settings than those of the last reinterpretation", () => {
    isOther(whole(CONFIG));
    reinterpreted(WIDER);
    // The start leaves its configuration out, because it is unchanged.
    expect(isOther(whole(CONFIG))).toBe(true);
    expect([isOther(whole(WIDER)), isOther(whole(WIDER))]).toEqual([true, true]);
    reinterpreted(WIDER);
    expect([isOther(whole(WIDER)), isOther(whole(CONFIG))]).toEqual([false, true]);
  });

  it("remembers the vocabulary when the starts and the reinterpretation are archived", async () => {
    isOther(whole(CONFIG));
    isOther(whole(WIDER));
    await archiveBefore(temporary.directory, 2);
    expect(isOther(whole(WIDER))).toBe(true);
    reinterpreted(WIDER);
    append(temporary.store, rejected());
    await archiveBefore(temporary.directory, temporary.store.head().seq);
    expect([isOther(whole(WIDER)), isOther(whole(CONFIG))]).toEqual([false, true]);
    expect(findingsIn(temporary.directory)).toEqual([]);
  });

  it("remembers the last run when its rows are archived", async () => {
    startWith();
    temporary.store.appendStopped(1_000);
    append(temporary.store, rejected());
    await archiveBefore(temporary.directory, 3);
    const start = startWith();
    expect([reasonOf(start), configOf(start), start.lastRun]).toEqual([
      "clean",
      null,
      {
        startedSeq: 1,
        peerId: PEER_A,
        stoppedSeq: 2,
        configSha256: start.entry.event.details.configSha256,
        config: CONFIG,
        vocabulary: CONFIG.events,
      },
    ]);
    append(temporary.store, rejected());
    await archiveBefore(temporary.directory, temporary.store.head().seq);
    expect(temporary.store.identity()).toBe(PEER_A);
    expect(reasonOf(startWith({ ...CONFIG, name: "paris" }))).toBe("unclean");
    expect(findingsIn(temporary.directory)).toEqual([]);
  });
});

describe("the log's identity", () => {
  const change = (from: PeerId, to: PeerId, reason: IdentityChange = "rotated") =>
    temporary.store.appendIdentityChanged({ type: "IdentityChanged", reason, details: { from, to } });

  it("is that of the newest start or change, also if they are archived", async () => {
    expect(temporary.store.identity()).toBeUndefined();
    startWith();
    expect(temporary.store.identity()).toBe(PEER_A);
    expect(change(PEER_A, PEER_B)).toMatchObject({ seq: 2, source: "oc-partnerd" });
    expect(temporary.store.identity()).toBe(PEER_B);
    append(temporary.store, rejected());
    await archiveBefore(temporary.directory, 3);
    expect(temporary.reopen().identity()).toBe(PEER_B);
    // A start of a version that does not record the PeerID changes nothing.
    start(temporary.store, { peerId: undefined as unknown as PeerId });
    expect(temporary.store.identity()).toBe(PEER_B);
    change(PEER_B, PEER_A, "accepted");
    expect(temporary.store.identity()).toBe(PEER_A);
    start(temporary.store, { peerId: PEER_B });
    expect(temporary.store.identity()).toBe(PEER_B);
    expect(findingsIn(temporary.directory), "no daemon starts like these two").toEqual([
      expect.stringContaining("a start without a PeerID"),
      expect.stringContaining(`a start as ${PEER_B}, but the log belongs to ${PEER_A}`),
    ]);
    expect(temporary.store.verifyProjections()).toEqual([]);
  });

  it("is a sentence in the history, without a peer", () => {
    startWith();
    change(PEER_A, PEER_B);
    change(PEER_B, PEER_A, "accepted");
    expect(temporary.read("select peer_id, app, summary from peer_history where type = 'IdentityChanged' order by seq")).toEqual([
      { peer_id: null, app: "oc-partnerd", summary: `our PeerID changed from ${PEER_A} to ${PEER_B} (rotated)` },
      { peer_id: null, app: "oc-partnerd", summary: `our PeerID changed from ${PEER_B} to ${PEER_A} (accepted)` },
    ]);
  });
});

describe("a start that cannot be written", () => {
  const RETRIED = ["appendReceived", "appendDelivery", "appendObserved", "appendStopped", "appendReinterpreted"] as const;

  it.each(RETRIED)("goes before what %s appends, and keeps its id whatever the log has by then", (method) => {
    using directory = temporaryDirectory();
    let isFull = false;
    const beforeCommit = () => {
      if (isFull) throw new Database.SqliteError("database or disk is full", "SQLITE_FULL");
    };
    const clock = new VirtualClock();
    using store = openStore({ directory: directory.path, clock, commitHooks: { beforeCommit, afterCommit: () => {} } });
    const types: string[] = [];
    store.onAppended(({ event }) => void types.push(event.type));
    const starts: Start[] = [];
    isFull = true;
    store.registerStart(
      { run: RUN, peerId: PEER_A, version: "1.2.3", config: CONFIG, lastAliveMs: null },
      (start) => void starts.push(start),
    );
    const appends = {
      appendReceived: () => store.appendReceived([received(rejected())]),
      appendDelivery: () => store.appendDelivery([]),
      appendObserved: () => store.appendObserved({ event: opened(PEER_A), causeSeq: null }),
      appendStopped: () => store.appendStopped(1),
      closeOrphans: () => store.closeOrphans(null),
      appendReinterpreted: () => store.appendReinterpreted([], { ...DEFAULT_VOCABULARY, ...DEFAULT_LIMITS }),
    };
    expect(() => store.appendStart()).toThrow("full");
    expect(appends[method]).toThrow("full");
    expect(types).toEqual([]);
    isFull = false;
    appends[method]();
    expect(types[0]).toBe("DaemonStarted");
    store.appendStart();
    expect(types.filter((type) => type === "DaemonStarted")).toHaveLength(1);
    expect(starts).toMatchObject([{ entry: { seq: 1, event: { details: { run: RUN } } } }]);
  });
});

describe("the streams that a crash left open", () => {
  it("are closed right before the start, each with its opening, the desired event in force, and the wall clock's duration", () => {
    startWith();
    append(temporary.store, desired());
    observe(temporary.store, opened(PEER_A));
    observe(temporary.store, opened(PEER_B, "inbound"));
    temporary.clock.stall(90_000);
    append(temporary.store, desired({ relation: "NONE", standing: "revoked" }));
    temporary.clock.stall(1_500.4);
    expect(startWith()).toMatchObject({ orphans: 2, entry: { seq: 8 } });
    const ended = { reason: "daemon_restart", durationMs: 90_000, durationClock: "wall" } as const;
    expect(temporary.store.history(PEER_A, { limit: 1 })).toMatchObject([
      { seq: 6, openedSeq: 3, causeSeq: 5, event: closed(PEER_A, ended) },
    ]);
    expect(temporary.store.history(PEER_B, { limit: 1 })).toMatchObject([
      { seq: 7, openedSeq: 4, causeSeq: null, event: closed(PEER_B, { direction: "inbound", ...ended }) },
    ]);
    expect(startWith().orphans).toBe(0);
    expect(temporary.store.verifyProjections()).toEqual([]);
  });

  it("have no negative duration where the wall clock was set back", () => {
    observe(temporary.store, opened(PEER_A));
    temporary.clock.stall(-3_600_000);
    startWith();
    expect(temporary.store.history(PEER_A, { limit: 1 })).toMatchObject([{ event: { durationMs: 0, durationClock: "wall" } }]);
  });
});

describe("streams that a crash left open", () => {
  function crashed(): void {
    const { store, clock } = temporary;
    start(store);
    append(store, desired());
    clock.advanceSync(25_000);
    observe(store, opened(PEER_A));
    clock.advanceSync(600_000);
    temporary.reopen();
  }

  const ends = () =>
    temporary.read(
      "select at_ms - (select at_ms from event_log where type = 'StreamOpened') as ms, cause_seq from event_log where type = 'StreamClosed'",
    );

  it("end before anything that is appended while the daemon is stopped, by the event in force then", () => {
    const aliveMs = temporary.clock.wallMs() + 35_000;
    crashed();
    expect(temporary.store.closeOrphans(aliveMs)).toBe(1);
    append(temporary.store, desired({ relation: "NONE", standing: "revoked" }));
    expect(start(temporary.store, { lastAliveMs: aliveMs }).orphans).toBe(0);
    expect(ends()).toEqual([{ ms: 10_000, cause_seq: 2 }]);
  });

  it("end no earlier than the run's last row, also if the log was archived since", async () => {
    const aliveMs = temporary.clock.wallMs() + 20_000;
    crashed();
    await archiveBefore(temporary.directory, 2, { wallMs: () => temporary.clock.wallMs() });
    expect(start(temporary.reopen(), { lastAliveMs: aliveMs }).orphans).toBe(1);
    expect(ends()).toEqual([{ ms: 0, cause_seq: 2 }]);
  });
});
