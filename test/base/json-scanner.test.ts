import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { JsonScanner } from "../../src/base/json-scanner.ts";

const bytesOf = (text: string) => new TextEncoder().encode(text);

/** The offset at which each value ends, when scanned in these chunks. */
function ends(scanner: JsonScanner, chunks: readonly Uint8Array[]): readonly number[] {
  const found: number[] = [];
  let before = 0;
  for (const chunk of chunks) {
    for (let at = 0; at < chunk.length; ) {
      at = scanner.scan(chunk, at);
      if (scanner.isTooDeep) return found;
      if (scanner.depth === 0) found.push(before + at);
    }
    before += chunk.length;
  }
  return found;
}

function cut(bytes: Uint8Array, places: readonly number[]): Uint8Array[] {
  const at = [...places.map((place) => place % (bytes.length + 1)), bytes.length].sort((a, b) => a - b);
  return at.map((end, index) => bytes.subarray(index === 0 ? 0 : at[index - 1], end));
}

/** Nesting depth of a parsed value. */
function depthOf(value: unknown): number {
  if (typeof value !== "object" || value === null) return 0;
  return 1 + Math.max(0, ...Object.values(value).map(depthOf));
}

const containers = fc
  .jsonValue({ stringUnit: "binary", maxDepth: 6 })
  .filter((value) => typeof value === "object" && value !== null);

describe("JsonScanner", () => {
  it("finds the end of every value in a concatenation, wherever it is split", () => {
    fc.assert(
      fc.property(fc.array(containers, { maxLength: 5 }), fc.array(fc.nat(), { maxLength: 12 }), (values, places) => {
        const encoded = values.map((value) => bytesOf(JSON.stringify(value)));
        let length = 0;
        const expected = encoded.map((bytes) => (length += bytes.length));
        expect(ends(new JsonScanner(100), cut(Buffer.concat(encoded), places))).toEqual(expected);
      }),
    );
  });

  it("allows exactly the maximum depth", () => {
    fc.assert(
      fc.property(containers, fc.array(fc.nat(), { maxLength: 4 }), (value, places) => {
        const depth = depthOf(value);
        const chunks = cut(bytesOf(JSON.stringify(value)), places);
        expect(ends(new JsonScanner(depth), chunks)).toHaveLength(1);
        expect(ends(new JsonScanner(depth - 1), chunks)).toEqual([]);
      }),
    );
  });

  it.each([
    ["braces in a string", '{"a":"}]{["}'],
    ["an escaped quote", '{"a":"\\"}"}'],
    ["an escaped backslash before the end of a string", '{"a":"\\\\"}'],
  ])("is not misled by %s", (_, text) => {
    for (let place = 0; place <= text.length; place++)
      expect(ends(new JsonScanner(1), cut(bytesOf(text), [place]))).toEqual([text.length]);
  });

  it("stops at the byte that exceeds the maximum depth", () => {
    const scanner = new JsonScanner(2);
    expect(scanner.scan(bytesOf("[[[[]]]]"), 0)).toBe(3);
    expect([scanner.isTooDeep, scanner.depth]).toEqual([true, 3]);
  });
});
