/** Reads the fields of an object, whose publisher may vary their spelling (docs/WIRE.md). */
import { RecentMap } from "../base/recent-map.ts";
import { detached } from "../base/units.ts";
import { type JsonObject, type JsonValue, Refusal, shown } from "./json.ts";

/** The values of an object by normalised name. `null` means absent, as in Go, and is left out. */
export type Fields = ReadonlyMap<string, JsonValue>;

/**
 * The fields of `object`. If one name occurs in several spellings, the last one wins, as in Go's encoding/json; a key repeated in the
 * same spelling keeps its first position, because JSON.parse preserves no more. A Map, so that `__proto__` is a name like any other.
 */
export function fieldsOf(object: JsonObject): Fields {
  const fields = new Map<string, JsonValue>();
  for (const [key, value] of Object.entries(object)) {
    if (value !== null) fields.set(normalised(key), value);
  }
  return fields;
}

/** The value of the field `name` in any spelling; undefined if it is missing or null. */
export function field(fields: Fields, name: string): JsonValue | undefined {
  return fields.get(normalised(name));
}

/** Publishers use the same few names in every message. A longer name is never a known field and not worth caching. */
const normalisedKeys = new RecentMap<string, string>(1_024);
const LONGEST_KEPT_KEY = 64;

/** Ignores letter case, `_` and `-`: FromApp, from_app and fromApp are the same name. */
export function normalised(key: string): string {
  const known = normalisedKeys.get(key);
  if (known !== undefined) return known;
  const name = key.toLowerCase().replaceAll(/[_-]/g, "");
  if (key.length <= LONGEST_KEPT_KEY) normalisedKeys.set(key, name);
  return name;
}

/** `value` as trimmed text of at most `maxLength` UTF-16 units. Lone surrogates, which no store would keep, become U+FFFD. */
export function textOf(name: string, value: JsonValue, maxLength: number, expected = "text"): string | Refusal {
  if (typeof value !== "string") return new Refusal("field_invalid", `${name} is ${shown(value)}: expected ${expected}`);
  const text = value.trim();
  if (text.length <= maxLength) return text.length === value.length ? text.toWellFormed() : detached(text);
  return new Refusal("field_invalid", `${name} is ${text.length} characters long, ${shown(text)}: expected at most ${maxLength}`);
}

/** The text of every field named in `maxLengths`; null if it is missing, null or empty, which are the same as Go's zero value. */
export function textFields<Name extends string>(
  fields: Fields,
  maxLengths: Readonly<Record<Name, number>>,
): Readonly<Record<Name, string | null>> | Refusal {
  const texts = {} as Record<Name, string | null>;
  for (const name of Object.keys(maxLengths) as Name[]) {
    const text = textOf(name, field(fields, name) ?? "", maxLengths[name]);
    if (text instanceof Refusal) return text;
    texts[name] = text === "" ? null : text;
  }
  return texts;
}

/** The integer that `value` is or spells; undefined if it is neither. */
export function integerOf(value: JsonValue): number | undefined {
  const number = typeof value === "string" && /^-?\d{1,15}$/.test(value.trim()) ? Number(value) : value;
  return Number.isSafeInteger(number) ? Number(number) : undefined;
}
