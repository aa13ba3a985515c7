/** The stream and the consumer as they have to be, and why. Pure: `setup` makes and checks them, the daemon makes its consumer anew. */
import {
  AckPolicy,
  type ConsumerConfig,
  DeliverPolicy,
  DiscardPolicy,
  millis,
  nanos,
  ReplayPolicy,
  RetentionPolicy,
  StorageType,
  type StreamConfig,
} from "nats";

/** What is not as it has to be. */
export interface Difference {
  /** As JetStream names it. */
  readonly field: string;
  readonly found: string;
  readonly required: string;
}

/** Limits that somebody asked for; null for none. */
export interface StreamLimits {
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
  { maxBytes = DEFAULT_MAX_BYTES, maxAgeMs = null, replicas = 1 }: StreamLimits = {},
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

/** More than a few batches of the log, so that the broker never waits for the disk. */
const MAX_ACK_PENDING = 4_096;
/** Longer than a commit may take; a consumer that falls behind is made anew at the log's cursor, not redelivered to. */
const ACK_WAIT_MS = 30_000;

/** A pull consumer that begins at `startSequence`. One acknowledgement counts for all before it: the log takes them in order. */
export function consumerConfig(name: string, startSequence: number): Partial<ConsumerConfig> {
  return {
    durable_name: name,
    description: "oc-partnerd reads the stream into its log",
    ack_policy: AckPolicy.All,
    ack_wait: nanos(ACK_WAIT_MS),
    max_ack_pending: MAX_ACK_PENDING,
    deliver_policy: DeliverPolicy.StartSequence,
    opt_start_seq: startSequence,
    replay_policy: ReplayPolicy.Instant,
  };
}

/** How a consumer that was found differs from what it has to be; where it begins is the daemon's business. */
export function consumerDifferences(found: Partial<ConsumerConfig>): readonly Difference[] {
  const ackWaitMs = millis(found.ack_wait ?? 0);
  const filters = [found.filter_subject ?? "", ...(found.filter_subjects ?? [])].filter(
    (subject) => !["", ">"].includes(subject),
  );
  const pending = found.max_ack_pending ?? MAX_ACK_PENDING;
  const checks: readonly (Difference & { readonly holds: boolean })[] = [
    check("ack_policy", found.ack_policy === AckPolicy.All, found.ack_policy, AckPolicy.All),
    check("deliver_subject", found.deliver_subject === undefined, found.deliver_subject, "none, to be pulled from"),
    check("filter_subject", filters.length === 0, filters.join(", "), "none"),
    check("ack_wait", ackWaitMs >= ACK_WAIT_MS, `${ackWaitMs} ms`, `${ACK_WAIT_MS} ms`),
    check("backoff", (found.backoff ?? []).length === 0, found.backoff?.join(", "), "none: it overrides ack_wait"),
    check("max_ack_pending", pending < 0 || pending >= MAX_ACK_PENDING, pending, MAX_ACK_PENDING),
    check("max_deliver", (found.max_deliver ?? -1) <= 0, found.max_deliver, "no limit: what was not logged comes again"),
    check("headers_only", found.headers_only !== true, found.headers_only, false),
    check("replay_policy", found.replay_policy === ReplayPolicy.Instant, found.replay_policy, ReplayPolicy.Instant),
  ];
  return checks.filter(({ holds }) => !holds).map(({ holds: _holds, ...difference }) => difference);
}

function check(field: keyof ConsumerConfig, holds: boolean, found: unknown, required: unknown) {
  return { field, holds, found: String(found), required: String(required) };
}
