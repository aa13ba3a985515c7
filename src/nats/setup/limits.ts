/** What a stream keeps before it drops its oldest messages, and how that is written for people. Pure. */
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
    ...(maxMessages === null ? [] : [`at most ${maxMessages} messages`]),
    ...(maxMessagesPerSubject === null ? [] : [`at most ${maxMessagesPerSubject} messages of a subject`]),
    replicas === 1 ? "1 replica" : `${replicas} replicas`,
  ].join(", ");
}

const SIZES = [
  ["TiB", 1_024 ** 4],
  ["GiB", 1_024 ** 3],
  ["MiB", 1_024 ** 2],
  ["KiB", 1_024],
] as const;

/** `1 GiB`, `1500 bytes`, `any size`. */
export function sizeText(bytes: number | null): string {
  if (bytes === null) return "any size";
  const [unit, length] = SIZES.find(([, size]) => bytes % size === 0) ?? ["bytes", 1];
  return `${bytes / length} ${unit}`;
}

const AGES = [
  ["d", 86_400_000],
  ["h", 3_600_000],
  ["min", 60_000],
  ["s", 1_000],
] as const;

/** `90 d`, `1500 ms`, `any age`. */
export function ageText(ageMs: number | null): string {
  if (ageMs === null) return "any age";
  const [unit, length] = AGES.find(([, age]) => ageMs % age === 0) ?? ["ms", 1];
  return `${ageMs / length} ${unit}`;
}
