import { expect, test } from "vitest";
import { RestartLoop } from "../../../src/ingest/stream/restart-loop.ts";
import { StaleAnswer } from "../../../src/ingest/stream/stale-answer.ts";
import { CURSOR, HELD } from "../support/fake-broker.ts";

/** `took` ms pass before the broker answers. `fails`: the rest of the look does. */
interface Answer {
  readonly at: number;
  readonly took?: number;
  readonly leader?: string;
  readonly link?: "first" | "second";
  readonly is?: "sound" | "fails";
}

/** After how many answers of a stream that ends at 3, while the cursor is at 5, it is taken for rewound; undefined if never. */
async function believedAfter(...answers: readonly Answer[]): Promise<number | undefined> {
  let nowMs = 0;
  const stale = new StaleAnswer(() => nowMs);
  let current: Answer = { at: 0 };
  const state = async () => {
    nowMs = current.at + (current.took ?? 0);
    return { ...HELD, lastSequence: current.is === "sound" ? 5 : 3, leader: current.leader ?? null };
  };
  const links = { first: { state }, second: { state } };
  for (const [index, answer] of answers.entries()) {
    current = answer;
    nowMs = answer.at;
    const look = await stale.look(links[answer.link ?? "first"]);
    if (answer.is === "fails") continue;
    try {
      if (stale.isRewound(look, CURSOR)) return index + 1;
      expect(answer.is).toBe("sound");
    } catch (thrown) {
      expect(thrown).toMatchObject({ code: "stream_behind" });
    }
  }
  return undefined;
}

const at = (...times: readonly number[]): Answer[] => times.map((ms) => ({ at: ms }));
const by = (leader: string, ...times: readonly number[]): Answer[] => times.map((ms) => ({ at: ms, leader }));

test.each<[string, number | undefined, readonly Answer[]]>([
  ["at the third look after five seconds", 3, at(1_000, 6_000, 6_000)],
  ["not before", 4, at(1_000, 5_998, 5_999, 6_000)],
  ["however far apart the looks are", 3, at(0, 11_000, 22_000)],
  ["from scratch after a sound answer", 6, [...at(1_000, 2_000), { at: 3_000, is: "sound" }, ...at(10_000, 15_000, 15_000)]],
  ["from scratch if another leader answers", 6, [...by("a", 0, 1_000), ...by("b", 6_000, 7_000, 10_999, 11_000)]],
  ["never by leaders that take turns", undefined, [...by("a", 0, 4_000), ...by("b", 8_000), ...by("a", 12_000, 16_000)]],
  [
    "from scratch if another leader answered a look that then failed",
    undefined,
    [...by("a", 0, 1_000), { at: 3_000, leader: "b", is: "fails" }, ...by("a", 6_000, 7_000)],
  ],
  [
    "although a look fails, if the leader stays",
    4,
    [...by("a", 0), { at: 3_000, leader: "a", is: "fails" }, ...by("a", 4_000, 9_000)],
  ],
  [
    "from scratch over another connection",
    5,
    [...at(0, 4_000), ...[8_000, 9_000, 13_000].map((ms) => ({ at: ms, link: "second" as const }))],
  ],
  ["from when an answer arrived to when the last one was asked for", 4, [{ at: 0, took: 3_000 }, ...at(4_000, 7_000, 8_000)]],
])("a stream that is behind is believed %s", async (_, expected, answers) => {
  expect(await believedAfter(...answers)).toBe(expected);
});

const GONE = { reason: "consumer_missing" } as const;

/** A loop after readings that each lasted this long, one second apart. */
function after(...readings: readonly number[]): { loop: RestartLoop; endMs: number } {
  const loop = new RestartLoop();
  let endMs = 0;
  for (const lastsMs of readings) {
    loop.began(endMs + 1_000);
    endMs += 1_000 + lastsMs;
    loop.ended(endMs, GONE);
  }
  return { loop, endMs };
}

test("three brief readings in a row are a loop, until one lasts five seconds", () => {
  expect(after(1, 1).loop.current(10_000)).toBeNull();
  expect(after(1, 1, 1).loop.current(10_000)).toEqual({ reason: "consumer_missing", nextStep: null });
  expect(after(1, 4_999, 1).loop.current(10_000)).not.toBeNull();
  expect(after(1, 1, 5_000, 1).loop.current(10_000)).toBeNull();
  expect(after(1, 1, 5_000, 1, 1).loop.current(20_000)).not.toBeNull();
});

test("readings that end before they have begun are a loop too, but no restart", () => {
  const loop = new RestartLoop();
  const refused = { reason: "pull_refused", facts: { code: 409, description: "Exceeded MaxRequestBatch of 100" } } as const;
  for (const endMs of [0, 250, 500]) {
    expect([loop.current(endMs), loop.isRestarting(endMs)]).toEqual([null, false]);
    loop.ended(endMs, refused);
  }
  expect(loop.current(500)).toEqual({ reason: "pull_refused (Exceeded MaxRequestBatch of 100)", nextStep: null });
});

test("reading restarts for less than five seconds after its end, not at all on a new connection", () => {
  const { loop, endMs } = after(1);
  expect([loop.isRestarting(endMs), loop.isRestarting(endMs + 4_999), loop.isRestarting(endMs + 5_000)]).toEqual([
    true,
    true,
    false,
  ]);
  loop.connected();
  expect(loop.isRestarting(endMs)).toBe(false);
});
