/** The report of `setup`: what it found and did. Pure. */

import type { Difference } from "../../nats/setup/consumer-config.ts";
import { isDone, type SetupPlan } from "../../nats/setup/plan.ts";
import { limitsText } from "../../nats/setup/stream-config.ts";

/** Whether the plan was carried out, only shown (dry run), or impossible. */
type SetupOutcome = "done" | "planned" | "refused";

type SetupAction = SetupPlan["stream"]["action"];

const UNSUITABLE = "is misconfigured";

const WORDS: Readonly<Record<SetupAction, Readonly<Record<SetupOutcome, string>>>> = {
  keep: { done: "is correct", planned: "is correct", refused: "is unchanged" },
  create: { done: "was created", planned: "is missing and would be created", refused: "is missing" },
  update: { done: "was updated", planned: "would be updated", refused: UNSUITABLE },
  replace: {
    done: "was deleted and recreated at its last position",
    planned: "would be deleted and recreated at its last position",
    refused: UNSUITABLE,
  },
};

const LAST_LINES: Readonly<Record<SetupOutcome, readonly string[]>> = {
  done: [],
  planned: ["dry run: nothing was changed"],
  refused: ["nothing was changed, because some settings cannot be changed in place"],
};

/** Names the server, the stream and the consumer, and every setting that differs. */
export function setupText(plan: SetupPlan, server: string, outcome: SetupOutcome): string {
  const { stream, consumer } = plan;
  return [
    `NATS server ${server}`,
    ...linesOf("stream", stream, outcome),
    ...(outcome === "refused" ? [] : [`  captures ${stream.subjects.join(", ")}; keeps ${limitsText(stream.limits)}`]),
    ...linesOf("consumer", consumer, outcome),
    ...(isDone(plan) ? [] : LAST_LINES[outcome]),
  ].join("\n");
}

function linesOf(what: string, part: SetupPlan["stream" | "consumer"], outcome: SetupOutcome): readonly string[] {
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
  return `${field}: is ${found}, must be ${required}`;
}
