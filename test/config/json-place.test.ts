import fc from "fast-check";
import { expect, test } from "vitest";
import { placeOfJsonFault } from "../../src/config/json-place.ts";

test.each([
  ["{", "line 1, column 2"],
  ["", "line 1, column 1"],
  ['{"name": lyon-1}', "line 1, column 10"],
  ['{\n  "password": s3cret,\n', "line 2, column 15"],
  ['{"a": 1,}', "line 1, column 9"],
  ["[1 2]", "line 1, column 4"],
  ["[1]]", "line 1, column 4"],
  ['{"a" 1}', "line 1, column 6"],
  ['{"a": [1}', "line 1, column 9"],
  ['{"a": "open\n"}', "line 1, column 7"],
  ["[01]", "line 1, column 3"],
])("%j stops being JSON at %s", (text, place) => {
  expect(() => JSON.parse(text) as unknown).toThrow();
  expect(placeOfJsonFault(text)).toBe(place);
});

test("valid JSON is followed to its end, and to any character that does not belong to it", () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const text = JSON.stringify(value);
      expect(placeOfJsonFault(text)).toBe(`line 1, column ${text.length + 1}`);
      expect(placeOfJsonFault(`${JSON.stringify([value], null, 1).slice(0, -1)};`)).toMatch(/^line \d+, column 1$/);
    }),
  );
});
