/** Heartbeats on the wire: any concatenation of JSON objects, cut anywhere (WIRE). Pure. */

import { messageOf, PartnerdError } from "../../base/errors.ts";
import { type Did, didOf, type PeerId, parsePeerId } from "../../base/ids.ts";
import { JsonScanner } from "../../base/json-scanner.ts";
import { isoTime } from "../../base/units.ts";
import { MAX_HEARTBEAT_BYTES, MAX_HEARTBEAT_DEPTH, MAX_HEARTBEAT_TEXT_LENGTH } from "./constants.ts";

/** What we say of ourselves. */
export interface SelfDescription {
  readonly name: string;
  readonly did: Did;
  readonly peerId: PeerId;
}

/** What a peer says of itself. Nothing of it is proven. */
export interface Heartbeat {
  readonly name: string | null;
  readonly did: Did | null;
  /** The peer id it claims, canonical; null where it gives none. */
  readonly peerId: PeerId | null;
}

/** How a heartbeat says when it was sent: Unix seconds, RFC 3339 text, or not at all. */
export type TimestampFormat = "unix" | "rfc3339" | "none";

/**
 * One heartbeat as Go's json.Encoder frames it. The peer id is there twice, for readers of either version (WIRE). A Go
 * reader refuses the whole heartbeat where the type of its timestamp is not the one that it declares, so the format can be chosen.
 */
export function encodeHeartbeat(self: SelfDescription, wallMs: number, format: TimestampFormat): Uint8Array {
  const { name, did, peerId } = self;
  return Buffer.from(`${JSON.stringify({ name, did, peer_id: peerId, PeerID: peerId, ...timestamp(wallMs, format) })}\n`);
}

function timestamp(wallMs: number, format: TimestampFormat): { readonly timestamp?: number | string } {
  switch (format) {
    case "unix":
      return { timestamp: Math.floor(wallMs / 1_000) };
    case "rfc3339":
      return { timestamp: isoTime(wallMs) };
    case "none":
      return {};
  }
}

const OPEN_BRACE = 0x7b;
const WHITESPACE: ReadonlySet<number> = new Set([0x20, 0x09, 0x0a, 0x0d]);
const FIRST_BUFFER_BYTES = 512;

/**
 * Cuts a byte stream into heartbeats. It keeps at most the bytes of one unfinished value, and of that at most
 * 64 KiB. Throws PartnerdError `heartbeat_malformed` or `heartbeat_too_long`; after that it is of no further use.
 */
export class HeartbeatDecoder {
  #buffer = new Uint8Array(FIRST_BUFFER_BYTES);
  #length = 0;
  readonly #scanner = new JsonScanner(MAX_HEARTBEAT_DEPTH);
  readonly #expected: PeerId | undefined;

  /** Who claims to be `expected` in its canonical text is believed without parsing it, which is most of the work. */
  constructor(expected?: PeerId) {
    this.#expected = expected;
  }

  /** The bytes of the unfinished value that are kept. */
  get bufferedBytes(): number {
    return this.#length;
  }

  /** The heartbeats that `chunk` completes, one by one, so that those before a bad byte are not lost. */
  *decode(chunk: Uint8Array): Generator<Heartbeat, void> {
    for (let at = 0; at < chunk.length; ) {
      if (this.#scanner.depth === 0) {
        const byte = chunk[at] ?? 0;
        if (WHITESPACE.has(byte)) {
          at++;
          continue;
        }
        if (byte !== OPEN_BRACE)
          throw malformed(`a JSON object must start with "{", got byte 0x${byte.toString(16).padStart(2, "0")}`);
      }
      const end = this.#scanner.scan(chunk, at);
      this.#keep(chunk.subarray(at, end));
      at = end;
      if (this.#scanner.isTooDeep) throw malformed(`nested deeper than ${MAX_HEARTBEAT_DEPTH} levels`);
      if (this.#scanner.depth > 0) continue;
      const value = this.#buffer.subarray(0, this.#length);
      this.#length = 0;
      yield parseHeartbeat(value, this.#expected);
    }
  }

  #keep(piece: Uint8Array): void {
    const length = this.#length + piece.length;
    const room = Math.min(length, MAX_HEARTBEAT_BYTES);
    if (room > this.#buffer.length) {
      const larger = new Uint8Array(Math.min(Math.max(this.#buffer.length * 2, room), MAX_HEARTBEAT_BYTES));
      larger.set(this.#buffer.subarray(0, this.#length));
      this.#buffer = larger;
    }
    this.#buffer.set(piece.subarray(0, room - this.#length), this.#length);
    this.#length = room;
    if (length > MAX_HEARTBEAT_BYTES)
      throw new PartnerdError("heartbeat_too_long", `heartbeat is longer than ${MAX_HEARTBEAT_BYTES} bytes`);
  }
}

const utf8 = new TextDecoder("utf-8", { fatal: true });

function parseHeartbeat(bytes: Uint8Array, expected: PeerId | undefined): Heartbeat {
  const fields = textFields(parseObject(bytes));
  const claimed = fields.get("peerid");
  if (claimed === undefined) return { name: fields.get("name") ?? null, did: didOrNull(fields), peerId: null };
  const peerId = claimed === expected ? expected : parsePeerId(claimed);
  if (peerId === undefined) throw malformed(`peer_id ${quoted(claimed)} is not a peer id`);
  return { name: fields.get("name") ?? null, did: didOrNull(fields), peerId };
}

function didOrNull(fields: ReadonlyMap<string, string>): Did | null {
  const did = fields.get("did");
  return did === undefined ? null : didOf(did);
}

function parseObject(bytes: Uint8Array): object {
  let parsed: unknown;
  try {
    parsed = JSON.parse(utf8.decode(bytes));
  } catch (error) {
    throw malformed(messageOf(error), error);
  }
  if (typeof parsed !== "object" || parsed === null) throw malformed("not a JSON object");
  return parsed;
}

const KNOWN_FIELDS: ReadonlySet<string> = new Set(["name", "did", "peerid"]);

/**
 * The known fields by their spelling without case and underscores: `peer_id`, `PeerID` and `peerId` are one field.
 * Empty text and null say nothing. Two spellings that disagree make the heartbeat worthless.
 */
function textFields(object: object): ReadonlyMap<string, string> {
  const fields = new Map<string, string>();
  for (const [key, value] of Object.entries(object) as [string, unknown][]) {
    const field = key.toLowerCase().replaceAll("_", "");
    if (!KNOWN_FIELDS.has(field) || value === null || value === "") continue;
    if (typeof value !== "string") throw malformed(`${quoted(key)} must be text`);
    if (value.length > MAX_HEARTBEAT_TEXT_LENGTH)
      throw malformed(`${quoted(key)} is longer than ${MAX_HEARTBEAT_TEXT_LENGTH} characters`);
    const before = fields.get(field);
    if (before !== undefined && before !== value) throw malformed(`${quoted(key)} is given twice, differently`);
    fields.set(field, value);
  }
  return fields;
}

const QUOTED_LENGTH = 64;

/** Foreign text in a message: escaped, and short enough for the log. */
function quoted(text: string): string {
  return JSON.stringify(text.length > QUOTED_LENGTH ? `${text.slice(0, QUOTED_LENGTH)}…` : text);
}

function malformed(detail: string, cause?: unknown): PartnerdError {
  return new PartnerdError("heartbeat_malformed", `heartbeat malformed: ${detail}`, { cause });
}
