/** The stream that `setup` creates, and the limits of a stream as data and as text. Pure. */
import { counted, exactBytesText, exactDurationText } from "../../base/units.ts";
import { DiscardPolicy, millis, nanos, RetentionPolicy, StorageType, type StreamConfig } from "../connection/client.ts";

/** null: no limit. */
export interface RetentionLimits {
  readonly maxBytes: number | null;
  readonly maxAgeMs: number | null;
  readonly maxMessages: number | null;
  readonly maxMessagesPerSubject: number | null;
  readonly maxMessageBytes: number | null;
  readonly replicas: number;
}

export function limitsOf(config: Partial<StreamConfig>): RetentionLimits {
  const limit = (value: number | undefined) => (value === undefined || value <= 0 ? null : value);
  return {
    maxBytes: limit(config.max_bytes),
    maxAgeMs: limit(millis(config.max_age ?? 0)),
    maxMessages: limit(config.max_msgs),
    maxMessagesPerSubject: limit(config.max_msgs_per_subject),
    maxMessageBytes: limit(config.max_msg_size),
    replicas: config.num_replicas ?? 1,
  };
}

export function limitsText(limits: RetentionLimits): string {
  const { maxBytes, maxAgeMs, maxMessages, maxMessagesPerSubject, maxMessageBytes, replicas } = limits;
  return [
    sizeText(maxBytes),
    ageText(maxAgeMs),
    ...(maxMessages === null ? [] : [`at most ${counted(maxMessages, "message")}`]),
    ...(maxMessagesPerSubject === null ? [] : [`at most ${counted(maxMessagesPerSubject, "message")} of a subject`]),
    ...(maxMessageBytes === null ? [] : [`messages of at most ${exactBytesText(maxMessageBytes)}`]),
    counted(replicas, "replica"),
  ].join(", ");
}

/**
 * Why a stream with this configuration and contents refuses every message, as what it is; undefined if it does not. With `no_ack`, a
 * refusal tells no one. There must be room for a message of average size.
 */
export function streamRefusal(
  config: Partial<StreamConfig>,
  { messages, bytes }: { readonly messages: number; readonly bytes: number },
): string | undefined {
  if (config.sealed === true) return "sealed";
  if (config.discard !== DiscardPolicy.New) return undefined;
  const { maxBytes, maxMessages } = limitsOf(config);
  const isFull = messages > 0 && (messages >= (maxMessages ?? Infinity) || bytes + bytes / messages >= (maxBytes ?? Infinity));
  return isFull ? "full, and discards new messages instead of old ones" : undefined;
}

/** `1 GiB`, `1500 bytes`, `any size`. */
export const sizeText = (bytes: number | null): string => (bytes === null ? "any size" : exactBytesText(bytes));

/** `90 d`, `1500 ms`, `any age`. */
export const ageText = (ageMs: number | null): string => (ageMs === null ? "any age" : exactDurationText(ageMs));

/** Limits that an operator asked for; null: unlimited. */
export interface LimitChanges {
  readonly maxBytes?: number | null | undefined;
  readonly maxAgeMs?: number | null | undefined;
  readonly replicas?: number | undefined;
}

/** About half a million events. */
const DEFAULT_MAX_BYTES = 1_073_741_824;

/** Required of a stream that captures only our subjects. */
export const GUARDS = {
  // Otherwise the stream replies to captured requests with its own acknowledgement.
  no_ack: true,
  // Only the limits remove messages, so the stream's contents can be compared with the log.
  deny_delete: true,
  deny_purge: true,
  // A full stream that refuses messages does so silently; one that drops its oldest leaves a visible gap in the sequences.
  discard: DiscardPolicy.Old,
} as const satisfies Partial<StreamConfig>;

/** The stream that `setup` creates, with the operator's limits. */
export function streamConfig(
  name: string,
  subjects: readonly string[],
  { maxBytes = DEFAULT_MAX_BYTES, maxAgeMs = null, replicas = 1 }: LimitChanges = {},
): Partial<StreamConfig> & { name: string } {
  return {
    name,
    description: "Resource events of OpenCloud's apps, for oc-partnerd",
    subjects: [...subjects],
    storage: StorageType.File,
    retention: RetentionPolicy.Limits,
    ...GUARDS,
    max_bytes: maxBytes ?? -1,
    max_age: nanos(maxAgeMs ?? 0),
    num_replicas: replicas,
  };
}
