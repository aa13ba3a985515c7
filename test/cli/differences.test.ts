import { expect, test } from "vitest";
import { differencesOf } from "../../src/cli/differences.ts";

const lines = Array.from({ length: 40 }, (_, index) => `line ${index}`);

test("equal traces do not differ", () => {
  expect(differencesOf(lines, lines)).toEqual([]);
  expect(differencesOf([], [])).toEqual([]);
});

test("what is missing has a minus, what is new a plus, and long equal runs between are left out", () => {
  const found = lines.with(5, "new").toSpliced(30, 1);
  const shown =
    " line 2| line 3| line 4|-line 5|+new| line 6| line 7| line 8| …| line 27| line 28| line 29|-line 30| line 31| line 32| line 33";
  expect(differencesOf(lines, found)).toEqual(["@@ line 6 @@", ...shown.split("|")]);
});

test("at the start and at the end there is nothing around", () => {
  expect(differencesOf(lines, ["new", ...lines]).slice(0, 2)).toEqual(["@@ line 1 @@", "+new"]);
  expect(differencesOf(lines, [...lines, "new"]).slice(-2)).toEqual([" line 39", "+new"]);
  expect(differencesOf(["only"], [])).toEqual(["@@ line 1 @@", "-only"]);
});

test("traces that have nothing in common are told in time, and say how much was not compared", () => {
  const [one, other] = ["a", "b"].map((word) => Array.from({ length: 50_000 }, (_, index) => `${word} ${index}`));
  const shown = differencesOf(one ?? [], other ?? []);
  expect(shown.filter((line) => line.startsWith("-"))).toHaveLength(2_000);
  expect(shown.at(-1)).toBe("… and 48000 lines more that were not compared");
});
