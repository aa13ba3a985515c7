/** The stream as `setup` makes it, and why; what a stream keeps, and how that is written for people. Pure. */
import { counted, exactBytesText, exactDurationText } from "../../base/units.ts";
import { DiscardPolicy, millis, nanos, RetentionPolicy, StorageType, type StreamConfig } from "../connection/client.ts";

/** null: no limit. */
export interface RetentionLimits {
  readonly maxBytes: number | null;
  readonly maxAgeMs: number | null;
  readonly maxMessages: number | null;
  readonly maxMessagesPerSubject: number | null;
  readonly replicas: number;
}

export function limitsOf(config: Partial<StreamConfig>): RetentionLimits {
  const limit = (value: number | undefined) => (value === undefined || value <= 0 ? null : value);
  return {
    maxBytes: limit(config.max_bytes),
    maxAgeMs: limit(millis(config.max_age ?? 0)),
    maxMessages: limit(config.max_msgs),
    maxMessagesPerSubject: limit(config.max_msgs_per_subject),
    replicas: config.num_replicas ?? 1,
  };
}

export function limitsText({ maxBytes, maxAgeMs, maxMessages, maxMessagesPerSubject, replicas }: RetentionLimits): string {
  return [
    sizeText(maxBytes),
    ageText(maxAgeMs),
    ...(maxMessages === null ? [] : [`at most ${counted(maxMessages, "message")}`]),
    ...(maxMessagesPerSubject === null ? [] : [`at most ${counted(maxMessagesPerSubject, "message")} of a subject`]),
    counted(replicas, "replica"),
  ].join(", ");
}

/** `1 GiB`, `1500 bytes`, `any size`. */
export const sizeText = (bytes: number | null): string => (bytes === null ? "any size" : exactBytesText(bytes));

/** `90 d`, `1500 ms`, `any age`. */
export const ageText = (ageMs: number | null): string => (ageMs === null ? "any age" : exactDurationText(ageMs));

/** Limits that somebody asked for; null for none. */
export interface LimitChanges {
  readonly maxBytes?: number | null | undefined;
  readonly maxAgeMs?: number | null | undefined;
  readonly replicas?: number | undefined;
}

/** Some half a million events. */
const DEFAULT_MAX_BYTES = 1_073_741_824;

/** What has to hold of a stream that is ours alone. */
export const GUARDS = {
  // A captured request would get the stream's acknowledgement as its reply.
  no_ack: true,
  // What is in the stream can be proved to be in the log; nobody takes it out but the limits.
  deny_delete: true,
  deny_purge: true,
  // A full stream that refuses messages tells nobody; one that drops its oldest leaves a gap in the sequences.
  discard: DiscardPolicy.Old,
} as const satisfies Partial<StreamConfig>;

/** The stream as `setup` makes it. Limits are the operator's. */
export function streamConfig(
  name: string,
  subjects: readonly string[],
  { maxBytes = DEFAULT_MAX_BYTES, maxAgeMs = null, replicas = 1 }: LimitChanges = {},
): Partial<StreamConfig> & { name: string } {
  return {
    name,
    description: "What OpenCloud's apps publish of resources, for oc-partnerd",
    subjects: [...subjects],
    storage: StorageType.File,
    retention: RetentionPolicy.Limits,
    ...GUARDS,
    max_bytes: maxBytes ?? -1,
    max_age: nanos(maxAgeMs ?? 0),
    num_replicas: replicas,
  };
}
