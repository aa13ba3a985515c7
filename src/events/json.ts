/** Parses untrusted JSON: checks size and depth first, and returns refusals with readable messages. */
import { messageOf } from "../base/errors.ts";
import { JsonScanner } from "../base/json-scanner.ts";
import { visible } from "../base/units.ts";
import type { RejectionReason } from "./types.ts";

export type JsonObject = { readonly [key: string]: JsonValue };
export type JsonValue = null | boolean | number | string | readonly JsonValue[] | JsonObject;

/** The text to parse: its name in messages, its depth limit, and the reason to give if it is not JSON. */
interface JsonSource {
  readonly name: string;
  readonly maxDepth: number;
  readonly notJson: RejectionReason;
}

const utf8 = new TextDecoder("utf-8", { fatal: true });

/** The JSON value in UTF-8 `bytes` (a byte order mark is skipped). */
export function parseJsonBytes(bytes: Uint8Array, source: JsonSource): JsonValue | Refusal {
  const text = decodeUtf8(bytes);
  if (text !== undefined) return parseJsonText(text, source);
  return new Refusal(source.notJson, `${source.name} is not UTF-8 text: expected a JSON object in UTF-8`);
}

/** The JSON value in `text`. */
export function parseJsonText(text: string, source: JsonSource): JsonValue | Refusal {
  if (text.trim() === "") return new Refusal(source.notJson, `${source.name} is empty: expected a JSON object`);
  if (isDeeperThan(text, source.maxDepth)) {
    return new Refusal("too_deep", `${source.name} nests deeper than ${source.maxDepth} levels, the most that is parsed`);
  }
  try {
    return JSON.parse(text) as JsonValue;
  } catch (error) {
    return new Refusal(source.notJson, `${source.name} is not JSON: ${visible(messageOf(error))}`);
  }
}

function decodeUtf8(bytes: Uint8Array): string | undefined {
  try {
    return utf8.decode(bytes);
  } catch {
    return undefined;
  }
}

/** True if `value` is an object, the only shape that has fields. */
export function isObject(value: JsonValue): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

const SHOWN_LENGTH = 80;

/** `value` for use in a message: text is quoted, escaped and shortened; objects and arrays are only named. */
export function shown(value: JsonValue): string {
  if (typeof value === "object") return value === null ? "null" : Array.isArray(value) ? "an array" : "an object";
  if (typeof value !== "string") return String(value);
  const text = value.length > SHOWN_LENGTH ? `${value.slice(0, SHOWN_LENGTH)}…` : value;
  return visible(JSON.stringify(text));
}

function isDeeperThan(text: string, maxDepth: number): boolean {
  // Most messages open only a few objects, and nothing nests deeper than the number of objects opened.
  if (occurrences(text, "{", maxDepth) + occurrences(text, "[", maxDepth) <= maxDepth) return false;
  const scanner = new JsonScanner(maxDepth);
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length && !scanner.isTooDeep; ) at = scanner.scan(bytes, at);
  return scanner.isTooDeep;
}

/** Counts `character`, up to just past `enough`. */
function occurrences(text: string, character: string, enough: number): number {
  let count = 0;
  for (let at = text.indexOf(character); at !== -1 && count <= enough; at = text.indexOf(character, at + 1)) count++;
  return count;
}

/** Why a message is unusable. Returned, never thrown; `decodeMessage` turns it into a Rejected. */
export class Refusal {
  readonly reason: RejectionReason;
  /** Names the field, the value and the expectation. */
  readonly message: string;

  constructor(reason: RejectionReason, message: string) {
    this.reason = reason;
    this.message = message;
  }
}
