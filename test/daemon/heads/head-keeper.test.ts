/** When the head of the log goes to the stream of heads, and that nothing waits for it. */
import { beforeEach, expect, it } from "vitest";
import { HeadKeeper } from "../../../src/daemon/heads/head-keeper.ts";
import type { RunId } from "../../../src/events/types.ts";
import { type NatsConnection, NatsError } from "../../../src/nats/connection/client.ts";
import { seededRandom } from "../../../src/sim/time/random.ts";
import { VirtualClock } from "../../../src/sim/time/virtual-clock.ts";
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
let keeper: HeadKeeper;

beforeEach(() => {
  clock = new VirtualClock();
  logger = new RecordingLogger();
  [head, isReading, isClosed, sent] = [headAt(1), true, false, []];
  answer = async () => ({});
  const publish = (subject: string, text: string, { expect: { streamName } }: { expect: { streamName?: string } }) => {
    sent.push({ subject, seq: (JSON.parse(text) as { seq: number }).seq, stream: streamName });
    return answer();
  };
  const client = { isClosed: () => isClosed, jetstream: () => ({ publish }), jetstreamManager: async () => ({}) };
  keeper = new HeadKeeper({
    store: { head: () => head },
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
    random: seededRandom(1),
    logger,
  });
});

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
  expect(keeper.facts()).toEqual({ seq: seqs().at(-1), failing: null });
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
