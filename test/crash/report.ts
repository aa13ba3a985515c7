/** Formats the command's final report. Pure. */
import { table } from "../../src/cli/terminal/table.ts";
import type { LaneResult } from "./lane.ts";
import { ENDS, PHASES, type RoundPlan } from "./plan.ts";

export interface CampaignFacts {
  readonly seed: number;
  readonly seconds: number;
  /** Null, or why no round had a power loss. */
  readonly noPowerLoss: string | null;
  readonly interrupted: boolean;
}

const counted = (count: number): string => count.toLocaleString("en-US");

/** Counts rounds by the daemon's phase and by how it ended, with the kills of the server in a column of their own. */
function roundsTable(plans: readonly RoundPlan[]): string {
  const count = (holds: (plan: RoundPlan) => boolean): string => counted(plans.filter(holds).length);
  const server = ({ victim }: RoundPlan) => victim !== "daemon";
  const rows = PHASES.map((phase) => [
    phase,
    ...ENDS.map((end) => count((plan) => plan.phase === phase && plan.end === end)),
    count((plan) => plan.phase === phase && server(plan)),
    count((plan) => plan.phase === phase),
  ]);
  const total = ["all", ...ENDS.map((end) => count((plan) => plan.end === end)), count(server), counted(plans.length)];
  return table(["DAEMON AT", ...ENDS.map((end) => end.toUpperCase()), "SERVER KILLED", "ROUNDS"], [...rows, total]);
}

export function reportText(lanes: readonly LaneResult[], { seed, seconds, noPowerLoss, interrupted }: CampaignFacts): string {
  const plans = lanes.flatMap((lane) => lane.plans);
  const sum = (of: (lane: LaneResult) => number): string => counted(lanes.reduce((total, lane) => total + of(lane), 0));
  const cuts = plans.filter(({ end }) => end === "power loss").length;
  const violations = lanes.flatMap(({ violation }) => violation ?? []);
  const backTo = (past: RoundPlan["past"]) => counted(plans.filter((plan) => plan.past === past).length);
  const survived = (survivor: RoundPlan["survivor"]) =>
    plans.filter((plan) => plan.phase === "cloned" && plan.survivor === survivor).length;
  const facts = [
    ["rounds", `${counted(plans.length)}${interrupted ? " (interrupted)" : ""}, seed ${seed}, ${lanes.length} lanes`],
    ["daemon killed", counted(plans.filter(({ end }) => end !== "stop").length)],
    ["nats-server killed", counted(plans.filter(({ victim }) => victim !== "daemon").length)],
    ["real power losses", `${counted(cuts)}${noPowerLoss === null ? "" : ` (${noPowerLoss})`}`],
    ["rolled back to a copy", backTo("rolled back")],
    ["restored from a backup", backTo("restored")],
    ["cloned, original survived", counted(survived("original"))],
    ["cloned, clone survived", counted(survived("clone"))],
    ["messages published", sum((lane) => lane.published)],
    ["messages in the stream", sum((lane) => lane.messages)],
    ["of these, purged", sum((lane) => lane.purged)],
    ["rows in the log", sum((lane) => lane.rows)],
    ["redelivered, at least", sum((lane) => Math.max(0, lane.deliveries - lane.messages))],
    ["duplicates absorbed, at least", sum((lane) => lane.duplicates)],
    ["lost by the server, and recorded", sum((lane) => lane.retired)],
    ["violations", counted(violations.length)],
    ["seconds", seconds.toFixed(0)],
  ];
  const width = Math.max(...facts.map(([name = ""]) => name.length));
  return [
    roundsTable(plans),
    "",
    ...facts.map(([name = "", value]) => `${name.padEnd(width)}  ${value}`),
    ...violations.map((violation) => `\n${violation}`),
  ].join("\n");
}
