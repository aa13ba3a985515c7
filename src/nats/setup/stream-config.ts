/** The stream as `setup` makes it, and why. Pure. */
import { DiscardPolicy, nanos, RetentionPolicy, StorageType, type StreamConfig } from "../client.ts";

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
