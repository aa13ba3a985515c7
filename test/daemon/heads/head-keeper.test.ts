/** When the head of the log goes to the stream of heads, and that nothing waits for it. */
import { beforeEach, expect, it } from "vitest";
import { HeadKeeper } from "../../../src/daemon/heads/head-keeper.ts";
import type { CloneSeen, DeliveryEvent } from "../../../src/events/delivery/delivery-events.ts";
import type { RunId } from "../../../src/events/types.ts";
import { type NatsConnection, NatsError, NatsErrorCode } from "../../../src/nats/connection/client.ts";
import { seededRandom } from "../../../src/sim/time/random.ts";
import { VirtualClock } from "../../../src/sim/time/virtual-clock.ts";
import type { LogEntry } from "../../../src/store/model/log-entry.ts";
import type { LogHead } from "../../../src/store/model/log-head.ts";
import { PEER_A } from "../../support/peers.ts";
import { RecordingLogger } from "../../support/recording-logger.ts";

const headAt = (seq: number): LogHead => ({ seq, chainHash: String(seq).padStart(64, "0"), atMs: seq });

let clock: VirtualClock;
let logger: RecordingLogger;
let head: LogHead;
let isReading: boolean;
let isClosed: boolean;
/** How the server answers. */
let answer: () => Promise<unknown>;
let sent: { readonly subject: string; readonly seq: number; readonly stream: string | undefined }[];
/** The newest head in the stream, and what a request for it throws. */
let newest: { readonly run: string; readonly seq: number } | undefined;
let denied: NatsError | undefined;
/** Appended to the log. */
let rows: (DeliveryEvent | CloneSeen)[];
/** Whether requests for the newest head are never answered. */
let isSilent: boolean;
let keeper: HeadKeeper;
let newKeeper: () => HeadKeeper;
let clones: readonly string[];
/** Those before the newest, by their sequence in the stream. */
const earlier = new Map<number, { readonly run: string; readonly seq: number }>();
/** Whether the newest message is not a head. */
let isBroken: boolean;
/** If set, what all random numbers are. */
let jitter: number | undefined;

beforeEach(() => {
  clock = new VirtualClock();
  logger = new RecordingLogger();
  [head, isReading, isClosed, sent, rows] = [headAt(1), true, false, [], []];
  [isSilent, isBroken, clones] = [false, false, []];
  earlier.clear();
  [newest, denied, jitter] = [undefined, undefined, undefined];
  answer = async () => ({});
  const publish = (subject: string, text: string, { expect: { streamName } }: { expect: { streamName?: string } }) => {
    sent.push({ subject, seq: (JSON.parse(text) as { seq: number }).seq, stream: streamName });
    return answer();
  };
  const getMessage = async (_: string, query: { readonly seq?: number }) => {
    if (denied !== undefined) throw denied;
    if (isSilent) return new Promise<never>(() => {});
    const asked = query.seq === undefined ? newest : earlier.get(query.seq);
    if (asked === undefined) throw notFound();
    const { run, seq } = asked;
    if (query.seq === undefined && isBroken) return { seq: 7, data: Buffer.from("no head") };
    const at = "2026-01-01T12:00:00.000Z";
    return {
      seq: query.seq ?? 7,
      data: Buffer.from(JSON.stringify({ peerId: PEER_A, run, seq, chainHash: headAt(seq).chainHash, at })),
    };
  };
  const streams = { getMessage, info: async () => ({ created: "c" }) };
  const client = { isClosed: () => isClosed, jetstream: () => ({ publish }), jetstreamManager: async () => ({ streams }) };
  const random = seededRandom(1);
  newKeeper = () =>
    new HeadKeeper({
      store: {
        head: () => head,
        contradictionOf: ({ seq }) => (seq > head.seq ? "the log ends before it" : null),
        clonesSeen: () => clones,
        deliveries: () => rows.map((event) => ({ event }) as LogEntry<DeliveryEvent>),
        appendDelivery: (events) => {
          rows.push(...events);
          return [];
        },
      },
      connection: {
        onClient: (listener) => {
          listener(client as unknown as NatsConnection);
          return { [Symbol.dispose]: () => {} };
        },
      },
      isReading: () => isReading,
      peerId: PEER_A,
      run: "r1" as RunId,
      clock,
      random: { next: () => jitter ?? random.next(), bytes: (length) => random.bytes(length) },
      logger,
    });
  keeper = newKeeper();
});

function notFound(): NatsError {
  const error = new NatsError("no message found", NatsErrorCode.JetStream404NoMessages);
  error.api_error = { code: 404, err_code: 10_037, description: "no message found" };
  return error;
}

const seqs = () => sent.map(({ seq }) => seq);

it("is published soon after the start, then at most once a minute, and only if it has changed", async () => {
  await clock.advance(3_000);
  expect(sent).toEqual([{ subject: `oc-partnerd.heads.${PEER_A}`, seq: 1, stream: "OC_PARTNERD_HEADS" }]);
  await clock.advance(600_000);
  expect(seqs()).toEqual([1]);
  for (let seq = 2; seq <= 121; seq++) {
    head = headAt(seq);
    await clock.advance(1_000);
  }
  expect(seqs()).toHaveLength(3);
  expect(keeper.facts()).toEqual({ seq: seqs().at(-1), failing: null, cloned: null });
  await keeper[Symbol.asyncDispose]();
  expect(seqs().at(-1)).toBe(121);
  expect(clock.pendingTimers).toBe(0);
});

it("is not published while events come over core NATS, or without a connection", async () => {
  isReading = false;
  await clock.advance(120_000);
  [isReading, isClosed] = [true, true];
  await clock.advance(120_000);
  await keeper[Symbol.asyncDispose]();
  expect(sent).toEqual([]);
});

it("that is refused is one warning, tried again once a minute, and not when stopping", async () => {
  answer = async () => {
    throw new NatsError("503", "503");
  };
  await clock.advance(300_000);
  expect(sent.length).toBeGreaterThanOrEqual(4);
  expect(sent.length).toBeLessThanOrEqual(6);
  expect(logger.at("warn")).toMatchObject([{ fields: { code: "stream_missing" } }]);
  expect(keeper.facts()).toMatchObject({ seq: null, failing: { code: "stream_missing" } });
  const before = sent.length;
  await keeper[Symbol.asyncDispose]();
  expect(sent).toHaveLength(before);
});

it("that a mistake of ours keeps back is a fault, once", async () => {
  answer = async () => {
    throw new TypeError("a bug");
  };
  await clock.advance(300_000);
  expect(logger.lines).toMatchObject([{ level: "error", message: "internal error", fields: { part: "log", error: "a bug" } }]);
});

it("is published again as soon as a minute has passed", async () => {
  jitter = 0.5;
  await keeper[Symbol.asyncDispose]();
  sent = [];
  keeper = newKeeper();
  await clock.advance(2_000);
  head = headAt(2);
  await clock.advance(59_999);
  expect(seqs()).toEqual([1]);
  await clock.advance(1);
  expect(seqs()).toEqual([1, 2]);
});

it("that the server never confirms delays nothing, and the stop by 300 ms", async () => {
  answer = () => new Promise(() => {});
  await clock.advance(3_000);
  let isOver = false;
  const ended = keeper[Symbol.asyncDispose]().then(() => {
    isOver = true;
  });
  await clock.advance(299);
  expect(isOver).toBe(false);
  await clock.advance(1);
  await ended;
  expect(clock.pendingTimers).toBe(0);
});

it("of an earlier run that the log contradicts is recorded as a rollback, once, before ours follows it", async () => {
  newest = { run: "r0", seq: 9 };
  await clock.advance(3_000);
  const evidence = { stream: "OC_PARTNERD_HEADS", streamCreated: "c", streamSequence: 7, lastStreamSequence: 7 };
  expect(rows).toEqual([{ type: "LogRolledBack", reason: "published_head", ...evidence }]);
  expect(seqs()).toEqual([1]);
});

it("of an earlier run that the log has is not a rollback", async () => {
  newest = { run: "r0", seq: 1 };
  await clock.advance(3_000);
  expect(rows).toEqual([]);
});

it("of an earlier run whose rollback the log records is not recorded again", async () => {
  newest = { run: "r0", seq: 9 };
  const evidence = { stream: "OC_PARTNERD_HEADS", streamCreated: "c", streamSequence: 7, lastStreamSequence: 7 };
  rows = [{ type: "LogRolledBack", reason: "published_head", ...evidence }];
  await clock.advance(3_000);
  expect(rows).toHaveLength(1);
});

it("of a clone that an earlier run has seen is not a rollback: its log is another one", async () => {
  newest = { run: "r0", seq: 9 };
  clones = ["r0"];
  await clock.advance(3_000);
  expect([rows, seqs()]).toEqual([[], [1]]);
});

it("of a clone does not hide a rollback: the newest one before it that is ours is compared", async () => {
  newest = { run: "r0", seq: 3 };
  clones = ["r0"];
  earlier.set(6, { run: "r0", seq: 2 }).set(4, { run: "ours, lost", seq: 9 }).set(2, { run: "ours", seq: 1 });
  await clock.advance(3_000);
  expect(rows).toMatchObject([{ type: "LogRolledBack", reason: "published_head", streamSequence: 4, lastStreamSequence: 4 }]);
});

it("that another program's message follows is compared all the same", async () => {
  newest = { run: "", seq: 0 };
  isBroken = true;
  earlier.set(6, { run: "r0", seq: 9 });
  await clock.advance(3_000);
  expect(rows).toMatchObject([{ type: "LogRolledBack", reason: "published_head", streamSequence: 6 }]);
});

it("of a run that publishes while we do is a clone, recorded once, and over after three minutes", async () => {
  newest = { run: "r0", seq: 1 };
  await clock.advance(3_000);
  expect(keeper.facts().cloned).toBeNull();
  newest = { run: "r2", seq: 5 };
  for (let seq = 2; seq <= 4; seq++) {
    head = headAt(seq);
    await clock.advance(63_000);
    expect(keeper.facts().cloned).toMatchObject({ code: "identity_cloned" });
  }
  expect(rows).toEqual([{ type: "CloneSeen", reason: "published_head", details: { otherRun: "r2" } }]);
  newest = { run: "r1", seq: 4 };
  await clock.advance(200_000);
  expect(keeper.facts().cloned).toBeNull();
});

it("that is not shown in time fails the attempt after two seconds", async () => {
  isSilent = true;
  await clock.advance(3_000);
  expect(keeper.facts().failing).toBeNull();
  await clock.advance(2_000);
  expect(keeper.facts().failing).toMatchObject({ code: "nats_unavailable" });
  expect(sent).toEqual([]);
});

it("that may not be read is one warning, and ours are published", async () => {
  denied = new NatsError("denied", NatsErrorCode.PermissionsViolation);
  for (let seq = 2; seq <= 4; seq++) {
    head = headAt(seq);
    await clock.advance(63_000);
  }
  expect(seqs()).toHaveLength(3);
  expect(logger.at("warn")).toHaveLength(1);
  expect(keeper.facts().failing).toBeNull();
});
