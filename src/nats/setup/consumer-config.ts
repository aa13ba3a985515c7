/** The required consumer, in JetStream's terms. Pure. `setup` creates and checks it; the daemon recreates it at its cursor. */
import { type ConsumerOwner, REQUIRED_CONSUMER } from "../../ingest/broker/broker-port.ts";
import { AckPolicy, type ConsumerConfig, DeliverPolicy, millis, nanos, ReplayPolicy } from "../connection/client.ts";

/** A setting with the wrong value. */
export interface Difference {
  /** JetStream's name for it. */
  readonly field: string;
  readonly found: string;
  readonly required: string;
}

const { ackWaitMs: ACK_WAIT_MS, maxUnacknowledged: MAX_ACK_PENDING } = REQUIRED_CONSUMER;

const DESCRIPTION = "oc-partnerd reads the stream into its log";

/** A pull consumer that starts at `startSequence`, with the settings of REQUIRED_CONSUMER. `setup` knows no owner. */
export function consumerConfig(name: string, startSequence: number, owner?: ConsumerOwner): Partial<ConsumerConfig> {
  return {
    durable_name: name,
    // Servers before 2.10 have no metadata, so the owner is in the description.
    description: owner === undefined ? DESCRIPTION : `${DESCRIPTION}; owner ${owner.peerId}, run ${owner.run}`,
    ack_policy: AckPolicy.All,
    ack_wait: nanos(ACK_WAIT_MS),
    max_ack_pending: MAX_ACK_PENDING,
    deliver_policy: DeliverPolicy.StartSequence,
    opt_start_seq: startSequence,
    replay_policy: ReplayPolicy.Instant,
  };
}

/** The daemon that created the consumer; undefined if `setup` or another program did. */
export function consumerOwner({ description = "" }: Partial<ConsumerConfig>): ConsumerOwner | undefined {
  const { peerId, run } = /; owner (?<peerId>[^,\s]+), run (?<run>\S+)$/.exec(description)?.groups ?? {};
  return peerId === undefined || run === undefined ? undefined : { peerId, run };
}

/** How an existing consumer differs from the required one. Its start is not compared: the daemon moves it. */
export function consumerDifferences(found: Partial<ConsumerConfig>): readonly Difference[] {
  const ackWaitMs = millis(found.ack_wait ?? 0);
  const filters = [found.filter_subject ?? "", ...(found.filter_subjects ?? [])].filter(
    (subject) => !["", ">"].includes(subject),
  );
  const pending = found.max_ack_pending ?? MAX_ACK_PENDING;
  const checks: readonly (Difference & { readonly holds: boolean })[] = [
    check("ack_policy", found.ack_policy === AckPolicy.All, found.ack_policy, AckPolicy.All),
    check("deliver_subject", found.deliver_subject === undefined, found.deliver_subject, "none (a pull consumer)"),
    check("filter_subject", filters.length === 0, filters.join(", "), "none"),
    check("ack_wait", ackWaitMs >= ACK_WAIT_MS, `${ackWaitMs} ms`, `${ACK_WAIT_MS} ms`),
    check("backoff", (found.backoff ?? []).length === 0, found.backoff?.join(", "), "none: it overrides ack_wait"),
    check("max_ack_pending", pending < 0 || pending >= MAX_ACK_PENDING, pending, MAX_ACK_PENDING),
    check("max_deliver", (found.max_deliver ?? -1) <= 0, found.max_deliver, "no limit: what was not logged is redelivered"),
    check("max_batch", (found.max_batch ?? 0) <= 0, found.max_batch, "no limit: larger requests are refused"),
    check("max_expires", (found.max_expires ?? 0) <= 0, found.max_expires, "no limit: longer requests are refused"),
    check("headers_only", found.headers_only !== true, found.headers_only, false),
    check("replay_policy", found.replay_policy === ReplayPolicy.Instant, found.replay_policy, ReplayPolicy.Instant),
  ];
  return checks.filter(({ holds }) => !holds).map(({ holds: _holds, ...difference }) => difference);
}

function check(field: keyof ConsumerConfig, holds: boolean, found: unknown, required: unknown) {
  return { field, holds, found: String(found), required: String(required) };
}
