/** The envelope of a resource event: who published it, the kind of resource, and the record inside. */
import { detached } from "../base/units.ts";
import { type Fields, field, fieldsOf, integerOf, textOf } from "./fields.ts";
import { isObject, type JsonValue, parseJsonBytes, parseJsonText, Refusal, shown } from "./json.ts";
import type { MessageLimits, Vocabulary } from "./vocabulary.ts";

export const LONGEST_SOURCE = 128;
export const LONGEST_DATATYPE = 128;
const LONGEST_USER = 256;

/** The publishing app. It may be empty (Go's zero value) but not missing. */
export function sourceOf(envelope: Fields): string | Refusal {
  const value = field(envelope, "FromApp");
  if (value === undefined) {
    return new Refusal("field_missing", 'FromApp is missing: expected the name of the publishing app, such as "oc-api"');
  }
  return textOf("FromApp", value, LONGEST_SOURCE);
}

/**
 * The user that the app named; null if it named none, or not as text. It is unverified, so it is never a reason to reject an
 * event.
 */
export function claimedUserOf(envelope: Fields): string | null {
  const value = field(envelope, "User");
  return typeof value === "string" && value.trim() !== "" ? detached(value.trim().slice(0, LONGEST_USER)) : null;
}

/** The datatype as spelled in the message: a name, or the integer of the publisher's enum as text. */
export function datatypeOf(envelope: Fields): string | Refusal {
  const value = field(envelope, "Datatype");
  if (value === undefined || value === "") {
    return new Refusal("field_missing", 'Datatype is missing: expected a name such as "PEER", or an integer');
  }
  if (typeof value === "number" && Number.isSafeInteger(value)) return String(value);
  return textOf("Datatype", value, LONGEST_DATATYPE, 'a name such as "PEER", or an integer');
}

/** True if `source` publishes only echoes. */
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
 * The fields of the record, which may be a nested object, JSON text, or base64 text (a Go `[]byte` in JSON). All three forms mean the
 * same and have the same depth limit.
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

/**
 * Undefined for a JSON object or array, whose brackets are in neither alphabet. Padding is optional; spaces and stray bits are
 * refused.
 */
export function base64Bytes(text: string): Uint8Array | undefined {
  const digits = text.replace(/={1,2}$/, "");
  if (digits.length < text.length && text.length % 4 !== 0) return undefined;
  const bytes = Buffer.from(digits, "base64url");
  // Buffer skips invalid characters, so the text was read in full only if encoding the result gives the same text.
  const isExact = digits === bytes.toString("base64url") || digits === bytes.toString("base64").replace(/={1,2}$/, "");
  return isExact ? bytes : undefined;
}
