/** Which heartbeat format to try next on a far end. Pure. */
import type { HeartbeatFields, HeartbeatFormat, TimestampFormat } from "../wire/codec.ts";
import type { HeartbeatTrial } from "./step-results.ts";

/** In the order to try them. Go's names come first: a far end that rejects the default most likely knows only them. */
const FIELDS: readonly HeartbeatFields[] = ["go", "snake", "both"];
const TIMESTAMPS: readonly TimestampFormat[] = ["unix", "unixnano", "rfc3339", "none"];

/**
 * The format to try after `trials`; null if nothing more is to be learnt. The configured format comes first, then all others until
 * one is accepted. With `more`, then also those that differ from the accepted one in one setting.
 */
export function nextFormat(
  configured: HeartbeatFormat,
  trials: readonly HeartbeatTrial[],
  more: boolean,
): HeartbeatFormat | null {
  // A stream that did not open says nothing about formats.
  if (trials.at(-1)?.outcome.kind === "not_opened") return null;
  const accepted = trials.find(({ outcome }) => outcome.kind === "accepted")?.format;
  const candidates = accepted === undefined ? searchOrder(configured) : more ? neighboursOf(accepted) : [];
  return candidates.find((candidate) => !trials.some(({ format }) => isSameFormat(format, candidate))) ?? null;
}

function searchOrder(configured: HeartbeatFormat): readonly HeartbeatFormat[] {
  const timestamps = [configured.timestamp, ...TIMESTAMPS.filter((timestamp) => timestamp !== configured.timestamp)];
  return [configured, ...timestamps.flatMap((timestamp) => FIELDS.map((fields) => ({ fields, timestamp })))];
}

function neighboursOf({ fields, timestamp }: HeartbeatFormat): readonly HeartbeatFormat[] {
  return [...FIELDS.map((other) => ({ fields: other, timestamp })), ...TIMESTAMPS.map((other) => ({ fields, timestamp: other }))];
}

export const isSameFormat = (one: HeartbeatFormat, other: HeartbeatFormat): boolean =>
  one.fields === other.fields && one.timestamp === other.timestamp;
