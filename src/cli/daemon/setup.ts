/** `oc-partnerd setup`: makes or verifies the stream and the consumer in JetStream, and says what it found and what it did. */
import type { Clock } from "../../base/clock.ts";
import type { Config } from "../../config/schema.ts";
import { natsConfig } from "../../daemon/nats-source.ts";
import { withOneClient } from "../../nats/connection/one-client.ts";
import type { Difference } from "../../nats/setup/consumer-config.ts";
import { limitsText } from "../../nats/setup/limits.ts";
import { isDone, isFeasible, type SetupPlan } from "../../nats/setup/plan.ts";
import { planFor, setUp } from "../../nats/setup/setup.ts";
import type { LimitChanges } from "../../nats/setup/stream-config.ts";

/** A few requests, each answered in milliseconds where all is well. */
const TIMEOUT_MS = 15_000;

export interface SetupOptions {
  readonly limits: LimitChanges;
  readonly dryRun: boolean;
  readonly json: boolean;
  readonly clock: Clock;
}

export interface SetupOutput {
  readonly text: string;
  /** False where something has to be different that cannot be changed in place. */
  readonly feasible: boolean;
}

/** What became, or would become, of what was found. */
type Outcome = "done" | "planned" | "refused";

/** Rejects as nats/setup.ts does. */
export async function setup(config: Config, { limits, dryRun, json, clock }: SetupOptions): Promise<SetupOutput> {
  const { stream, consumer } = config.nats;
  const subjects = [...new Set([...config.events.createSubjects, ...config.events.removeSubjects])];
  const wanted = { stream, consumer, subjects, limits };
  const servers = (config.nats.url ?? "nats://127.0.0.1:4222").split(",");
  const options = { clock, timeoutMs: TIMEOUT_MS };
  return withOneClient(natsConfig(config, servers), "answer", options, async (client, server) => {
    const plan = await planFor(client, wanted);
    const feasible = isFeasible(plan);
    const outcome = !feasible ? "refused" : dryRun ? "planned" : "done";
    if (outcome === "done") await setUp(client, wanted);
    return { feasible, text: json ? jsonOf(plan, server, outcome) : textOf(plan, server, outcome) };
  });
}

function jsonOf(plan: SetupPlan, server: string, outcome: Outcome): string {
  return JSON.stringify({ server, outcome, ...plan }, null, 2);
}

type Action = SetupPlan["stream"]["action"];

const UNSUITABLE = "is not as it has to be";

const WORDS: Readonly<Record<Action, Readonly<Record<Outcome, string>>>> = {
  keep: { done: "is as it has to be", planned: "is as it has to be", refused: "stays as it is" },
  create: { done: "was missing, is created", planned: "is missing, would be created", refused: "is missing" },
  update: { done: "is changed", planned: "would be changed", refused: UNSUITABLE },
  replace: {
    done: "is deleted and created anew where it had got to",
    planned: "would be deleted and created anew where it had got to",
    refused: UNSUITABLE,
  },
};

const LAST_LINES: Readonly<Record<Outcome, readonly string[]>> = {
  done: [],
  planned: ["nothing was changed: dry run"],
  refused: ["nothing was changed: what cannot be changed in place stands in the way"],
};

function textOf(plan: SetupPlan, server: string, outcome: Outcome): string {
  const { stream, consumer } = plan;
  return [
    `NATS server ${server}`,
    ...linesOf("stream", stream, outcome),
    ...(outcome === "refused" ? [] : [`  captures ${stream.subjects.join(", ")}; keeps ${limitsText(stream.limits)}`]),
    ...linesOf("consumer", consumer, outcome),
    ...(isDone(plan) ? [] : LAST_LINES[outcome]),
  ].join("\n");
}

function linesOf(what: string, part: SetupPlan["stream" | "consumer"], outcome: Outcome): readonly string[] {
  const words = part.obstacles.length > 0 && part.action === "keep" ? UNSUITABLE : WORDS[part.action][outcome];
  return [
    `${what} ${part.name} ${words}`,
    ...part.changes.map((change) => `  ${differenceText(change)}`),
    ...part.obstacles.flatMap((obstacle) => [
      `  cannot be changed: ${differenceText(obstacle)}`,
      `    next step: ${obstacle.nextStep}`,
    ]),
    ...part.notes.map((note) => `  note: ${note}`),
  ];
}

function differenceText({ field, found, required }: Difference): string {
  return `${field}: found ${found}, has to be ${required}`;
}
