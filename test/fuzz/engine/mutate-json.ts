/** Mutations of JSON: of values, keys and nesting, also inside text and base64 that hold JSON. */
import type { Dice } from "./dice.ts";
import { KEYS, NUMBERS, TEXTS, VALUES } from "./hostile.ts";
import type { Mutation } from "./mutate-bytes.ts";

type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** Longer input is not parsed: it would take most of the time. */
const MOST_BYTES = 32 * 1_024;
const MOST_LEVELS = 600;

/** Changes one value or key of the JSON in `input`, or of one of its lines. Input that holds no JSON is returned as it is. */
export const mutateJson: Mutation = (input, other, dice) => {
  if (input.length > MOST_BYTES) return input;
  const text = Buffer.from(input).toString();
  const whole = mutatedText(text, dice);
  if (whole !== undefined) return Buffer.from(whole);
  const lines = text.split("\n");
  const at = dice.below(lines.length);
  if (dice.chance(0.15)) return Buffer.from(withLinesMoved(lines, Buffer.from(other).toString().split("\n"), dice).join("\n"));
  const line = mutatedText(lines[at] ?? "", dice);
  return line === undefined ? input : Buffer.from(lines.with(at, line).join("\n"));
};

function withLinesMoved(lines: readonly string[], others: readonly string[], dice: Dice): readonly string[] {
  const [from, to] = [dice.below(lines.length), dice.below(lines.length + 1)];
  const line = dice.chance(0.3) ? dice.pick(others) : (lines[from] ?? "");
  return dice.chance(0.3) ? lines.toSpliced(from, 1) : lines.toSpliced(to, 0, line);
}

function mutatedText(text: string, dice: Dice): string | undefined {
  let value: Json;
  try {
    value = JSON.parse(text) as Json;
  } catch {
    return undefined;
  }
  return written(value, new Slots(dice.below(sizeOf(value)), dice));
}

/** Counts the values while they are written, and changes the chosen one. */
class Slots {
  readonly dice: Dice;
  #left: number;

  constructor(chosen: number, dice: Dice) {
    this.#left = chosen;
    this.dice = dice;
  }

  isChosen(): boolean {
    return this.#left-- === 0;
  }
}

function sizeOf(value: Json): number {
  if (typeof value !== "object" || value === null) return 1;
  return Object.values(value).reduce<number>((sum, child: Json) => sum + sizeOf(child), 1);
}

/** `value` as JSON text with one mutation. The text may have duplicate keys and numbers that no double holds. */
function written(value: Json, slots: Slots): string {
  if (slots.isChosen()) return mutated(value, slots.dice);
  if (Array.isArray(value)) return `[${value.map((child: Json) => written(child, slots)).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  return `{${Object.entries(value)
    .map(([key, child]: [string, Json]) => `${JSON.stringify(key)}:${written(child, slots)}`)
    .join(",")}}`;
}

function mutated(value: Json, dice: Dice): string {
  if (dice.chance(0.15)) return nested(JSON.stringify(value), dice);
  if (dice.chance(0.3)) return dice.pick(VALUES);
  if (typeof value === "string") return mutatedString(value, dice);
  if (typeof value === "number")
    return dice.chance(0.5) ? dice.pick(NUMBERS) : JSON.stringify(value + dice.pick([-1, 1, 0.5, 1_000, -value * 2]));
  if (Array.isArray(value)) return mutatedArray(value as Json[], dice);
  return typeof value === "object" && value !== null ? mutatedObject(value as { [key: string]: Json }, dice) : dice.pick(VALUES);
}

/** JSON inside text or base64 is changed inside. */
function mutatedString(value: string, dice: Dice): string {
  if (dice.chance(0.8)) {
    const inside = mutatedText(value, dice);
    if (inside !== undefined) return JSON.stringify(inside);
    const decoded = /^[A-Za-z0-9+/]{8,}={0,2}$/.test(value)
      ? mutatedText(Buffer.from(value, "base64").toString(), dice)
      : undefined;
    if (decoded !== undefined) return JSON.stringify(Buffer.from(decoded).toString("base64"));
  }
  const at = dice.below(value.length + 1);
  const piece = JSON.parse(dice.pick(TEXTS)) as string;
  switch (dice.below(5)) {
    case 0:
      return JSON.stringify(value.slice(0, at) + piece + value.slice(at));
    case 1:
      return JSON.stringify(value.slice(0, at));
    case 2:
      return JSON.stringify(dice.chance(0.5) ? value.toUpperCase() : value.toLowerCase());
    case 3:
      return JSON.stringify(value.slice(0, at) + String.fromCharCode(dice.below(0x1_0000)) + value.slice(at + 1));
    default:
      return JSON.stringify(" ".repeat(dice.length(20_000)) + value + value.repeat(dice.length(20)));
  }
}

function mutatedArray(items: readonly Json[], dice: Dice): string {
  const texts = items.map((item) => JSON.stringify(item));
  const at = dice.below(texts.length + 1);
  if (texts.length > 0 && dice.chance(0.3)) return `[${texts.toSpliced(at, 1).join(",")}]`;
  const more = Array.from({ length: dice.length(200) }, () => texts[at] ?? dice.pick(VALUES));
  return `[${texts.toSpliced(at, 0, ...more).join(",")}]`;
}

function mutatedObject(object: { readonly [key: string]: Json }, dice: Dice): string {
  const pairs = Object.entries(object).map(([key, value]) => [key, JSON.stringify(value)] as const);
  const at = dice.below(pairs.length);
  const [key, value] = pairs[at] ?? ["", "0"];
  const text = (list: readonly (readonly [string, string])[]) =>
    `{${list.map(([name, child]) => `${JSON.stringify(name)}:${child}`).join(",")}}`;
  switch (dice.below(5)) {
    case 0:
      return text(pairs.toSpliced(at, 1));
    case 1:
      return text(pairs.toSpliced(dice.below(pairs.length + 1), 0, [key, dice.pick(VALUES)]));
    case 2:
      return text(pairs.toSpliced(at, 1, [respelled(key, dice), value]));
    case 3:
      return text(pairs.toSpliced(at, 0, [respelled(key, dice), dice.pick(VALUES)]));
    default:
      return text(pairs.toReversed());
  }
}

function respelled(key: string, dice: Dice): string {
  return dice.pick([
    key.toUpperCase(),
    key.toLowerCase(),
    key.replaceAll("_", ""),
    `_${key}`,
    `${key}-`,
    `${key} `,
    dice.pick(KEYS),
  ]);
}

/** `text` in so many arrays or objects that a limit of depth is near. */
function nested(text: string, dice: Dice): string {
  const levels = dice.chance(0.5) ? dice.pick([1, 7, 8, 14, 15, 16, 17, 30, 31, 32, 33]) : dice.length(MOST_LEVELS);
  return dice.chance(0.5) ? "[".repeat(levels) + text + "]".repeat(levels) : '{"a":'.repeat(levels) + text + "}".repeat(levels);
}
