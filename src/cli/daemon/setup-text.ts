/** The report of `setup`: what it found and did. Pure. */

import { HEADS_KEPT, type HeadsSetup } from "../../nats/heads/heads-setup.ts";
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

/** Names the server, the stream and the consumer, and every setting that differs; then `heads`. */
export function setupText(plan: SetupPlan, server: string, outcome: SetupOutcome, heads: readonly string[]): string {
  const { stream, consumer } = plan;
  return [
    `NATS server ${server}`,
    ...linesOf("stream", stream, outcome),
    ...(outcome === "refused" ? [] : [`  captures ${stream.subjects.join(", ")}; keeps ${limitsText(stream.limits)}`]),
    ...linesOf("consumer", consumer, outcome),
    ...heads,
    ...(isDone(plan) && outcome !== "planned" ? [] : LAST_LINES[outcome]),
  ].join("\n");
}

/** The lines about the stream of published heads. */
export function headsText({ name, action, problem }: HeadsSetup, outcome: SetupOutcome): readonly string[] {
  if (problem === null)
    return [`stream ${name} ${WORDS[action][outcome]}`, `  keeps the newest ${HEADS_KEPT} heads of the log of each daemon`];
  return [
    `stream ${name} is not set up, so the heads of the log are not kept in NATS`,
    `  ${problem.message}`,
    ...(problem.nextStep === null ? [] : [`    next step: ${problem.nextStep}`]),
  ];
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
