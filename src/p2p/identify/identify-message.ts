/** The answer to identify, `/ipfs/id/1.0.0`: protobuf messages, each with its length before it. Pure. */
import { PartnerdError } from "../../base/errors.ts";
import {
  type LearnedFacts,
  MAX_LEARNED_PROTOCOL_BYTES,
  MAX_LEARNED_PROTOCOLS,
  MAX_LEARNED_TEXT,
} from "../../events/learned/learned-facts.ts";
import { ProtobufReader } from "../wire/protobuf.ts";

/** The claims of a program in identify, bounded as in LearnedFacts. Its keys and addresses are not read. */
export interface IdentifiedProgram extends Pick<LearnedFacts, "agent" | "protocolVersion" | "protocolsOmitted"> {
  readonly protocols: readonly string[];
}

/** Field numbers of the identify specification. */
const PROTOCOLS = 3;
const PROTOCOL_VERSION = 5;
const AGENT_VERSION = 6;

/** Protocols beyond this are counted and not looked at. */
const MAX_PROTOCOLS_SORTED = 1_024;

/**
 * Reads everything that a far end sent. In later messages, text replaces that of earlier ones, and protocols are added. Throws
 * PartnerdError `identify_malformed`, also if there is no message.
 */
export function decodeIdentify(bytes: Uint8Array): IdentifiedProgram {
  if (bytes.length === 0) throw malformed("empty answer");
  const protocols = new Set<string>();
  let uncounted = 0;
  let [agent, protocolVersion]: (string | null)[] = [null, null];
  const messages = new ProtobufReader(bytes, malformed);
  while (!messages.isAtEnd) {
    const message = new ProtobufReader(messages.bytes(), malformed);
    while (!message.isAtEnd) {
      const { field, value } = message.field();
      if (typeof value === "number") continue;
      if (field === AGENT_VERSION) agent = textOf(value);
      else if (field === PROTOCOL_VERSION) protocolVersion = textOf(value);
      else if (field !== PROTOCOLS) continue;
      else if (protocols.size < MAX_PROTOCOLS_SORTED) protocols.add(textOf(value));
      else uncounted += 1;
    }
  }
  const sorted = [...protocols].sort();
  const kept = fitting(sorted);
  return {
    agent: agent === "" ? null : (agent ?? null),
    protocolVersion: protocolVersion === "" ? null : (protocolVersion ?? null),
    protocols: kept,
    protocolsOmitted: sorted.length - kept.length + uncounted,
  };
}

/** The first ones that fit into the bounds of LearnedFacts. */
function fitting(protocols: readonly string[]): readonly string[] {
  let bytes = 0;
  const last = protocols.findIndex((protocol, index) => {
    bytes += Buffer.byteLength(JSON.stringify(protocol)) + 1;
    return index === MAX_LEARNED_PROTOCOLS || bytes > MAX_LEARNED_PROTOCOL_BYTES;
  });
  return last < 0 ? protocols : protocols.slice(0, last);
}

const utf8 = new TextDecoder();

/**
 * Cuts before decoding: a character has up to 4 bytes. A NUL becomes U+FFFD, since C programs end text there. The text is copied, so
 * that it does not keep the message in memory.
 */
function textOf(value: Uint8Array): string {
  const text = utf8.decode(value.subarray(0, 4 * MAX_LEARNED_TEXT)).slice(0, MAX_LEARNED_TEXT);
  return Buffer.from(text.toWellFormed().replaceAll("\0", "\ufffd")).toString();
}

function malformed(detail: string): PartnerdError {
  return new PartnerdError("identify_malformed", `the answer to identify is malformed: ${detail}`);
}
