/** Plans `setup` from what exists. Pure. */
import type { ConsumerConfig, ConsumerInfo, StreamConfig } from "../connection/client.ts";
import { consumerConfig, consumerDifferences, type Difference } from "./consumer-config.ts";
import { guardSteps, limitSteps, noteOf, type Obstacle, obstaclesOf, overlapObstacles, subjectSteps } from "./steps.ts";
import { type LimitChanges, limitsOf, type RetentionLimits, streamConfig } from "./stream-config.ts";

export interface Wanted {
  readonly stream: string;
  readonly consumer: string;
  /** Every subject that the daemon subscribes to, without wildcards. */
  readonly subjects: readonly string[];
  /** Only the limits that were asked for; the others stay unchanged. */
  readonly limits: LimitChanges;
}

export interface Found {
  /** Undefined if there is no stream of that name. */
  readonly stream: StreamConfig | undefined;
  readonly consumer: ConsumerInfo | undefined;
  /** Wanted subjects that another stream captures; two streams cannot capture the same subject. */
  readonly capturedElsewhere: readonly { readonly subject: string; readonly stream: string }[];
}

interface Part<Config> {
  readonly name: string;
  /** `replace`: deleted and recreated at the same position, for what JetStream cannot change in place. */
  readonly action: "keep" | "create" | "update" | "replace";
  readonly changes: readonly Difference[];
  /** Wrong settings that cannot be changed. If there are any, nothing is changed. */
  readonly obstacles: readonly Obstacle[];
  /** Wrong settings that are left alone, and the consequences. */
  readonly notes: readonly string[];
  /** Sent to JetStream: the whole configuration to create, only the changes to update. */
  readonly config: Config;
}

export interface SetupPlan {
  /** With the subjects and limits that it has afterwards. */
  readonly stream: Part<Partial<StreamConfig>> & { readonly subjects: readonly string[]; readonly limits: RetentionLimits };
  readonly consumer: Part<Partial<ConsumerConfig>>;
}

export function planSetup(found: Found, wanted: Wanted): SetupPlan {
  return { stream: planStream(found, wanted), consumer: planConsumer(found.consumer, wanted) };
}

export function isFeasible({ stream, consumer }: SetupPlan): boolean {
  return stream.obstacles.length === 0 && consumer.obstacles.length === 0;
}

/** Whether there is nothing to do. */
export function isDone(plan: SetupPlan): boolean {
  return isFeasible(plan) && plan.stream.action === "keep" && plan.consumer.action === "keep";
}

function planStream({ stream: found, capturedElsewhere }: Found, wanted: Wanted): SetupPlan["stream"] {
  const { stream: name, subjects, limits } = wanted;
  const overlaps = overlapObstacles(capturedElsewhere, subjects);
  if (found === undefined) {
    const config = streamConfig(name, subjects, limits);
    return { name, action: "create", changes: [], obstacles: overlaps, notes: [], config, subjects, limits: limitsOf(config) };
  }
  // Other programs rely on how the stream treats their subjects; only its owner may change that.
  const isShared = found.subjects?.some((subject) => !subjects.includes(subject)) ?? false;
  const guards = guardSteps(found);
  const steps = [...subjectSteps(found, subjects), ...limitSteps(found, limits), ...(isShared ? [] : guards)];
  const config: Partial<StreamConfig> = {};
  for (const step of steps) Object.assign(config, step.config);
  return {
    name,
    action: steps.length === 0 ? "keep" : "update",
    changes: steps.map(({ difference }) => difference),
    obstacles: [...overlaps, ...obstaclesOf(found, subjects)],
    notes: isShared ? guards.map(noteOf) : [],
    config,
    subjects: config.subjects ?? found.subjects ?? [],
    limits: limitsOf({ ...found, ...config }),
  };
}

function planConsumer(found: ConsumerInfo | undefined, { consumer: name }: Wanted): SetupPlan["consumer"] {
  const nothing = { name, changes: [], obstacles: [], notes: [] };
  if (found === undefined) return { ...nothing, action: "create", config: consumerConfig(name, 1) };
  const { deliver_subject: pushedTo } = found.config;
  if (pushedTo !== undefined) return { ...nothing, action: "keep", obstacles: [pushed(name, pushedTo)], config: {} };
  const changes = consumerDifferences(found.config);
  if (changes.length === 0) return { ...nothing, action: "keep", config: {} };
  return { ...nothing, action: "replace", changes, config: consumerConfig(name, found.ack_floor.stream_seq + 1) };
}

function pushed(name: string, deliverSubject: string): Obstacle {
  return {
    field: "deliver_subject",
    found: deliverSubject,
    required: "none (a pull consumer)",
    nextStep: `consumer ${name} belongs to another program: set nats.consumer to a name that only this daemon uses`,
  };
}
