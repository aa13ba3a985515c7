/** Messages as a publisher sends them, for tests that vary one detail. */

import { decodeMessage } from "../../src/events/decode.ts";
import type { Decoded, Desired, Rejected } from "../../src/events/decoded.ts";
import { DEFAULT_LIMITS, DEFAULT_VOCABULARY, type Vocabulary } from "../../src/events/vocabulary.ts";

export const CREATE = "CREATE_RESOURCE";
export const REMOVE = "REMOVE_RESOURCE";

/** The source app's envelope around `payload`; `overrides` replace or add fields. */
export function envelope(payload: unknown, overrides: Record<string, unknown> = {}): Record<string, unknown> {
  return { FromApp: "oc-api", Datatype: "PEER", Payload: payload, ...overrides };
}

export function decodeText(text: string, subject = CREATE, vocabulary: Vocabulary = DEFAULT_VOCABULARY): Decoded {
  return decodeMessage({ subject, bytes: new TextEncoder().encode(text) }, vocabulary, DEFAULT_LIMITS);
}

export function decodeJson(json: unknown, subject = CREATE, vocabulary: Vocabulary = DEFAULT_VOCABULARY): Decoded {
  return decodeText(JSON.stringify(json), subject, vocabulary);
}

/** Throws, showing the decoder's result, unless `decoded` is a desired peer. */
export function asDesired(decoded: Decoded): Desired {
  if (decoded.kind !== "desired") throw new Error(`expected a desired peer, got ${JSON.stringify(decoded)}`);
  return decoded;
}

/** Throws unless `decoded` is a rejection. */
export function asRejected(decoded: Decoded): Rejected {
  if (decoded.kind !== "rejected") throw new Error(`expected a rejection, got ${JSON.stringify(decoded)}`);
  return decoded;
}
