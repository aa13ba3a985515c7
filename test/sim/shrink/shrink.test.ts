import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formatFixture, parseFixture } from "../../../src/fixture/format/parse.ts";
import type { Fixture, FixtureLine } from "../../../src/fixture/format/schema.ts";
import { minimalPart, type ShrinkProgress, shrink } from "../../../src/sim/shrink/shrink.ts";
import { anyFixture } from "../../fixture/arbitrary.ts";
import { propertyRuns } from "../../support/campaign.ts";

function fixture(...lines: readonly object[]): Fixture {
  const header = { fixture: "oc-partnerd", version: 1 };
  return parseFixture([header, ...lines].map((line) => JSON.stringify(line)).join("\n"), "test");
}

const publish = (peer: string, atMs = 0, more: object = {}) => ({ atMs, publish: peer, ...more });
const does = (peer: string, what: string, atMs = 0) => ({ atMs, peer, does: what });
const background = Array.from({ length: 20 }, (_, index) => publish(`p${index}`, index * 1_000));

const indexOf = ({ lines }: Fixture, wanted: Partial<Record<string, unknown>>): number =>
  lines.findIndex((line) => Object.entries(wanted).every(([field, value]) => Reflect.get(line, field) === value));
const has = (candidate: Fixture, wanted: Partial<Record<string, unknown>>): boolean => indexOf(candidate, wanted) !== -1;
const linesOf = (smallest: Fixture): object[] =>
  formatFixture(smallest)
    .trim()
    .split("\n")
    .slice(1)
    .map((line) => JSON.parse(line) as object);

describe("a minimal part", () => {
  const numbers = Array.from({ length: 50 }, (_, index) => index);

  it("is what a predicate needs, in order", async () => {
    expect(await minimalPart(numbers, async (part) => part.includes(41) && part.includes(3))).toEqual([3, 41]);
  });

  it("is empty where nothing is needed, and everything where all is", async () => {
    expect(await minimalPart(numbers, async () => true)).toEqual([]);
    expect(await minimalPart(numbers, async (part) => part.length === 50)).toEqual(numbers);
    expect(await minimalPart([], async () => true)).toEqual([]);
  });

  it("takes few questions where little is needed", async () => {
    const thousand = Array.from({ length: 1_000 }, (_, index) => index);
    let asked = 0;
    await minimalPart(thousand, async (part) => {
      asked += 1;
      return part.includes(500);
    });
    expect(asked).toBeLessThan(50);
  });

  it("still fails, and with any one item less does not, whatever the predicate", async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: 14 }), fc.func(fc.boolean()), async (length, chance) => {
        const items = Array.from({ length }, (_, index) => index);
        const fails = async (part: readonly number[]) => part.length === length || chance(part.join());
        const part = await minimalPart(items, fails);
        expect(part).toEqual(items.filter((item) => part.includes(item)));
        expect(await fails(part)).toBe(true);
        for (const item of part) {
          const rest = part.filter((other) => other !== item);
          expect(await fails(rest)).toBe(false);
        }
      }),
    );
  });
});

describe("shrinking", () => {
  it("leaves the lines that the failure needs, as early as they may come, and ends just after them", async () => {
    const big = fixture(...background, does("p3", "freeze", 91_234), publish("paris", 100_000), does("p3", "thaw", 200_000));
    const smallest = await shrink(
      big,
      async (candidate) => has(candidate, { does: "freeze" }) && has(candidate, { publish: "paris" }),
    );
    expect(formatFixture(smallest)).toBe(
      [
        '{"fixture":"oc-partnerd","version":1,"durationMs":1000}',
        '{"atMs":0,"peer":"p3","does":"freeze"}',
        '{"atMs":0,"publish":"paris"}',
        "",
      ].join("\n"),
    );
  });

  it("cuts the run to the second in which it fails", async () => {
    const big = fixture(...background, publish("paris", 400_000));
    const smallest = await shrink(big, async ({ header }) => (header.durationMs ?? 460_000) >= 33_333);
    expect(smallest.header.durationMs).toBe(34_000);
    expect(smallest.lines).toEqual([]);
  });

  it("keeps a gap that the failure needs, rounded", async () => {
    const big = fixture(
      publish("paris", 7_777.7),
      ...background.map((line) => ({ ...line, atMs: line.atMs + 8_000 })),
      does("p3", "crash", 56_789.1),
    );
    const smallest = await shrink(big, async (candidate) => {
      const [first, last] = [
        candidate.lines[indexOf(candidate, { publish: "paris" })],
        candidate.lines[indexOf(candidate, { does: "crash" })],
      ];
      return first !== undefined && last !== undefined && last.atMs - first.atMs > 3_500;
    });
    expect(linesOf(smallest)).toEqual([publish("paris"), does("p3", "crash", 5_000)]);
  });

  it("finds lines that can only go together, with one between them that cannot", async () => {
    const big = fixture(...background, does("north", "cut", 20_000), publish("paris", 30_000), does("south", "heal", 40_000));
    const balanced = (candidate: Fixture) => has(candidate, { does: "cut" }) === has(candidate, { does: "heal" });
    const smallest = await shrink(big, async (candidate) => has(candidate, { publish: "paris" }) && balanced(candidate));
    expect(linesOf(smallest)).toEqual([publish("paris")]);
  });

  it("drops a peer of whom all lines can go, and no single one or two", async () => {
    const acts = ["crash", "start", "freeze", "thaw"].map((what, index) => does("north", what, index * 10_000));
    const between = ["paris", "lyon", "nice", "metz"].map((peer, index) => publish(peer, index * 10_000 + 5_000));
    const big = fixture(...[...acts, ...between].sort((one, other) => one.atMs - other.atMs));
    const smallest = await shrink(big, async (candidate) => {
      const left = acts.filter(({ does: what }) => has(candidate, { does: what })).length;
      return (left === 0 || left === acts.length) && between.every((line) => has(candidate, { publish: line.publish }));
    });
    expect(smallest.lines.map((line) => Reflect.get(line, "publish") as string)).toEqual(["paris", "lyon", "nice", "metz"]);
  });

  it("says every line and the header as simply as it can", async () => {
    const { header, lines } = fixture(
      publish("paris", 5, {
        note: "a note",
        id: "x",
        name: "Paris",
        fromApp: "another",
        relation: "NONE",
        deliveries: [17, 4_321, 9_000],
      }),
      { atMs: 6, daemon: "crash", at: "before_commit", downMs: 4_711 },
      { atMs: 7, daemon: "wall_jump", byMs: -7_654_321 },
      { atMs: 8, message: "CREATE_RESOURCE", base64: "AAAA", deliveries: [3] },
    );
    const settings = { ...header.settings, concurrency: 2, delivery: "at_least_once" as const, resyncMs: 1 };
    const big: Fixture = { header: { ...header, note: "of seed 7", seed: 7, latencyMs: 80, self: "lyon", settings }, lines };
    const smallest = await shrink(big, async (candidate) => {
      const [first, second, third, fourth] = candidate.lines;
      return (
        candidate.header.settings.concurrency === 2 &&
        first !== undefined &&
        "publish" in first &&
        first.relation === "NONE" &&
        first.deliveries.some((ms) => ms > 4_000) &&
        second !== undefined &&
        third !== undefined &&
        "byMs" in third &&
        third.byMs < -5_000 &&
        fourth !== undefined
      );
    });
    expect(formatFixture(smallest).trim().split("\n")).toEqual([
      '{"fixture":"oc-partnerd","version":1,"self":"lyon","durationMs":1000,"settings":{"concurrency":2}}',
      '{"atMs":0,"publish":"paris","relation":"NONE","deliveries":[4300]}',
      '{"atMs":0,"daemon":"crash"}',
      '{"atMs":0,"daemon":"wall_jump","byMs":-10000}',
      '{"atMs":0,"message":"CREATE_RESOURCE","base64":"AAAA"}',
    ]);
  });

  it("gives the same smallest fixture every time, asks of none twice, and only of such as could be written by hand", async () => {
    await fc.assert(
      fc.asyncProperty(anyFixture, fc.integer(), async (big, salt) => {
        const asked: string[] = [];
        // As wild as predicates get: whether a candidate fails says nothing of any other.
        const fails = async (candidate: Fixture) => {
          const text = JSON.stringify(candidate);
          asked.push(text);
          return text === JSON.stringify(big) || (createHash("md5").update(`${salt}${text}`).digest()[0] ?? 0) < 100;
        };
        const smallest = await shrink(big, fails);
        expect(new Set(asked).size).toBe(asked.length);
        for (const text of asked) {
          const candidate = JSON.parse(text) as Fixture;
          expect(parseFixture(formatFixture(candidate), "candidate")).toEqual(candidate);
        }
        expect(await fails(smallest)).toBe(true);
        expect(await shrink(big, fails)).toEqual(smallest);
        expect(isPartOf(smallest.lines, big.lines)).toBe(true);
        for (const left of smallest.lines.keys()) {
          expect(await fails({ header: smallest.header, lines: smallest.lines.toSpliced(left, 1) })).toBe(false);
        }
      }),
      propertyRuns(15, 500),
    );
  });

  it("refuses a fixture that does not fail", async () => {
    await expect(shrink(fixture(), async () => false)).rejects.toMatchObject({ code: "check_failed" });
  });

  it("passes on what the predicate throws", async () => {
    const broken = shrink(fixture(...background), async ({ lines }) => {
      if (lines.length < 20) throw new RangeError("broken");
      return true;
    });
    await expect(broken).rejects.toThrow(RangeError);
  });

  it("ends with the smallest so far after so many runs", async () => {
    const progress: ShrinkProgress[] = [];
    const smallest = await shrink(fixture(...background), async (candidate) => has(candidate, { publish: "p7" }), {
      maxRuns: 5,
      onProgress: (step) => progress.push(step),
    });
    expect(progress.map(({ runs }) => runs)).toEqual([1, 2, 3, 4, 5]);
    expect(progress.at(-1)?.smallest).toBe(smallest);
    expect(smallest.lines.length).toBeLessThan(background.length);
    expect(has(smallest, { publish: "p7" })).toBe(true);
  });

  it("ends with the smallest so far when it is aborted, also where the run under way throws over it", async () => {
    const controller = new AbortController();
    let runs = 0;
    const smallest = await shrink(
      fixture(...background),
      async (candidate) => {
        runs += 1;
        if (runs === 5) controller.abort(new Error("enough"));
        controller.signal.throwIfAborted();
        return has(candidate, { publish: "p7" });
      },
      { signal: controller.signal },
    );
    expect(runs).toBe(5);
    expect(has(smallest, { publish: "p7" })).toBe(true);
  });
});

/** Whether each line is one of `whole`, in the same order; times and fields may differ, what it is about may not. */
function isPartOf(part: readonly FixtureLine[], whole: readonly FixtureLine[]): boolean {
  const subject = (line: FixtureLine): string =>
    JSON.stringify([Reflect.get(line, "publish"), Reflect.get(line, "peer"), Reflect.get(line, "message")]);
  const left = whole.map(subject);
  return part.every((line) => {
    const found = left.indexOf(subject(line));
    left.splice(0, found + 1);
    return found !== -1;
  });
}
