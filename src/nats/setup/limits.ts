/** What a stream keeps before it drops its oldest messages, and how that is written for people. Pure. */
import { counted, exactBytesText, exactDurationText } from "../../base/units.ts";
import { millis, type StreamConfig } from "../client.ts";

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
