/** The record inside the envelope: a nested object, JSON text, or base64 text (what a Go `[]byte` becomes in JSON). */
import { type Fields, field, fieldsOf } from "./fields.ts";
import { isObject, type JsonValue, parseJsonBytes, parseJsonText, shown } from "./json.ts";
import { Refusal } from "./refusal.ts";
import type { MessageLimits } from "./vocabulary.ts";

/** The fields of the record. It means the same, and may nest as deep, in all three forms. */
export function payloadOf(envelope: Fields, limits: MessageLimits): Fields | Refusal {
  const value = field(envelope, "Payload");
  if (value === undefined || value === "") {
    return new Refusal("field_missing", "Payload is missing: expected the peer record as an object, JSON text or base64 text");
  }
  const record = typeof value === "string" ? parsePayloadText(value, limits) : value;
  if (record instanceof Refusal) return record;
  if (!isObject(record))
    return new Refusal("not_an_object", `Payload is ${shown(record)}: expected the peer record as an object`);
  return fieldsOf(record);
}

function parsePayloadText(text: string, limits: MessageLimits): JsonValue | Refusal {
  const source = { name: "Payload", maxDepth: limits.maxDepth - 1, notJson: "payload_not_json" } as const;
  const bytes = base64Bytes(text);
  return bytes === undefined ? parseJsonText(text, source) : parseJsonBytes(bytes, source);
}

/** No JSON object or array is base64: neither alphabet has a brace or bracket. Padding may be left off; spaces and stray bits may not be there. */
export function base64Bytes(text: string): Uint8Array | undefined {
  const digits = text.replace(/={1,2}$/, "");
  if (digits.length < text.length && text.length % 4 !== 0) return undefined;
  const bytes = Buffer.from(digits, "base64url");
  // Buffer skips what is not base64: only text that it would write itself was read in full.
  const isExact = digits === bytes.toString("base64url") || digits === bytes.toString("base64").replace(/={1,2}$/, "");
  return isExact ? bytes : undefined;
}
