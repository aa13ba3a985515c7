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

/** What has to hold for the log to be complete. Limits are the operator's; these are the ones `setup` begins with. */
export function streamConfig(name: string, subjects: readonly string[]): Partial<StreamConfig> & { name: string } {
  return {
    name,
    description: "What OpenCloud's apps publish of resources, for oc-partnerd",
    subjects: [...subjects],
    storage: StorageType.File,
    retention: RetentionPolicy.Limits,
    discard: DiscardPolicy.Old,
    // A captured request would get the stream's acknowledgement as its reply.
    no_ack: true,
    // What is in the stream can be proved to be in the log; nobody takes it out but the limits.
    deny_delete: true,
    deny_purge: true,
    max_bytes: DEFAULT_MAX_BYTES,
  };
}

/** Some half a million events. */
export const DEFAULT_MAX_BYTES = 1_073_741_824;

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

/** How a consumer that was found differs from what it has to be, one phrase each; where it begins is the daemon's business. */
export function consumerDifferences(found: ConsumerConfig): readonly string[] {
  return [
    ...(found.ack_policy === AckPolicy.All ? [] : [`acknowledges ${found.ack_policy}, has to be ${AckPolicy.All}`]),
    ...(found.deliver_subject === undefined ? [] : ["pushes, has to be pulled from"]),
    ...(found.filter_subject === undefined && (found.filter_subjects ?? []).length === 0 ? [] : ["filters subjects"]),
    ...(millis(found.ack_wait ?? 0) >= ACK_WAIT_MS
      ? []
      : [`waits ${millis(found.ack_wait ?? 0)} ms for an acknowledgement, has to wait ${ACK_WAIT_MS}`]),
  ];
}
