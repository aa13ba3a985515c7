/** Decodes the bytes of a message. */
import type { Decoded, Rejected } from "./decoded.ts";
import { claimedUserOf, datatypeOf, isEcho, isPeerDatatype, payloadOf, sourceOf } from "./envelope.ts";
import { fieldsOf } from "./fields.ts";
import { isObject, type JsonValue, parseJsonBytes, Refusal, shown } from "./json.ts";
import { readDesired, readRemoved } from "./peer-record.ts";
import type { MessageLimits, Vocabulary } from "./vocabulary.ts";

/** A published message. */
export interface RawMessage {
  readonly subject: string;
  readonly bytes: Uint8Array;
}

/**
 * Decodes `message`. Never throws: an unusable message is Rejected, with the reason. Time and memory are linear in its size, which
 * `limits` bounds before any of it is read.
 */
export function decodeMessage(message: RawMessage, vocabulary: Vocabulary, limits: MessageLimits): Decoded {
  const json = parseMessage(message.bytes, limits);
  if (json instanceof Refusal) return rejected(json, NOBODY);
  if (!isObject(json))
    return rejected(new Refusal("not_an_object", `the message is ${shown(json)}: expected a JSON object`), NOBODY);
  const envelope = fieldsOf(json);

  const claimedUser = claimedUserOf(envelope);
  const source = sourceOf(envelope);
  if (source instanceof Refusal) return rejected(source, { source: null, claimedUser });
  const publisher = { source, claimedUser };
  const datatype = datatypeOf(envelope);
  if (isEcho(source, vocabulary)) {
    return { kind: "ignored", reason: "echo", source, datatype: datatype instanceof Refusal ? "" : datatype };
  }
  if (datatype instanceof Refusal) return rejected(datatype, publisher);
  if (!isPeerDatatype(datatype, vocabulary)) return { kind: "ignored", reason: "other_datatype", source, datatype };

  const record = payloadOf(envelope, limits);
  if (record instanceof Refusal) return rejected(record, publisher);
  if (vocabulary.removeSubjects.includes(message.subject)) {
    const removed = readRemoved(record);
    return removed instanceof Refusal ? rejected(removed, publisher) : { kind: "removed", ...publisher, ...removed };
  }
  const desired = readDesired(record, vocabulary);
  return desired instanceof Refusal ? rejected(desired, publisher) : { kind: "desired", ...publisher, ...desired };
}

function parseMessage(bytes: Uint8Array, limits: MessageLimits): JsonValue | Refusal {
  if (bytes.byteLength > limits.maxMessageBytes) {
    return new Refusal("too_large", `the message has ${bytes.byteLength} bytes: at most ${limits.maxMessageBytes} are parsed`);
  }
  return parseJsonBytes(bytes, { name: "the message", maxDepth: limits.maxDepth, notJson: "not_json" });
}

type Publisher = Pick<Rejected, "source" | "claimedUser">;

const NOBODY: Publisher = { source: null, claimedUser: null };

function rejected(refusal: Refusal, publisher: Publisher): Rejected {
  return { kind: "rejected", reason: refusal.reason, message: refusal.message, ...publisher };
}
