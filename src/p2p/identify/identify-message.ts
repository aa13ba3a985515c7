/** The answer to identify, `/ipfs/id/1.0.0`: protobuf messages, each with its length before it. Pure. */
import { PartnerdError } from "../../base/errors.ts";
import { type LearnedFacts, MAX_LEARNED_PROTOCOLS, MAX_LEARNED_TEXT } from "../../events/learned/learned-facts.ts";

/** The claims of a program in identify, bounded as in LearnedFacts. Its keys and addresses are not read. */
export interface IdentifiedProgram extends Pick<LearnedFacts, "agent" | "protocolVersion" | "protocolsOmitted"> {
  readonly protocols: readonly string[];
}

/** Field numbers of the identify specification. */
const PROTOCOLS = 3;
const PROTOCOL_VERSION = 5;
const AGENT_VERSION = 6;

/** Of protobuf: a number, 8 bytes, bytes with their length before them, 4 bytes. */
const VARINT = 0;
const FIXED_64 = 1;
const BYTES = 2;
const FIXED_32 = 5;
const MAX_VARINT_BYTES = 10;

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
  const messages = new FieldReader(bytes);
  while (!messages.isAtEnd) {
    const message = new FieldReader(messages.bytes());
    while (!message.isAtEnd) {
      const { field, value } = message.field();
      if (value === undefined) continue;
      if (field === AGENT_VERSION) agent = textOf(value);
      else if (field === PROTOCOL_VERSION) protocolVersion = textOf(value);
      else if (field !== PROTOCOLS) continue;
      else if (protocols.size < MAX_PROTOCOLS_SORTED) protocols.add(textOf(value));
      else uncounted += 1;
    }
  }
  const sorted = [...protocols].sort();
  return {
    agent: agent === "" ? null : (agent ?? null),
    protocolVersion: protocolVersion === "" ? null : (protocolVersion ?? null),
    protocols: sorted.slice(0, MAX_LEARNED_PROTOCOLS),
    protocolsOmitted: Math.max(0, sorted.length - MAX_LEARNED_PROTOCOLS) + uncounted,
  };
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

class FieldReader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#bytes.length;
  }

  /** The next field; `value` is undefined if it is not bytes. */
  field(): { readonly field: number; readonly value: Uint8Array | undefined } {
    const tag = this.#varint();
    const field = Math.floor(tag / 8);
    switch (tag % 8) {
      case VARINT:
        this.#varint();
        return { field, value: undefined };
      case FIXED_64:
        this.#take(8);
        return { field, value: undefined };
      case BYTES:
        return { field, value: this.bytes() };
      case FIXED_32:
        this.#take(4);
        return { field, value: undefined };
      default:
        throw malformed("unknown type of field");
    }
  }

  /** A length, and as many bytes. */
  bytes(): Uint8Array {
    return this.#take(this.#varint());
  }

  #take(length: number): Uint8Array {
    if (length > this.#bytes.length - this.#at) throw malformed("it ends within a field");
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }

  /** Numbers above 2^53 lose their low bits; none that long is used. */
  #varint(): number {
    let value = 0;
    for (let index = 0; index < MAX_VARINT_BYTES; index++) {
      const byte = this.#bytes[this.#at];
      if (byte === undefined) throw malformed("it ends within a number");
      this.#at += 1;
      value += (byte & 0x7f) * 2 ** (7 * index);
      if (byte < 0x80) return value;
    }
    throw malformed("a number is too long");
  }
}

function malformed(detail: string): PartnerdError {
  return new PartnerdError("identify_malformed", `the answer to identify is malformed: ${detail}`);
}
