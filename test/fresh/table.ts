/** Formats the final table. */
import { table } from "../../src/cli/terminal/table.ts";
import type { Visit } from "./steps.ts";

const STEPS = ["first demo", "second set-up", "second demo", "npm test"];

/** One column per step (in seconds) and size (in megabytes). */
export function visitsTable(visits: readonly Visit[]): string {
  const rows = visits.map(({ title, node, npm, steps, modulesMb, toolsMb }) => {
    const seconds = STEPS.map((name) => {
      const step = steps.find((candidate) => candidate.name === name);
      return step === undefined ? "-" : `${step.seconds.toFixed(1)} s${step.problem === null ? "" : " FAILED"}`;
    });
    return [title, node.replace(/^v/, ""), npm, ...seconds, `${modulesMb} MB`, `${toolsMb} MB`];
  });
  return table(["system", "node", "npm", ...STEPS, "node_modules", ".tools"], rows);
}
