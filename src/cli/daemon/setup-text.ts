/** What `setup` found and did, in sentences. Pure. */

import type { Difference } from "../../nats/setup/consumer-config.ts";
import { isDone, type SetupPlan } from "../../nats/setup/plan.ts";
import { limitsText } from "../../nats/setup/stream-config.ts";

/** What became, or would become, of what was found. */
type SetupOutcome = "done" | "planned" | "refused";

type SetupAction = SetupPlan["stream"]["action"];

const UNSUITABLE = "is not as it has to be";

const WORDS: Readonly<Record<SetupAction, Readonly<Record<SetupOutcome, string>>>> = {
  keep: { done: "is as it has to be", planned: "is as it has to be", refused: "stays as it is" },
  create: { done: "was missing, is created", planned: "is missing, would be created", refused: "is missing" },
  update: { done: "is changed", planned: "would be changed", refused: UNSUITABLE },
  replace: {
    done: "is deleted and created anew where it had got to",
    planned: "would be deleted and created anew where it had got to",
    refused: UNSUITABLE,
  },
};

const LAST_LINES: Readonly<Record<SetupOutcome, readonly string[]>> = {
  done: [],
  planned: ["nothing was changed: dry run"],
  refused: ["nothing was changed: what cannot be changed in place stands in the way"],
};

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
  return `${field}: found ${found}, has to be ${required}`;
}
