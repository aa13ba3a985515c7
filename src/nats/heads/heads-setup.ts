/** Creates or repairs the stream that keeps published heads. */
import { type PartnerdError, toPartnerdError } from "../../base/errors.ts";
import { DiscardPolicy, type NatsConnection, RetentionPolicy, StorageType, type StreamConfig } from "../connection/client.ts";
import { askJetStream, unlessMissing } from "../connection/jetstream-error.ts";
import { changesTo, subjectSteps } from "../setup/steps.ts";
import { HEADS_STREAM, HEADS_SUBJECT } from "./published-head.ts";

/** A cluster may have to elect the leader of a new stream. */
const REQUEST_TIMEOUT_MS = 5_000;

/** Of each log. At most one a minute is published, so they cover at least a week. */
export const HEADS_KEPT = 10_000;

/** About 400 bytes a head: the heads of 16 busy daemons. */
const MAX_BYTES = 67_108_864;

const GUARDS = {
  // A publisher must learn that a head is stored.
  no_ack: false,
  // A program that has a daemon's credentials can add heads, but not delete those that contradict it.
  deny_delete: true,
  deny_purge: true,
} as const satisfies Partial<StreamConfig>;

export interface HeadsSetup {
  readonly name: string;
  readonly action: "keep" | "create" | "update";
  /** Why it could not be examined or changed. The daemon works without it. */
  readonly problem: PartnerdError | null;
}

interface HeadsSetupOptions {
  /** For a new stream. */
  readonly replicas: number;
  /** Changes nothing. */
  readonly isDryRun?: boolean;
}

/** Never rejects. Leaves the limits of an existing stream. */
export async function setUpHeads(client: NatsConnection, { replicas, isDryRun = false }: HeadsSetupOptions): Promise<HeadsSetup> {
  const name = HEADS_STREAM;
  let action: HeadsSetup["action"] = "keep";
  try {
    const { streams } = await client.jetstreamManager({ checkAPI: false, timeout: REQUEST_TIMEOUT_MS });
    const found = await unlessMissing(
      "streamNotFound",
      askJetStream(`look at stream ${name}`, () => streams.info(name)),
    );
    if (found === undefined) {
      action = "create";
      if (!isDryRun) await askJetStream(`create stream ${name}`, () => streams.add({ ...headsConfig(replicas) }));
      return { name, action, problem: null };
    }
    const steps = [...subjectSteps(found.config, [HEADS_SUBJECT]), ...changesTo(GUARDS, found.config)];
    if (steps.length === 0) return { name, action, problem: null };
    action = "update";
    const changes: Partial<StreamConfig> = {};
    for (const { config } of steps) Object.assign(changes, config);
    if (!isDryRun) await askJetStream(`change stream ${name}`, () => streams.update(name, changes));
    return { name, action, problem: null };
  } catch (thrown) {
    return { name, action, problem: toPartnerdError(thrown) };
  }
}

function headsConfig(replicas: number): Partial<StreamConfig> & { readonly name: string } {
  return {
    name: HEADS_STREAM,
    description: "Heads of the logs of oc-partnerd, which prove later that no row before them was changed or cut off",
    subjects: [HEADS_SUBJECT],
    storage: StorageType.File,
    retention: RetentionPolicy.Limits,
    discard: DiscardPolicy.Old,
    ...GUARDS,
    max_msgs_per_subject: HEADS_KEPT,
    max_msg_size: 1_024,
    max_bytes: MAX_BYTES,
    num_replicas: replicas,
  };
}
