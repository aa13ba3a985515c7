/** How many rows a partner's program can cause, through the recorder and a real store. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { PartnerdError } from "../../../src/base/errors.ts";
import type { PeerId } from "../../../src/base/ids.ts";
import { Recorder } from "../../../src/daemon/recorder.ts";
import { LearnedRows, type LearnedRowsInit } from "../../../src/daemon/rows/learned-rows.ts";
import { NOTHING_LEARNED } from "../../../src/events/learned/learned-facts.ts";
import type { DesiredPeer } from "../../../src/events/types.ts";
import { Metrics } from "../../../src/http/metrics.ts";
import { learnedFactsOf } from "../../../src/store/fold/status.ts";
import { archiveBefore } from "../../store/support/archiving.ts";
import { append, closed, desired, inboundRefused, opened } from "../../store/support/events.ts";
import { TemporaryStore } from "../../store/support/temporary-store.ts";
import { PEER_A, PEER_B } from "../../support/peers.ts";
import { RecordingLogger } from "../../support/recording-logger.ts";

const SETTLE_MS = 2_000;
const SPOKEN = { heartbeatFields: "go", heartbeatTimestamp: "unix", challenge: "passed" } as const;
const PROGRAM = { agent: "go-oc/1.4", protocolVersion: "ipfs/0.1.0", protocols: ["/a"], protocolsOmitted: 0 } as const;

let temporary: TemporaryStore;
let logger: RecordingLogger;
let recorder: Recorder;

function startRecorder(): void {
  const { store, clock } = temporary;
  recorder = new Recorder({ store, clock, logger, metrics: new Metrics(), onObserved: () => {} });
}

beforeEach(() => {
  temporary = new TemporaryStore();
  logger = new RecordingLogger();
  startRecorder();
});
afterEach(() => {
  recorder[Symbol.dispose]();
  expect(temporary.store.verifyProjections()).toEqual([]);
  temporary[Symbol.dispose]();
});

const rows = () =>
  temporary.read("select seq, peer_id, cause_seq, details from event_log where type = 'PeerLearned' order by seq");
const facts = () => learnedFactsOf(temporary.store.status(PEER_A));

describe("a partner's program", () => {
  it("gets one row for what it shows within two seconds, with the event in force as its cause", () => {
    const { seq } = append(temporary.store, desired());
    recorder.learned(PEER_A, SPOKEN);
    temporary.clock.advanceSync(SETTLE_MS - 1);
    recorder.learned(PEER_A, PROGRAM);
    expect(rows()).toEqual([]);
    temporary.clock.advanceSync(1);
    expect(rows()).toMatchObject([{ peer_id: PEER_A, cause_seq: seq }]);
    expect(facts()).toEqual({ ...SPOKEN, ...PROGRAM });
    expect(temporary.read("select agent, heartbeat_fields, challenge from peer_programs")).toEqual([
      { agent: "go-oc/1.4", heartbeat_fields: "go", challenge: "passed" },
    ]);
  });

  it("gets no row for what is known, also after a restart and an archive", async () => {
    append(temporary.store, desired());
    recorder.learned(PEER_A, { ...SPOKEN, ...PROGRAM });
    temporary.clock.advanceSync(SETTLE_MS);
    recorder[Symbol.dispose]();
    // An archive leaves the newest row.
    append(temporary.store, desired());
    await archiveBefore(temporary.directory, temporary.store.head().seq);
    temporary.reopen();
    expect(rows()).toEqual([]);
    startRecorder();
    recorder.learned(PEER_A, PROGRAM);
    recorder.learned(PEER_A, SPOKEN);
    temporary.clock.advanceSync(60_000);
    expect(rows()).toEqual([]);
    expect(facts()).toEqual({ ...SPOKEN, ...PROGRAM });
    expect(temporary.read("select agent from peer_programs")).toEqual([{ agent: "go-oc/1.4" }]);
    recorder.learned(PEER_A, { agent: "go-oc/1.5" });
    temporary.clock.advanceSync(SETTLE_MS);
    expect(facts()).toEqual({ ...SPOKEN, ...PROGRAM, agent: "go-oc/1.5" });
  });

  it("that changes every second causes two rows and then six an hour, the newest facts among them", () => {
    append(temporary.store, desired());
    for (let second = 0; second < 3_600; second++) {
      recorder.learned(PEER_A, { heartbeatFields: (["snake", "go", "other"] as const)[second % 3] ?? "both" });
      temporary.clock.advanceSync(1_000);
      if (second === 60) expect(rows()).toHaveLength(2);
    }
    expect(rows().length).toBeGreaterThanOrEqual(6);
    expect(rows().length).toBeLessThanOrEqual(8);
    recorder.learned(PEER_A, { heartbeatFields: "both" });
    temporary.clock.advanceSync(1_200_000);
    expect(facts()?.heartbeatFields).toBe("both");
    expect(rows().length).toBeLessThanOrEqual(9);
  });

  it("is not kept beyond its budget but asked again, while its dialect waits", () => {
    append(temporary.store, desired());
    let again = 0;
    const learned = (agent: string) => {
      recorder.learned(PEER_A, { ...PROGRAM, agent }, () => (again += 1));
      temporary.clock.advanceSync(SETTLE_MS);
    };
    for (const agent of ["one/1", "one/2"]) learned(agent);
    expect([rows().length, again]).toEqual([2, 0]);
    recorder.learned(PEER_A, SPOKEN);
    learned("one/3");
    expect([rows().length, again]).toEqual([2, 1]);
    temporary.clock.advanceSync(600_000);
    expect(facts()).toEqual({ ...PROGRAM, ...SPOKEN, agent: "one/2" });
    temporary.clock.advanceSync(600_000);
    learned("one/3");
    expect([facts()?.agent, again]).toEqual(["one/3", 1]);
  });

  it("that also fails all the time stays within 60 rows a minute", () => {
    append(temporary.store, desired());
    for (let second = 0; second < 60; second++) {
      recorder.learned(PEER_A, { agent: `agent/${second}` });
      recorder.observed(inboundRefused(PEER_A, { reason: second % 2 === 0 ? "challenge_failed" : "flapping" }));
      temporary.clock.advanceSync(1_000);
    }
    // 47 more rows are those of its streams (row-budget.test.ts).
    expect(Number(temporary.read("select count(*) as n from event_log where effect is null")[0]?.["n"])).toBeLessThanOrEqual(13);
  });

  it("that flips back within two seconds, or shows something else only once, leaves no trace of the flip", () => {
    append(temporary.store, desired());
    recorder.learned(PEER_A, PROGRAM);
    temporary.clock.advanceSync(SETTLE_MS);
    recorder.learned(PEER_A, { agent: "other" });
    recorder.learned(PEER_A, PROGRAM);
    temporary.clock.advanceSync(SETTLE_MS);
    expect(rows()).toHaveLength(1);
  });

  it("is not recorded for strangers, nor for a peer that is revoked before its row is written", () => {
    append(temporary.store, desired());
    recorder.learned(PEER_B, PROGRAM);
    recorder.learned(PEER_A, PROGRAM);
    append(temporary.store, desired({ standing: "revoked", relation: "NONE" }));
    temporary.clock.advanceSync(600_000);
    expect(rows()).toEqual([]);
    expect(temporary.store.status(PEER_A)).toBeUndefined();
  });

  it("is asked again if the peer is not a partner when it answers", () => {
    let again = 0;
    recorder.observed(opened(PEER_A, "inbound"));
    recorder.learned(PEER_A, { ...SPOKEN, ...PROGRAM }, () => (again += 1));
    append(temporary.store, desired());
    temporary.clock.advanceSync(SETTLE_MS);
    expect([facts(), again]).toEqual([{ ...NOTHING_LEARNED, ...SPOKEN }, 1]);
  });

  it("has no row if the peer has shown nothing when it becomes a partner", () => {
    recorder.observed(opened(PEER_A, "inbound"));
    append(temporary.store, desired());
    temporary.clock.advanceSync(SETTLE_MS);
    expect(rows()).toEqual([]);
  });

  it("is recorded if the peer becomes a partner while the stream lives on which it showed it", () => {
    recorder.observed(opened(PEER_A, "inbound"));
    recorder.learned(PEER_A, SPOKEN);
    temporary.clock.advanceSync(3_600_000);
    expect(rows()).toEqual([]);
    const { seq } = append(temporary.store, desired());
    temporary.clock.advanceSync(SETTLE_MS);
    expect(rows()).toMatchObject([{ peer_id: PEER_A, cause_seq: seq }]);
    expect(facts()).toEqual({ ...NOTHING_LEARNED, ...SPOKEN });
  });

  it("is forgotten with the stream of a peer that is not a partner yet", () => {
    recorder.observed(opened(PEER_A, "inbound"));
    recorder.learned(PEER_A, SPOKEN);
    recorder.observed(closed(PEER_A, { direction: "inbound" }));
    append(temporary.store, desired());
    temporary.clock.advanceSync(600_000);
    expect(rows()).toEqual([]);
  });

  it("keeps the dialect whose row waits for a writable log, and has the program asked again", () => {
    append(temporary.store, desired());
    recorder.running();
    const { store } = temporary;
    let isFull = true;
    recorder[Symbol.dispose]();
    temporary.store = {
      ...store,
      appendObserved: (observation) => {
        if (isFull) throw new PartnerdError("database_failed", "the disk is full");
        return store.appendObserved(observation);
      },
    };
    startRecorder();
    recorder.running();
    recorder.learned(PEER_A, SPOKEN);
    temporary.clock.advanceSync(SETTLE_MS);
    let again = 0;
    recorder.learned(PEER_A, PROGRAM, () => (again += 1));
    temporary.clock.advanceSync(10 * SETTLE_MS);
    expect([rows(), again]).toEqual([[], 1]);
    isFull = false;
    temporary.clock.advanceSync(120_000);
    expect(facts()).toEqual({ ...NOTHING_LEARNED, ...SPOKEN });
    temporary.store = store;
  });

  it("is written at the end, if its facts still wait", () => {
    append(temporary.store, desired());
    recorder.learned(PEER_A, { agent: "go-oc/1.4" });
    recorder.running();
    recorder[Symbol.dispose]();
    expect(facts()).toEqual({ ...NOTHING_LEARNED, agent: "go-oc/1.4" });
    startRecorder();
  });

  it("keeps a single fact beyond its budget, until it has a row", () => {
    append(temporary.store, desired());
    for (const agent of ["one/1", "one/2"]) {
      recorder.learned(PEER_A, { agent });
      temporary.clock.advanceSync(SETTLE_MS);
    }
    recorder.learned(PEER_A, { challenge: "passed" });
    temporary.clock.advanceSync(SETTLE_MS);
    expect(facts()?.challenge).toBeNull();
    temporary.clock.advanceSync(600_000);
    expect(facts()?.challenge).toBe("passed");
  });

  it("says in the history how many protocols it named", () => {
    append(temporary.store, desired());
    recorder.learned(PEER_A, { ...PROGRAM, protocols: ["/a", "/b"], protocolsOmitted: 7 });
    temporary.clock.advanceSync(SETTLE_MS);
    expect(temporary.read("select summary from peer_history where type = 'PeerLearned'")).toEqual([
      { summary: "its program: go-oc/1.4, 9 protocols" },
    ]);
  });

  it("puts no text of the far end into the service log, and quotes it in the history", () => {
    append(temporary.store, desired());
    recorder.learned(PEER_A, { ...SPOKEN, ...PROGRAM, agent: "evil\u001b[31m, challenge failed" });
    temporary.clock.advanceSync(SETTLE_MS);
    expect(JSON.stringify(logger.lines)).not.toContain("evil");
    expect(logger.at("info").at(-1)).toMatchObject({
      message: "learned about the program of a peer",
      fields: { protocols: 1, ...SPOKEN },
    });
    expect(temporary.read("select summary from peer_history where type = 'PeerLearned'")).toEqual([
      {
        summary:
          'its program: "evil\\u001b[31m, challenge failed", 1 protocol, heartbeat fields go, timestamp unix, challenge passed',
      },
    ]);
  });
});

it("what waits of many partners is tried a few at a time, each in its turn", () => {
  const { clock } = temporary;
  const timers = clock.pendingTimers;
  const partners = Array.from({ length: 100 }, (_, index) => `partner-${index}` as PeerId);
  let tried: PeerId[] = [];
  let isBehind = true;
  const store: LearnedRowsInit["store"] = {
    get: (peerId) => {
      tried.push(peerId);
      return { standing: "partner", generation: 1 } as DesiredPeer;
    },
    status: () => undefined,
  };
  const written: PeerId[] = [];
  using rowsOfMany = new LearnedRows({
    clock,
    store,
    write: ({ event }) => void (event.type === "PeerLearned" && written.push(event.peerId)),
    isBehind: () => isBehind,
  });
  for (const peerId of partners) rowsOfMany.learned(peerId, SPOKEN);
  clock.advanceSync(SETTLE_MS);
  tried = [];
  for (let second = 0; second < 4; second++) {
    const before = tried.length;
    clock.advanceSync(1_000);
    expect(tried.length - before).toBe(32);
  }
  expect(tried.slice(0, 100)).toEqual(partners);
  isBehind = false;
  clock.advanceSync(4_000);
  expect(written.toSorted()).toEqual(partners.toSorted());
  expect(clock.pendingTimers).toBe(timers);
});

it("what waits is written at the end, if it can be by then", () => {
  const { clock } = temporary;
  const timers = clock.pendingTimers;
  const written: unknown[] = [];
  let isBehind = true;
  const rowsAtEnd = new LearnedRows({
    clock,
    store: { get: () => ({ standing: "partner", generation: 3 }) as DesiredPeer, status: () => undefined },
    write: (observation) => void written.push(observation),
    isBehind: () => isBehind,
  });
  rowsAtEnd.learned(PEER_A, SPOKEN);
  clock.advanceSync(SETTLE_MS);
  isBehind = false;
  rowsAtEnd[Symbol.dispose]();
  const event = { type: "PeerLearned", peerId: PEER_A, details: { ...NOTHING_LEARNED, ...SPOKEN } };
  expect(written).toEqual([{ event, atMs: clock.wallMs(), causeSeq: 3 }]);
  expect(clock.pendingTimers).toBe(timers);
});

it("a program that could not be written leaves nothing that waits", () => {
  const { clock } = temporary;
  const timers = clock.pendingTimers;
  let again = 0;
  using rowsBehind = new LearnedRows({
    clock,
    store: { get: () => ({ standing: "partner", generation: 3 }) as DesiredPeer, status: () => undefined },
    write: () => {},
    isBehind: () => true,
  });
  rowsBehind.learned(PEER_A, PROGRAM, () => (again += 1));
  clock.advanceSync(SETTLE_MS);
  expect([again, clock.pendingTimers]).toEqual([1, timers]);
});

it("a row that repeats what the log knows is not appended", () => {
  const { store } = temporary;
  const { generation: causeSeq } = append(store, desired());
  const event = { type: "PeerLearned", peerId: PEER_A, details: { ...NOTHING_LEARNED, ...PROGRAM } } as const;
  expect(store.appendObserved({ event, causeSeq })).toMatchObject({ event });
  expect(store.appendObserved({ event, causeSeq })).toBe("repeated");
  expect(rows()).toHaveLength(1);
});
