/** How a far end writes its heartbeats (docs/WIRE.md). Pure. */
import type { FieldSpelling, TimestampKind } from "../../events/learned/learned-facts.ts";

export interface Dialect {
  readonly heartbeatFields: FieldSpelling;
  readonly heartbeatTimestamp: TimestampKind;
}

/** From 1973 in milliseconds and from 5138 in seconds, so no clock is mistaken for the other. */
const MILLISECONDS_FROM = 1e11;
/** From 1973 in nanoseconds. */
const NANOSECONDS_FROM = 1e17;
const RFC_3339 = /^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:[Zz]|[+-]\d\d:\d\d)$/;
/** The longest text that can match. */
const MAX_RFC_3339_LENGTH = 35;

/** The dialect of a heartbeat, a parsed JSON object. Looks at the spelling of the peer id, since it differs between versions. */
export function dialectOf(heartbeat: object): Dialect {
  const fields = new Map<string, unknown>(Object.entries(heartbeat));
  const [snake, go] = [fields.has("peer_id"), fields.has("PeerID")];
  return {
    heartbeatFields: snake && go ? "both" : snake ? "snake" : go ? "go" : "other",
    heartbeatTimestamp: timestampKind(fields.get("timestamp") ?? fields.get("Timestamp") ?? timestampIn(fields)),
  };
}

function timestampIn(fields: ReadonlyMap<string, unknown>): unknown {
  for (const [name, value] of fields) if (name.length <= "time_stamp".length && isTimestamp(name)) return value;
  return undefined;
}

const isTimestamp = (name: string) => name.toLowerCase().replaceAll("_", "") === "timestamp";

function timestampKind(value: unknown): TimestampKind {
  if (value === undefined || value === null) return "none";
  if (typeof value === "string") return value.length <= MAX_RFC_3339_LENGTH && RFC_3339.test(value) ? "rfc3339" : "other";
  if (typeof value !== "number" || !Number.isInteger(value) || value < 0) return "other";
  if (value < MILLISECONDS_FROM) return "unix";
  return value >= NANOSECONDS_FROM ? "unixnano" : "other";
}
