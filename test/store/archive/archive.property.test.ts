/** Two logs with the same story, one archived at random points: both report the same, and behave the same from then on. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { liveRandomStory } from "../../../bench/random-story.ts";
import { seededRandom } from "../../../src/sim/time/random.ts";
import { propertyRuns } from "../../support/campaign.ts";
import { archiveBefore, findingsIn, Twin } from "../support/archiving.ts";
import { append, received, rejected, start } from "../support/events.ts";
import { appendLongLog, STREAM } from "../support/long-log.ts";
import { TemporaryStore } from "../support/temporary-store.ts";
import { anyStep, appendFiller, historyBehind, stateOf, streamMessages } from "../support/twins.ts";

/** Archives a random part of `archived` at each cut, and appends as many rows to the other log. Returns the last archived seq. */
async function archiveAt(archived: Twin, whole: Twin, cuts: readonly number[]): Promise<number> {
  const archivedUntil = () => Number(archived.read("select coalesce(max(last_seq), 0) as seq from archives")[0]?.["seq"]);
  for (const cut of cuts) {
    const lastSeq = archivedUntil();
    const head = archived.store.head().seq;
    const before = lastSeq + 2 + Math.floor(cut * (head - lastSeq - 1));
    if (before > head) continue;
    await archiveBefore(archived.directory, before, { wallMs: () => archived.clock.wallMs() });
    appendFiller(whole.store);
    // A row also writes the repeated failures counted in memory: both logs do that here.
    for (const twin of [archived, whole]) appendFiller(twin.store);
  }
  return archivedUntil();
}

function expectAlike(archived: Twin, whole: Twin, lastSeq: number): void {
  expect(stateOf(archived)).toEqual(stateOf(whole));
  expect(historyBehind(archived, lastSeq)).toEqual(historyBehind(whole, lastSeq));
  expect(archived.store.verifyProjections()).toEqual([]);
}

const cuts = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 1, maxLength: 3 });

describe("an archived log and a whole one", () => {
  it("report and behave the same, after any story of a stream", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 40 }),
        cuts,
        fc.array(anyStep, { maxLength: 25 }),
        cuts,
        async (rounds, first, steps, second) => {
          using temporary = new TemporaryStore();
          appendLongLog(temporary.store, temporary.clock, rounds);
          temporary.store[Symbol.dispose]();
          using archived = new Twin(temporary);
          using whole = new Twin(temporary);
          const messages = streamMessages(whole);
          let lastSeq = await archiveAt(archived, whole, first);
          expectAlike(archived, whole, lastSeq);
          for (const step of steps) expect(step(archived)).toEqual(step(whole));
          // Redelivers everything that the stream ever delivered.
          const again = archived.store.appendReceived(messages);
          expect(again).toEqual(whole.store.appendReceived(messages));
          expect(new Set(again)).toEqual(new Set(["duplicate"]));
          expectAlike(archived, whole, lastSeq);
          lastSeq = await archiveAt(archived, whole, second);
          expectAlike(archived, whole, lastSeq);
          // The steps move the cursor as no broker does: backwards, and to another stream without a DeliveryChanged.
          const findings = findingsIn(archived.directory).filter((finding) => !finding.startsWith("ingest_cursor"));
          expect(findings).toEqual([]);
        },
      ),
      propertyRuns(4, 60),
    );
  });

  it("report the same after a long story of many partners", async () => {
    using temporary = new TemporaryStore();
    liveRandomStory(temporary, seededRandom(5), { partners: 20, events: 900 });
    temporary.store[Symbol.dispose]();
    using archived = new Twin(temporary);
    using whole = new Twin(temporary);
    const lastSeq = await archiveAt(archived, whole, [0.3, 0.5, 0.7]);
    expect(lastSeq).toBeGreaterThan(700);
    expectAlike(archived, whole, lastSeq);
    for (const twin of [archived, whole]) {
      // Closes the streams of the first story.
      start(twin.store);
      liveRandomStory({ store: twin.store, clock: twin.clock, reopen() {} }, seededRandom(6), { partners: 20, events: 1_300 });
    }
    expectAlike(archived, whole, lastSeq);
    expect(findingsIn(archived.directory)).toEqual([]);
  });

  it("know which stream messages already came by core NATS", async () => {
    using temporary = new TemporaryStore();
    const noStream = { stream: null, streamCreated: null, streamSequence: null };
    const byCore = { type: "DeliveryChanged", reason: "at_most_once", ...noStream, message: "there is no stream" } as const;
    temporary.store.appendDelivery([byCore]);
    const payloads = Array.from({ length: 20 }, (_, index) => Buffer.from(`message ${index % 15}`));
    for (const payload of payloads) append(temporary.store, rejected(), { payload });
    temporary.store[Symbol.dispose]();
    using archived = new Twin(temporary);
    using whole = new Twin(temporary);
    await archiveAt(archived, whole, [0.6]);
    const stream = { ...STREAM, created: "2026-01-01T11:00:00Z" };
    const followed = {
      type: "DeliveryChanged",
      reason: "at_least_once",
      stream: stream.stream,
      streamCreated: stream.created,
      streamSequence: 1,
      message: null,
    } as const;
    const answers = [archived, whole].map(({ store }) => {
      store.appendDelivery([followed], { ...stream, firstSequence: 1, sequence: 0, messageHash: null }, 30);
      return [...payloads, Buffer.from("message 0"), Buffer.from("another")].map((payload, index) => {
        const sequence = index + 1;
        const message = received(rejected(), {
          payload,
          streamSequence: sequence,
          dedupeKey: `${stream.created}/${sequence}/${index}`,
        });
        const [answer] = store.appendReceived([message], { ...stream, sequence, messageHash: `${index}` });
        return answer === "duplicate" ? answer : "new";
      });
    });
    expect(answers[0]).toEqual(answers[1]);
    expect(answers[0]).toEqual([...payloads.map(() => "duplicate"), "new", "new"]);
  });
});
