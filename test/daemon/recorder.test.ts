/** Rows, metrics and log lines of what happened. */
import { beforeEach, describe, expect, it } from "vitest";
import { PartnerdError, toPartnerdError } from "../../src/base/errors.ts";
import { countingFaults } from "../../src/base/log.ts";
import { Recorder } from "../../src/daemon/recorder.ts";
import { DEFAULT_LIMITS, DEFAULT_VOCABULARY } from "../../src/events/vocabulary.ts";
import { Metrics } from "../../src/http/metrics.ts";
import { openLogReader } from "../../src/store/log-reader.ts";
import {
  addressOf,
  append,
  closed,
  desired,
  inboundRefused,
  observe,
  opened,
  openFailed,
  received,
  rejected,
  start,
} from "../store/support/events.ts";
import { TemporaryStore } from "../store/support/temporary-store.ts";
import { ATTEMPT, RUN } from "../support/attempts.ts";
import { desiredPeer, PEER_A } from "../support/peers.ts";
import { RecordingLogger } from "../support/recording-logger.ts";

let logger: RecordingLogger;
let metrics: Metrics;

function recorderOn({ store, clock }: Pick<TemporaryStore, "store" | "clock">): Recorder {
  const counting = countingFaults(logger, (part) => metrics.internalErrors.inc({ part }));
  return new Recorder({ store, clock, logger: counting, metrics, onObserved: () => {} });
}

const config = (partnerRelations: readonly string[]) => ({
  events: { ...DEFAULT_VOCABULARY, ...DEFAULT_LIMITS, partnerRelations },
});

beforeEach(() => {
  logger = new RecordingLogger();
  metrics = new Metrics();
});

describe("the recorder", () => {
  it("leads from each log line to the row and to the event behind it", () => {
    using temporary = new TemporaryStore();
    using recorder = recorderOn(temporary);
    append(temporary.store, desired());
    recorder.observed(openFailed(PEER_A));
    recorder.observed(opened(PEER_A));
    append(temporary.store, desired({ relation: "NONE", standing: "revoked" }));
    recorder.observed(closed(PEER_A, { reason: "revoked" }));
    recorder.observed(inboundRefused(PEER_A));
    const lines = [...logger.at("warn"), ...logger.at("info")].map(({ fields }) => fields);
    const attempt = ATTEMPT.id;
    expect(lines).toMatchObject([
      { seq: 2, causeSeq: 1, attempt, reason: "timeout" },
      { seq: 6, causeSeq: 4, reason: "not_partner" },
      { seq: 3, causeSeq: 1, attempt, direction: "outbound" },
      { seq: 5, causeSeq: 4, openedSeq: 3, attempt, reason: "revoked", durationMs: 10_000 },
    ]);
    expect(temporary.read("select seq, cause_seq from event_log where cause_seq is not null")).toEqual([
      { seq: 2, cause_seq: 1 },
      { seq: 3, cause_seq: 1 },
      { seq: 5, cause_seq: 4 },
      { seq: 6, cause_seq: 4 },
    ]);
  });

  it("measures from the event to the stream by the monotonic clock, also if the wall clock is set back", async () => {
    using temporary = new TemporaryStore();
    using recorder = recorderOn(temporary);
    append(temporary.store, desired());
    temporary.clock.stall(1_000);
    // Neither their stream nor a repeated event counts.
    recorder.observed(opened(PEER_A, "inbound"));
    append(temporary.store, desired());
    temporary.clock.stall(2_000);
    const wallMs = temporary.clock.wallMs.bind(temporary.clock);
    temporary.clock.wallMs = () => wallMs() - 3_600_000;
    recorder.observed(opened(PEER_A));
    const { text } = await metrics.text();
    expect(text).toMatch(/^oc_partnerd_establish_seconds_sum 3$/m);
  });

  it("measures nothing for an event about a partner whose stream is open", async () => {
    using temporary = new TemporaryStore();
    using recorder = recorderOn(temporary);
    append(temporary.store, desired());
    recorder.observed(opened(PEER_A));
    recorder.observed(closed(PEER_A, { direction: "inbound" }));
    append(temporary.store, desired({ address: "/ip4/10.0.0.9/tcp/4001" as never }));
    temporary.clock.stall(6 * 3_600_000);
    recorder.observed(closed(PEER_A));
    recorder.observed(opened(PEER_A));
    expect((await metrics.text()).text).toMatch(/^oc_partnerd_establish_seconds_count 1$/m);
  });

  it("counts and logs a fault of our own with its stack, and records no failure of the peer", async () => {
    using temporary = new TemporaryStore();
    using recorder = recorderOn(temporary);
    const error = toPartnerdError(new TypeError("a bug"));
    const fault = { kind: "fault", part: "reconciler", error, attempt: ATTEMPT.id } as const;
    recorder.faulted(PEER_A, fault);
    recorder.settled(PEER_A, fault);
    expect(logger.at("error")).toMatchObject([
      {
        message: "internal error",
        fields: {
          peerId: PEER_A,
          part: "reconciler",
          attempt: ATTEMPT.id,
          code: "internal_error",
          stack: expect.stringContaining("recorder.test.ts") as string,
        },
      },
    ]);
    expect((await metrics.text()).text).toMatch(/^oc_partnerd_internal_errors_total\{part="reconciler"\} 1$/m);
    expect(temporary.store.head().seq).toBe(0);
  });

  it("warns of another vocabulary at every start until the log is reinterpreted, and again after the next change", () => {
    using temporary = new TemporaryStore();
    const isWarned = (relations: readonly string[]) => {
      const before = logger.at("warn").length;
      using recorder = recorderOn(temporary);
      recorder.started({ run: RUN, peerId: PEER_A, version: "1.0.0", config: config(relations), lastAliveMs: null });
      recorder.running();
      return logger
        .at("warn")
        .slice(before)
        .map(({ message }) => message.split(";")[0])
        .includes("vocabulary changed");
    };
    const reinterpret = (relations: readonly string[]) => {
      const { events } = config(relations);
      using reader = openLogReader(temporary.directory);
      temporary.store.appendReinterpreted(reader.reinterpret(events, () => {}).changes, events);
    };
    const [before, after] = [["PARTNER"], ["PARTNER", "ALLY"]];
    expect([isWarned(before), isWarned(before), isWarned(after), isWarned(after)]).toEqual([false, false, true, true]);
    // The second run may have decoded messages under the other vocabulary.
    expect(isWarned(before)).toBe(true);
    reinterpret(after);
    expect([isWarned(after), isWarned(after), isWarned(before)]).toEqual([false, false, true]);
    reinterpret(before);
    expect(isWarned(before)).toBe(false);
  });

  it("leaves no row of a start that failed, unless something was observed before", () => {
    using temporary = new TemporaryStore();
    const init = { run: RUN, peerId: PEER_A, version: "1.0.0", config: config(["PARTNER"]), lastAliveMs: null };
    {
      using recorder = recorderOn(temporary);
      recorder.started(init);
    }
    expect(temporary.store.head().seq).toBe(0);
    {
      using recorder = recorderOn(temporary);
      recorder.started(init);
      recorder.observed(opened(PEER_A, "inbound"));
    }
    expect(temporary.read("select type from event_log order by seq").map(({ type }) => type)).toEqual([
      "DaemonStarted",
      "StreamOpened",
      "DaemonStopped",
    ]);
  });

  it("tells a peer that is given up from one that is retried", () => {
    using temporary = new TemporaryStore();
    using recorder = recorderOn(temporary);
    const error = new PartnerdError("address_unsupported", "no transport");
    recorder.settled(PEER_A, { kind: "retry", error, attempt: ATTEMPT });
    expect(logger.at("warn")).toEqual([]);
    recorder.settled(PEER_A, { kind: "terminal", error, attempt: ATTEMPT });
    expect(logger.at("warn")).toMatchObject([{ fields: { attempt: ATTEMPT.id, code: "address_unsupported" } }]);
  });

  it("logs what a library said about a failure at debug level only", () => {
    using temporary = new TemporaryStore();
    using recorder = recorderOn(temporary);
    const error = new PartnerdError("dial_failed", "cannot connect", { cause: new Error("220 mail.example ESMTP") });
    recorder.settled(PEER_A, { kind: "retry", error, attempt: ATTEMPT });
    recorder.settled(PEER_A, { kind: "terminal", error, attempt: ATTEMPT });
    recorder.explained(PEER_A, error);
    expect(logger.at("debug").map(({ fields }) => fields)).toMatchObject([
      { attempt: ATTEMPT.id, cause: "220 mail.example ESMTP" },
      { attempt: ATTEMPT.id, cause: "220 mail.example ESMTP" },
      { code: "dial_failed", cause: "220 mail.example ESMTP" },
    ]);
    expect(JSON.stringify([...logger.at("info"), ...logger.at("warn")])).not.toContain("220");
  });

  it("warns once of addresses that TCP cannot dial", () => {
    using temporary = new TemporaryStore();
    using _recorder = recorderOn(temporary);
    const quic = "/ip4/10.0.0.9/udp/4001/quic-v1";
    const record = desired({ address: `${quic},/ip4/10.0.0.9/tcp/4001` as never });
    append(temporary.store, record);
    append(temporary.store, record);
    expect(logger.at("warn").map(({ fields }) => fields)).toMatchObject([{ seq: 1, skipped: [`${quic}/p2p/${PEER_A}`] }]);
  });

  it("counts each action, and tells all but the renewals", async () => {
    using temporary = new TemporaryStore();
    using recorder = recorderOn(temporary);
    recorder.acted(PEER_A, { kind: "open", peer: desiredPeer(PEER_A), why: "it is a partner" }, null);
    recorder.acted(PEER_A, { kind: "renew", why: "it is time" }, ATTEMPT.id);
    const close = { kind: "close", direction: "both", reason: "revoked", dropConnections: false, why: "it is revoked" } as const;
    recorder.acted(PEER_A, close, ATTEMPT.id);
    expect(logger.lines).toEqual([
      { level: "debug", message: "reconciler acts", fields: { peerId: PEER_A, action: "open", why: "it is a partner" } },
      {
        level: "debug",
        message: "reconciler acts",
        fields: { peerId: PEER_A, action: "close", why: "it is revoked", attempt: ATTEMPT.id },
      },
    ]);
    const { text } = await metrics.text();
    for (const kind of ["open", "renew", "close"]) expect(text).toContain(`oc_partnerd_actions_total{kind="${kind}"} 1\n`);
  });

  it("reports work that the periodic diff found", async () => {
    using temporary = new TemporaryStore();
    using recorder = recorderOn(temporary);
    recorder.resyncFound(PEER_A);
    expect(logger.lines).toEqual([{ level: "warn", message: "periodic diff found missed work", fields: { peerId: PEER_A } }]);
    expect((await metrics.text()).text).toContain('oc_partnerd_resync_found_total{kind="key"} 1\n');
  });

  it("counts streams, failures and refusals, and failed appends", async () => {
    using temporary = new TemporaryStore();
    const store = { ...temporary.store };
    using recorder = recorderOn({ clock: temporary.clock, store });
    recorder.observed(opened(PEER_A));
    recorder.observed(closed(PEER_A));
    recorder.observed(openFailed(PEER_A));
    recorder.observed(inboundRefused(PEER_A));
    const appendObserved = store.appendObserved.bind(store);
    store.appendObserved = () => {
      throw new PartnerdError("database_failed", "database is locked", { details: { isPassing: true } });
    };
    recorder.observed(opened(PEER_A, "inbound"));
    store.appendObserved = appendObserved;
    const { text } = await metrics.text();
    for (const series of [
      'streams_opened_total{direction="outbound"}',
      'streams_opened_total{direction="inbound"}',
      'streams_closed_total{reason="expired"}',
      'open_failures_total{reason="timeout"}',
      'inbound_refused_total{reason="not_partner"}',
      'event_log_failures_total{kind="locked"}',
    ])
      expect(text).toContain(`oc_partnerd_${series} 1\n`);
    expect(text).toContain('oc_partnerd_event_log_failures_total{kind="append"} 0\n');
  });

  it("has earlier observations in the log before a received message", () => {
    using temporary = new TemporaryStore();
    const store = { ...temporary.store };
    using recorder = recorderOn({ clock: temporary.clock, store });
    const appendObserved = store.appendObserved.bind(store);
    store.appendObserved = () => {
      throw new PartnerdError("database_failed", "disk full");
    };
    recorder.observed(opened(PEER_A, "inbound"));
    const message = received(desired());
    expect(() => recorder.received.appendReceived([message])).toThrow("disk full");
    expect(recorder.failing?.message).toBe("disk full");
    store.appendObserved = appendObserved;
    expect(recorder.received.appendReceived([message])).toMatchObject([{ seq: 2 }]);
    expect(temporary.read("select type from event_log order by seq").map(({ type }) => type)).toEqual([
      "StreamOpened",
      "PeerDesired",
    ]);
  });

  it("says that its stop has no row, and whether that is a mistake of ours", () => {
    using temporary = new TemporaryStore();
    for (const error of [new PartnerdError("database_failed", "disk full"), new TypeError("a bug")]) {
      const before = logger.lines.length;
      const appendStopped = () => {
        throw error;
      };
      const recorder = recorderOn({ clock: temporary.clock, store: { ...temporary.store, appendStopped } });
      recorder.started({ run: RUN, peerId: PEER_A, version: "1.0.0", config: config(["PARTNER"]), lastAliveMs: null });
      recorder.running();
      recorder[Symbol.dispose]();
      const message = "could not record the shutdown; the next start will report an unclean one";
      const [fault, said] = [
        { message: "internal error", fields: { part: "log", error: "a bug" } },
        { level: "warn", message, fields: { error: error.message } },
      ];
      const lines = logger.lines.slice(before).filter((line) => line.message === message || line.message === "internal error");
      expect(lines).toMatchObject(error instanceof TypeError ? [fault, said] : [said]);
    }
  });

  it("measures each event once, also one that comes after a loss, and none that is outdated", async () => {
    using temporary = new TemporaryStore();
    using recorder = recorderOn(temporary);
    const measured = async () => Number(/establish_seconds_count (\d+)/.exec((await metrics.text()).text)?.[1]);
    append(temporary.store, desired());
    for (let count = 0; count < 2; count++) {
      recorder.observed(opened(PEER_A));
      recorder.observed(closed(PEER_A));
    }
    expect(await measured()).toBe(1);
    append(temporary.store, desired({ address: addressOf(PEER_A, "10.0.0.9") }));
    recorder.observed(opened(PEER_A));
    recorder.observed(closed(PEER_A));
    expect(await measured()).toBe(2);
    append(temporary.store, desired({ address: addressOf(PEER_A, "10.0.0.8") }));
    append(temporary.store, desired({ relation: "NONE", standing: "revoked" }));
    recorder.observed(opened(PEER_A));
    expect(await measured()).toBe(2);
  });

  it("passes on what it observes, and is silent after its end", () => {
    using temporary = new TemporaryStore();
    const { store, clock } = temporary;
    const seen: unknown[] = [];
    const recorder = new Recorder({ store, clock, logger, metrics, onObserved: (event) => void seen.push(event) });
    const refused = inboundRefused(PEER_A);
    recorder.observed(refused);
    expect(seen).toEqual([refused]);
    const { reason, message: error } = refused;
    const line = { level: "warn", message: "refused inbound stream", fields: { seq: 1, peerId: PEER_A, reason, error } };
    expect(logger.lines).toEqual([line]);
    recorder[Symbol.dispose]();
    append(store, rejected());
    observe(store, opened(PEER_A));
    expect(logger.lines).toEqual([line]);
  });

  it("says how many streams a crash has left open, and nothing of none", () => {
    using temporary = new TemporaryStore();
    start(temporary.store);
    observe(temporary.store, opened(PEER_A));
    const orphans = () => logger.lines.filter(({ message }) => message.startsWith("previous run did not shut down cleanly"));
    for (const _run of ["after the crash", "after a clean stop"]) {
      using recorder = recorderOn({ clock: temporary.clock, store: temporary.reopen() });
      recorder.started({ run: RUN, peerId: PEER_A, version: "1.0.0", config: config(["PARTNER"]), lastAliveMs: null });
      recorder.running();
      expect(orphans().map(({ fields }) => fields)).toEqual([{ streams: 1 }]);
    }
  });

  it("names no attempt in a fault that belongs to none", () => {
    using temporary = new TemporaryStore();
    using recorder = recorderOn(temporary);
    recorder.faulted(PEER_A, { part: "streams", error: new PartnerdError("internal_error", "a bug"), attempt: null });
    const fields = {
      part: "streams",
      peerId: PEER_A,
      code: "internal_error",
      error: "a bug",
      stack: expect.any(String) as string,
    };
    expect(logger.lines.map((line) => line.fields)).toEqual([fields]);
  });

  it("warns of no address that TCP can dial, or that is not dialled anyway", () => {
    using temporary = new TemporaryStore();
    using _recorder = recorderOn(temporary);
    append(temporary.store, desired());
    append(temporary.store, desired({ address: null }));
    const address = "/ip4/10.0.0.9/udp/4001/quic-v1" as never;
    append(temporary.store, desired({ address, relation: "NONE", standing: "revoked" }));
    expect(logger.lines).toEqual([]);
  });
});
