/**
 * How an existing stream differs from what the log needs, and what can be changed in place. Pure. Never narrows what the stream keeps,
 * except by a limit that was asked for.
 */
import { nanos, RetentionPolicy, StorageType, type StreamConfig } from "../connection/client.ts";
import type { Difference } from "./consumer-config.ts";
import { ageText, GUARDS, type LimitChanges, limitsOf, sizeText } from "./stream-config.ts";

/** A change that JetStream can make in place. */
interface SetupStep {
  readonly difference: Difference;
  readonly config: Partial<StreamConfig>;
  /** The consequence of not making it. */
  readonly otherwise: string;
}

/** A difference that it cannot change in place. */
export interface Obstacle extends Difference {
  readonly nextStep: string;
}

export function subjectSteps(found: StreamConfig, subjects: readonly string[]): readonly SetupStep[] {
  const captured = found.subjects ?? [];
  const missing = missingFrom(captured, subjects);
  if (missing.length === 0) return [];
  const all = [...captured, ...missing];
  const difference = { field: "subjects", found: captured.join(", "), required: all.join(", ") };
  return [{ difference, config: { subjects: all }, otherwise: `${missing.join(", ")} is not captured` }];
}

/**
 * Those of `subjects` that a stream does not capture under their name, sorted. A mirror is configured without subjects, so none is
 * known.
 */
export function uncapturedBy(found: Partial<StreamConfig>, subjects: readonly string[]): readonly string[] {
  if (found.mirror !== undefined || (found.sources ?? []).length > 0) return [];
  const missing = missingFrom(found.subjects ?? [], subjects);
  return [...new Set([...missing, ...transformedBy(found, subjects)])].toSorted();
}

/** Those of `subjects` that a stream stores under another subject. */
function transformedBy({ subject_transform: transform }: Partial<StreamConfig>, subjects: readonly string[]): string[] {
  return subjects.filter((subject) => transform && matches(transform.src || ">", subject));
}

function missingFrom(patterns: readonly string[], subjects: readonly string[]): string[] {
  return subjects.filter((subject) => !patterns.some((pattern) => matches(pattern, subject)));
}

export function limitSteps(found: StreamConfig, limits: LimitChanges): readonly SetupStep[] {
  const { maxBytes, maxAgeMs, replicas } = limits;
  const asked: Partial<StreamConfig> = {
    ...(maxBytes !== undefined && { max_bytes: maxBytes ?? -1 }),
    ...(maxAgeMs !== undefined && { max_age: nanos(maxAgeMs ?? 0) }),
    ...(replicas !== undefined && { num_replicas: replicas }),
  };
  return stepsTo(asked, found, () => "the limit stays");
}

/** Guards against deletion of messages the log has not read, and against the stream replying to other programs' requests. */
export function guardSteps(found: StreamConfig): readonly SetupStep[] {
  const rollup = found.allow_rollup_hdrs ? { allow_rollup_hdrs: false } : {}; // Not allowed together with deny_purge.
  return stepsTo({ ...GUARDS, ...rollup }, found, (field) => MEANING[field] ?? "");
}

const MEANING: Readonly<Record<string, string>> = {
  no_ack: "the stream replies to requests on captured subjects with its own acknowledgement",
  deny_delete: "messages can be deleted before they are logged, which leaves a gap",
  deny_purge: "messages can be purged before they are logged, which leaves a gap",
  allow_rollup_hdrs: "a publisher can purge messages before they are logged, which leaves a gap",
  discard: "a full stream silently refuses new messages",
};

/** A step that is not taken, for the operator. */
export function noteOf({ difference: { field, found }, otherwise }: SetupStep): string {
  return `${field} stays ${found} because the stream also captures subjects of other programs: ${otherwise}`;
}

export function obstaclesOf(found: StreamConfig, subjects: readonly string[]): readonly Obstacle[] {
  const newStream = "remove the subjects from this stream, set nats.stream to an unused name, and run `oc-partnerd setup` again";
  const isNot = (field: keyof StreamConfig, is: string, required: string, nextStep: string): Obstacle => ({
    field,
    found: is,
    required,
    nextStep,
  });
  const transform = found.subject_transform;
  const transformed = transformedBy(found, subjects);
  const obstacles = [
    found.storage !== StorageType.File && isNot("storage", found.storage, StorageType.File, newStream),
    found.retention !== RetentionPolicy.Limits && isNot("retention", found.retention, RetentionPolicy.Limits, newStream),
    found.sealed && isNot("sealed", "true", "false", newStream),
    found.mirror && isNot("mirror", found.mirror.name, "none", `set nats.stream to ${found.mirror.name}, or to an unused name`),
    transformed.length > 0 &&
      isNot(
        "subject_transform",
        `${transform?.src || ">"} to ${transform?.dest}`,
        `none of ${transformed.join(", ")}`,
        "remove the transform, or exclude these subjects from it",
      ),
  ];
  return obstacles.flatMap((obstacle) => obstacle || []);
}

/** One obstacle per other stream that captures wanted subjects. */
export function overlapObstacles(
  capturedElsewhere: readonly { readonly subject: string; readonly stream: string }[],
  subjects: readonly string[],
): readonly Obstacle[] {
  return [...Map.groupBy(capturedElsewhere, ({ stream }) => stream)].map(([stream, held]) => ({
    field: "subjects",
    found: `${held.map(({ subject }) => subject).join(", ")} captured by stream ${stream}`,
    required: "captured by this stream alone",
    nextStep:
      held.length === subjects.length
        ? `set nats.stream to ${stream} and run \`oc-partnerd setup\` again, or remove the subjects from that stream`
        : `remove the subjects from stream ${stream}`,
  }));
}

/** The changes that give `found` the settings of `required`. */
export function changesTo(required: Partial<StreamConfig>, found: StreamConfig): readonly Pick<SetupStep, "config">[] {
  return stepsTo(required, found, () => "");
}

function stepsTo(
  required: Partial<StreamConfig>,
  found: StreamConfig,
  otherwise: (field: string) => string,
): readonly SetupStep[] {
  const current = new Map<string, unknown>(Object.entries(found));
  return Object.entries(required)
    .filter(([field, value]) => (current.get(field) ?? false) !== value)
    .map(([field, value]) => ({
      difference: { field, found: text(field, current.get(field) ?? false), required: text(field, value) },
      config: { [field]: value },
      otherwise: otherwise(field),
    }));
}

function text(field: string, value: unknown): string {
  if (field === "max_bytes") return sizeText(limitsOf({ max_bytes: Number(value) }).maxBytes);
  if (field === "max_age") return ageText(limitsOf({ max_age: Number(value) }).maxAgeMs);
  return String(value);
}

/** Whether `pattern` (which may contain `*` and end in `>`) matches `subject`, which has no wildcards. */
export function matches(pattern: string, subject: string): boolean {
  const tokens = subject.split(".");
  const patterns = pattern.split(".");
  const isOpen = patterns.at(-1) === ">";
  if (isOpen ? tokens.length < patterns.length : tokens.length !== patterns.length) return false;
  return (isOpen ? patterns.slice(0, -1) : patterns).every((expected, at) => expected === "*" || expected === tokens[at]);
}
