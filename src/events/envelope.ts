/** The envelope around every resource event: who published it, and what kind of resource it is about. */
import { type Fields, field, integerOf, textOf } from "./fields.ts";
import { Refusal } from "./refusal.ts";
import type { Vocabulary } from "./vocabulary.ts";

export const LONGEST_SOURCE = 128;
export const LONGEST_DATATYPE = 128;

/** The publishing app. It may be empty (Go's zero value), not missing. */
export function sourceOf(envelope: Fields): string | Refusal {
  const value = field(envelope, "FromApp");
  if (value === undefined) {
    return new Refusal("field_missing", 'FromApp is missing: expected the name of the publishing app, such as "oc-api"');
  }
  return textOf("FromApp", value, LONGEST_SOURCE);
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

/** Whether `source` publishes nothing but echoes. */
export function isEcho(source: string, vocabulary: Vocabulary): boolean {
  return vocabulary.ignoreApps.some((app) => app.toLowerCase() === source.toLowerCase());
}

/** Whether `datatype` means a peer. */
export function isPeerDatatype(datatype: string, vocabulary: Vocabulary): boolean {
  return vocabulary.peerDatatypes.some((known) => comparable(known) === comparable(datatype));
}

function comparable(datatype: string | number): string | number {
  return integerOf(datatype) ?? String(datatype).toLowerCase();
}
