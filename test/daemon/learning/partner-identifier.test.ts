import { afterEach, beforeEach, expect, it } from "vitest";
import { PartnerdError } from "../../../src/base/errors.ts";
import type { PeerId } from "../../../src/base/ids.ts";
import { PartnerIdentifier } from "../../../src/daemon/learning/partner-identifier.ts";
import type { LearnedFacts } from "../../../src/events/learned/learned-facts.ts";
import type { DesiredPeer } from "../../../src/events/types.ts";
import { VirtualClock } from "../../../src/sim/time/virtual-clock.ts";
import { closed, opened } from "../../store/support/events.ts";
import { RecordingLogger } from "../../support/recording-logger.ts";

const PARTNER = "partner" as PeerId;

let clock: VirtualClock;
let logger: RecordingLogger;
let identifier: PartnerIdentifier;
/** Those that were asked, and what settles the answer. */
let asked: { peerId: PeerId; answer: PromiseWithResolvers<Partial<LearnedFacts>>; signal: AbortSignal }[];
/** Besides those of that name. */
let partners: Set<PeerId>;
let learned: [PeerId, Partial<LearnedFacts>][];
/** Of the newest answer. */
let askAgain: () => void;

beforeEach(() => {
  clock = new VirtualClock();
  logger = new RecordingLogger();
  asked = [];
  learned = [];
  partners = new Set();
  identifier = new PartnerIdentifier({
    clock,
    logger,
    desired: {
      get: (peerId) =>
        ({ standing: peerId.startsWith("partner") || partners.has(peerId) ? "partner" : "revoked" }) as DesiredPeer,
    },
    recorder: {
      learned: (peerId, facts, again) => {
        learned.push([peerId, facts]);
        askAgain = again;
      },
    },
    identify: (peerId, signal) => {
      const answer = Promise.withResolvers<Partial<LearnedFacts>>();
      asked.push({ peerId, answer, signal });
      return answer.promise;
    },
  });
});
afterEach(() => identifier[Symbol.dispose]());

const names = () => asked.map(({ peerId }) => peerId);
/** A new session of both directions. */
function session(peerId = PARTNER): void {
  identifier.observed(opened(peerId));
  identifier.observed(opened(peerId, "inbound"));
}
const loss = (peerId = PARTNER) => identifier.observed(closed(peerId));

it("asks a partner once in a session, and tells the answer", async () => {
  session();
  await clock.advance(1_000);
  expect(names()).toEqual([PARTNER]);
  asked[0]?.answer.resolve({ agent: "one/1" });
  await clock.advance(1_000);
  identifier.observed(opened(PARTNER));
  await clock.advance(3_600_000);
  expect(learned).toEqual([[PARTNER, { agent: "one/1" }]]);
  expect(asked).toHaveLength(1);
});

it("asks again after a loss, three times in a row and then once in ten minutes", async () => {
  for (let second = 0; second < 3_600; second++) {
    session();
    await clock.advance(500);
    asked.at(-1)?.answer.resolve({});
    loss();
    await clock.advance(500);
    if (second === 30) expect(asked).toHaveLength(3);
  }
  expect(asked.length).toBeGreaterThanOrEqual(8);
  expect(asked.length).toBeLessThanOrEqual(9);
});

it("asks a partner that did not answer again after five minutes, within ten minutes each, until it answers", async () => {
  session();
  for (let minute = 0; minute < 60; minute++) {
    await clock.advance(60_000);
    if (minute < 59) asked.at(-1)?.answer.reject(new PartnerdError("timeout", "no answer"));
    if (minute === 6) expect(asked).toHaveLength(2);
  }
  expect(asked.length).toBeGreaterThanOrEqual(7);
  expect(asked.length).toBeLessThanOrEqual(8);
  const before = asked.length;
  asked.at(-1)?.answer.resolve({ agent: "one/1" });
  await clock.advance(600_000);
  asked.at(-1)?.answer.resolve({ agent: "one/1" });
  const after = asked.length;
  await clock.advance(3_600_000);
  expect(learned.at(-1)).toEqual([PARTNER, { agent: "one/1" }]);
  expect(asked).toHaveLength(after);
  expect(after - before).toBeLessThanOrEqual(1);
});

it("asks a partner whose last stream opened beyond the rate, once that allows it", async () => {
  for (let count = 0; count < 4; count++) {
    if (count > 0) loss();
    session();
    await clock.advance(1_000);
    asked.at(-1)?.answer.resolve({});
  }
  expect(asked).toHaveLength(3);
  await clock.advance(900_000);
  expect(asked).toHaveLength(4);
});

it("asks again after five minutes if the answer could not be logged, but not once the stream is gone", async () => {
  session();
  await clock.advance(1);
  asked[0]?.answer.resolve({ agent: "one/1" });
  await clock.advance(2_000);
  askAgain();
  await clock.advance(299_000);
  expect(asked).toHaveLength(1);
  await clock.advance(1_001);
  expect(asked).toHaveLength(2);
  asked[1]?.answer.resolve({ agent: "one/1" });
  await clock.advance(1);
  loss();
  askAgain();
  await clock.advance(3_600_000);
  expect(asked).toHaveLength(2);
});

it("asks a peer that becomes a partner while its stream is open", async () => {
  identifier.observed(opened("stranger" as PeerId, "inbound"));
  await clock.advance(100_000);
  partners.add("stranger" as PeerId);
  await clock.advance(200_000);
  expect(names()).toEqual(["stranger"]);
});

it("does not ask again after a failure if the stream is gone", async () => {
  session();
  await clock.advance(1);
  loss();
  asked[0]?.answer.reject(new PartnerdError("timeout", "no answer"));
  await clock.advance(3_600_000);
  expect(asked).toHaveLength(1);
});

it("does not ask later, after a failure, if the stream is gone by then", async () => {
  session();
  await clock.advance(1);
  asked[0]?.answer.reject(new PartnerdError("timeout", "no answer"));
  await clock.advance(1);
  loss();
  await clock.advance(3_600_000);
  expect(asked).toHaveLength(1);
  // Nothing is left to be asked later, either.
  identifier.observed(opened("partner-2" as PeerId));
  await clock.advance(1);
  asked[1]?.answer.reject(new PartnerdError("timeout", "no answer"));
  await clock.advance(1);
  expect(clock.pendingTimers).toBe(1);
  identifier[Symbol.dispose]();
  expect(clock.pendingTimers).toBe(0);
});

it("does not ask again one that has answered, although it had waited for that", async () => {
  for (let count = 0; count < 3; count++) {
    session();
    await clock.advance(1_000);
    asked.at(-1)?.answer.resolve({});
    await clock.advance(1);
    loss();
  }
  await clock.advance(500_000);
  // Beyond the rate: to be asked later.
  identifier.observed(opened(PARTNER));
  await clock.advance(200_000);
  expect(asked).toHaveLength(3);
  identifier.observed(opened(PARTNER, "inbound"));
  await clock.advance(1);
  expect(asked).toHaveLength(4);
  asked[3]?.answer.resolve({ agent: "one/1" });
  await clock.advance(7_200_000);
  expect(asked).toHaveLength(4);
});

it("does not ask twice at once, however long the answer takes", async () => {
  session();
  await clock.advance(1);
  asked[0]?.answer.reject(new PartnerdError("timeout", "no answer"));
  await clock.advance(300_000);
  expect(asked).toHaveLength(2);
  identifier.observed(opened("stranger" as PeerId, "inbound"));
  await clock.advance(1_200_000);
  expect(names()).toEqual([PARTNER, PARTNER]);
});

it("asks the next one 50 ms later, whether or not the one before has answered, and also the last", async () => {
  const many = Array.from({ length: 9 }, (_, index) => `partner-${index}` as PeerId);
  for (const peerId of many) identifier.observed(opened(peerId));
  await clock.advance(0);
  expect(asked).toHaveLength(1);
  await clock.advance(49);
  expect(asked).toHaveLength(1);
  await clock.advance(1);
  expect(asked).toHaveLength(2);
  await clock.advance(1_000);
  expect(asked).toHaveLength(8);
  asked[0]?.answer.resolve({});
  await clock.advance(50);
  expect(names()).toEqual(many);
});

it("asks the second of two although the first does not answer", async () => {
  for (const peerId of ["partner-1", "partner-2"]) identifier.observed(opened(peerId as PeerId));
  await clock.advance(50);
  expect(names()).toEqual(["partner-1", "partner-2"]);
});

it("asks no one else, and no one whose stream is lost in the meantime", async () => {
  session("stranger" as PeerId);
  session();
  loss();
  identifier.observed(closed("partner-2" as PeerId, { reason: "replaced" }));
  await clock.advance(60_000);
  expect(asked).toEqual([]);
});

it("asks 8 at a time and 20 a second, so that the silent delay the others only by their places", async () => {
  const many = Array.from({ length: 100 }, (_, index) => `partner-${index}` as PeerId);
  for (const peerId of many) identifier.observed(opened(peerId));
  await clock.advance(10_000);
  expect(names()).toEqual(many.slice(0, 8));
  for (const { answer } of asked) answer.reject(new PartnerdError("timeout", "no answer"));
  await clock.advance(10_000);
  expect(names()).toEqual(many.slice(0, 16));
  let seen = asked.length;
  for (let second = 0; second < 10; second++) {
    for (let step = 0; step < 20; step++) {
      for (const { answer } of asked) answer.resolve({});
      await clock.advance(50);
    }
    expect(asked.length - seen).toBeLessThanOrEqual(21);
    seen = asked.length;
  }
  expect(names()).toEqual(many);
});

it("a failed answer is a debug line with its code, and a mistake of ours a fault", async () => {
  session();
  await clock.advance(1);
  asked[0]?.answer.reject(new Error("\u001b[31mtext of a library"));
  await clock.advance(1);
  expect(logger.lines).toEqual([
    { level: "debug", fields: { peerId: PARTNER, code: "stream_lost" }, message: "could not identify the program of a peer" },
  ]);
  loss();
  session();
  await clock.advance(1);
  asked[1]?.answer.reject(new TypeError("undefined is not a function"));
  await clock.advance(1);
  const fields = { peerId: PARTNER, part: "streams" };
  expect(logger.at("error")).toMatchObject([{ fields, message: "internal error" }]);
});

it("ends with the daemon: what is asked is aborted, and nothing more is asked or told", async () => {
  session();
  session("partner-2" as PeerId);
  await clock.advance(1);
  identifier[Symbol.dispose]();
  expect(asked.map(({ signal }) => signal.aborted)).toEqual([true]);
  asked[0]?.answer.resolve({ agent: "late/1" });
  session("partner-3" as PeerId);
  await clock.advance(60_000);
  expect([asked.length, learned, logger.lines]).toEqual([1, [], []]);
  expect(clock.pendingTimers).toBe(0);
});
