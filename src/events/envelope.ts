/** The envelope around every resource event: who published it, what kind of resource it is about, and the record within. */
import { type Fields, field, fieldsOf, integerOf, textOf } from "./fields.ts";
import { isObject, type JsonValue, parseJsonBytes, parseJsonText, Refusal, shown } from "./json.ts";
import type { MessageLimits, Vocabulary } from "./vocabulary.ts";

export const LONGEST_SOURCE = 128;
export const LONGEST_DATATYPE = 128;
const LONGEST_USER = 256;

/** The publishing app. It may be empty (Go's zero value), not missing. */
export function sourceOf(envelope: Fields): string | Refusal {
  const value = field(envelope, "FromApp");
  if (value === undefined) {
    return new Refusal("field_missing", 'FromApp is missing: expected the name of the publishing app, such as "oc-api"');
  }
  return textOf("FromApp", value, LONGEST_SOURCE);
}

/** The user that the app named; null if it named none, or not as text. Nobody verified it, so it is never a reason to reject an event. */
export function claimedUserOf(envelope: Fields): string | null {
  const value = field(envelope, "User");
  return typeof value === "string" && value.trim() !== "" ? value.trim().slice(0, LONGEST_USER) : null;
}

/** The datatype as the message spells it: a name, or the integer of the publisher's enum as text. */
export function datatypeOf(envelope: Fields): string | Refusal {
  const value = field(envelope, "Datatype");
  if (value === undefined || value === "") {
    return new Refusal("field_missing", 'Datatype is missing: expected a name such as "PEER", or an integer');
  }
  if (typeof value === "number" && Number.isSafeInteger(value)) return String(value);
  return textOf("Datatype", value, LONGEST_DATATYPE, 'a name such as "PEER", or an integer');
}

/** True if `source` publishes nothing but echoes. */
export function isEcho(source: string, vocabulary: Vocabulary): boolean {
  return vocabulary.ignoreApps.some((app) => app.toLowerCase() === source.toLowerCase());
}

/** True if `datatype` means a peer. */
export function isPeerDatatype(datatype: string, vocabulary: Vocabulary): boolean {
  return vocabulary.peerDatatypes.some((known) => comparable(known) === comparable(datatype));
}

function comparable(datatype: string | number): string | number {
  return integerOf(datatype) ?? String(datatype).toLowerCase();
}

/**
 * The fields of the record, which is a nested object, JSON text, or base64 text (a Go `[]byte` in JSON). It means the same, and may nest
 * as deep, in all three forms.
 */
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
