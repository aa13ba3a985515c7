import { describe, expect, it, test } from "vitest";
import { TARGETS } from "../targets/all.ts";
import { chunksOf, equalSizes, sizesFrom } from "./chunks.ts";
import { Dice, seedOf } from "./dice.ts";
import { inputOf } from "./generate.ts";
import { BYTE_MUTATIONS } from "./mutate-bytes.ts";
import { mutateJson } from "./mutate-json.ts";
import { reduce } from "./reduce.ts";
import { SEEDS, seedsOf } from "./seeds.ts";

const text = (bytes: Uint8Array) => Buffer.from(bytes).toString();
const bytes = (value: string) => new Uint8Array(Buffer.from(value));

describe("an input", () => {
  test.each(TARGETS.map((target) => [target.name, target] as const))(
    "of %s follows from seed and number alone",
    (name, target) => {
      const seeds = seedsOf(SEEDS, name).map((seed) => seed.bytes);
      const before = seeds.map((seed) => Buffer.from(seed).toString("hex"));
      const forwards = Array.from({ length: 60 }, (_, index) => inputOf(target, seeds, 3, index));
      const backwards = Array.from({ length: 60 }, (_, index) => inputOf(target, seeds, 3, 59 - index)).toReversed();
      expect(backwards).toEqual(forwards);
      expect(seeds.map((seed) => Buffer.from(seed).toString("hex"))).toEqual(before);
      expect(new Set(forwards.map(text)).size).toBeGreaterThan(40);
    },
  );
});

/** The different results of a mutation. */
function results(mutate: (typeof BYTE_MUTATIONS)[number], input: string): Set<string> {
  const made = Array.from({ length: 400 }, (_, index) =>
    mutate(Buffer.from(input), bytes("0123456789"), new Dice(seedOf(1, "test", index))),
  );
  return new Set(made.map(text));
}

describe("mutations", () => {
  test.each(BYTE_MUTATIONS.map((mutate) => [mutate.name, mutate] as const))(
    "%s changes the bytes, and never its input",
    (_name, mutate) => {
      const input = Buffer.from("abc 12 {}");
      mutate(input, bytes("other"), new Dice(1));
      expect(text(input)).toBe("abc 12 {}");
      expect(results(mutate, "abc 12 {}").size).toBeGreaterThan(8);
    },
  );

  test("of JSON reach values, keys, duplicates, depth, lines, and JSON inside text and base64", () => {
    const inside = JSON.stringify({ relation: "PARTNER" });
    const envelope = JSON.stringify({ peer_id: "x", text: inside, base64: Buffer.from(inside).toString("base64") });
    const made = [...results(mutateJson, envelope)];
    const parsed = made
      .map((each) => JSON.parse(each) as Record<string, unknown>)
      .filter((each) => typeof each === "object" && each !== null);
    const changed = (field: string, decode: (value: string) => string) =>
      parsed.some(
        ({ [field]: value }) => typeof value === "string" && /^\{.*\}$/.test(decode(value)) && decode(value) !== inside,
      );
    expect(changed("text", (value) => value)).toBe(true);
    expect(changed("base64", (value) => Buffer.from(value, "base64").toString())).toBe(true);
    const isNew = (key: string) => !["peer_id", "text", "base64"].includes(key);
    expect(parsed.some((each) => Object.keys(each).some(isNew))).toBe(true);
    expect(made.some((each) => (each.match(/"peer_id":/g)?.length ?? 0) > 1)).toBe(true);
    expect(made.some((each) => each.includes("[[[[") || each.includes('{"a":{"a":'))).toBe(true);
    expect(made.some((each) => each.includes("\\ud800"))).toBe(true);
    expect([...results(mutateJson, '{"a":1}\n{"b":2}')].some((each) => each.split("\n").length === 3)).toBe(true);
  });
});

describe("reduce", () => {
  it("finds the bytes that fail", async () => {
    const fails = (input: Uint8Array) => Promise.resolve(text(input).includes("bug") && text(input).includes("!"));
    expect(text(await reduce(bytes(`${"x".repeat(100)}bug${"y".repeat(200)}!${"z".repeat(50)}`), fails, 1_000))).toBe("bug!");
  });

  it("stops after the given number of tries, with what it has", async () => {
    let tries = 0;
    const fails = ({ length }: Uint8Array) => {
      tries += 1;
      return Promise.resolve(length > 800);
    };
    expect((await reduce(bytes("x".repeat(1_000)), fails, 9)).length).toBe(875);
    expect(tries).toBe(9);
  });

  it("ends with nothing if nothing fails too", async () => {
    expect(await reduce(bytes("abc"), () => Promise.resolve(true), 100)).toEqual(new Uint8Array());
  });
});

test("chunks have memory of their own, and make the whole again", () => {
  const input = Buffer.from("some bytes to be cut");
  for (const sizes of [equalSizes(3), sizesFrom(input)]) {
    const chunks = [...chunksOf(input, sizes)];
    expect(text(Buffer.concat(chunks))).toBe(text(input));
    expect(chunks.every(({ buffer, length }) => buffer.byteLength === length)).toBe(true);
  }
});
