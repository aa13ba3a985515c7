/** Heartbeats on the wire: concatenated JSON objects, in chunks that may end anywhere (docs/WIRE.md). Pure. */

import { PartnerdError } from "../../base/errors.ts";
import { type Did, didOf, type PeerId, parsePeerId } from "../../base/ids.ts";
import { JsonScanner } from "../../base/json-scanner.ts";
import { isoTime } from "../../base/units.ts";
import { MAX_HEARTBEAT_BYTES, MAX_HEARTBEAT_DEPTH, MAX_HEARTBEAT_TEXT_LENGTH } from "./constants.ts";
import { type Dialect, dialectOf } from "./dialect.ts";

/** How we describe ourselves in heartbeats. */
export interface SelfDescription {
  readonly name: string;
  readonly did: Did;
  readonly peerId: PeerId;
}

/** A peer's description of itself; unproven. */
export interface Heartbeat {
  readonly name: string | null;
  readonly did: Did | null;
  /** The peer id it claims, canonical; null if it gives none. */
  readonly peerId: PeerId | null;
}

/** Format of a heartbeat's timestamp: Unix seconds, Unix nanoseconds, RFC 3339 text, or no timestamp. */
export type TimestampFormat = "unix" | "unixnano" | "rfc3339" | "none";

/** Spelling of a heartbeat's fields: the peer id as `peer_id` and as `PeerID`, as `peer_id` only, or all as Go names them. */
export type HeartbeatFields = "both" | "snake" | "go";

export interface HeartbeatFormat {
  readonly timestamp: TimestampFormat;
  readonly fields: HeartbeatFields;
}

/**
 * One heartbeat as Go's json.Encoder frames it. By default it contains the peer id twice, for readers of either version
 * (docs/WIRE.md). A Go reader rejects a timestamp of another type than it declares, and with DisallowUnknownFields the other spelling
 * of the peer id, so both are configurable.
 */
export function encodeHeartbeat(
  { name, did, peerId }: SelfDescription,
  wallMs: number,
  timestampFormat: TimestampFormat,
  fields: HeartbeatFields = "both",
): Uint8Array {
  const timestamp = timestampOf(wallMs, timestampFormat);
  return Buffer.from(`${JSON.stringify(spelled())}\n`);

  function spelled(): object {
    switch (fields) {
      case "both":
        return { name, did, peer_id: peerId, PeerID: peerId, timestamp };
      case "snake":
        return { name, did, peer_id: peerId, timestamp };
      case "go":
        return { Name: name, DID: did, PeerID: peerId, Timestamp: timestamp };
    }
  }
}

/** Undefined for no timestamp. */
function timestampOf(wallMs: number, format: TimestampFormat): number | string | undefined {
  switch (format) {
    case "unix":
      return Math.floor(wallMs / 1_000);
    case "unixnano":
      // Above 2^53, so rounded to 256 ns, but written as an integer.
      return Math.floor(wallMs) * 1_000_000;
    case "rfc3339":
      return isoTime(wallMs);
    case "none":
      return undefined;
  }
}

const OPEN_BRACE = 0x7b;
const WHITESPACE: ReadonlySet<number> = new Set([0x20, 0x09, 0x0a, 0x0d]);
const FIRST_BUFFER_BYTES = 512;

/**
 * Splits a byte stream into heartbeats. Buffers one unfinished value, of at most 64 KiB. Throws PartnerdError `heartbeat_malformed` or
 * `heartbeat_too_long`, after which it must not be used.
 */
export class HeartbeatDecoder {
  #buffer = new Uint8Array(FIRST_BUFFER_BYTES);
  #length = 0;
  readonly #scanner = new JsonScanner(MAX_HEARTBEAT_DEPTH);
  readonly #expected: PeerId | undefined;
  #dialect: Dialect | undefined;

  /** A claim equal to the canonical text of `expected` is not parsed, since parsing is most of the work. */
  constructor(expected?: PeerId) {
    this.#expected = expected;
  }

  /** How the first heartbeat was written; undefined before it. */
  get dialect(): Dialect | undefined {
    return this.#dialect;
  }

  /** Bytes buffered of the unfinished value. */
  get bufferedBytes(): number {
    return this.#length;
  }

  /** The heartbeats that `chunk` completes, one by one, so that those before an invalid byte are not lost. */
  *decode(chunk: Uint8Array): Generator<Heartbeat, void> {
    for (let at = 0; at < chunk.length; ) {
      if (this.#scanner.depth === 0) {
        const byte = chunk[at] ?? 0;
        if (WHITESPACE.has(byte)) {
          at++;
          continue;
        }
        if (byte !== OPEN_BRACE) throw malformed('a JSON object must start with "{"', got(byte));
      }
      const end = this.#scanner.scan(chunk, at);
      this.#keep(chunk.subarray(at, end));
      at = end;
      if (this.#scanner.isTooDeep) throw malformed(`nested deeper than ${MAX_HEARTBEAT_DEPTH} levels`);
      if (this.#scanner.depth > 0) continue;
      const value = this.#buffer.subarray(0, this.#length);
      this.#length = 0;
      const parsed = parseObject(value);
      const heartbeat = heartbeatIn(parsed, this.#expected);
      this.#dialect ??= dialectOf(parsed);
      yield heartbeat;
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

function heartbeatIn(parsed: object, expected: PeerId | undefined): Heartbeat {
  const fields = textFields(parsed);
  const claimed = fields.get("peerid");
  if (claimed === undefined) return { name: fields.get("name") ?? null, did: didOrNull(fields), peerId: null };
  const peerId = claimed === expected ? expected : parsePeerId(claimed);
  if (peerId === undefined) throw malformed("peer_id is not a PeerID", got(claimed));
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
    throw malformed("not JSON in UTF-8", error);
  }
  if (typeof parsed !== "object" || parsed === null) throw malformed("not a JSON object");
  return parsed;
}

/** By normalised name: the name in messages. */
const KNOWN_FIELDS: ReadonlyMap<string, string> = new Map([
  ["name", "name"],
  ["did", "did"],
  ["peerid", "peer_id"],
]);

/**
 * The known fields, matched without case and underscores: `peer_id`, `PeerID` and `peerId` are the same field. Empty text and null
 * count as absent. Two spellings with different values make the heartbeat malformed.
 */
function textFields(object: object): ReadonlyMap<string, string> {
  const fields = new Map<string, string>();
  for (const [key, value] of Object.entries(object) as [string, unknown][]) {
    const field = key.toLowerCase().replaceAll("_", "");
    const shown = KNOWN_FIELDS.get(field);
    if (shown === undefined || value === null || value === "") continue;
    if (typeof value !== "string") throw malformed(`${shown} must be text`);
    if (value.length > MAX_HEARTBEAT_TEXT_LENGTH)
      throw malformed(`${shown} is longer than ${MAX_HEARTBEAT_TEXT_LENGTH} characters`);
    const before = fields.get(field);
    if (before !== undefined && before !== value) throw malformed(`${shown} is given twice, differently`, got(value));
    fields.set(field, value);
  }
  return fields;
}

/** Bytes of the far end, as a cause: messages never quote them. */
function got(value: string | number): Error {
  return new Error(`got ${typeof value === "number" ? `byte 0x${value.toString(16).padStart(2, "0")}` : JSON.stringify(value)}`);
}

function malformed(detail: string, cause?: unknown): PartnerdError {
  return new PartnerdError("heartbeat_malformed", `heartbeat malformed: ${detail}`, { cause });
}
