/** The closing table. */
import type { Visit } from "./steps.ts";

const HEADINGS = ["system", "node", "npm", "first demo", "second set-up", "second demo", "npm test", "node_modules", ".tools"];

/** A column for each step and size, seconds and megabytes. */
export function table(visits: readonly Visit[]): string {
  const rows = visits.map((each) => {
    const seconds = (name: string) => {
      const step = each.steps.find((candidate) => candidate.name === name);
      return step === undefined ? "-" : `${step.seconds.toFixed(1)} s${step.problem === null ? "" : " FAILED"}`;
    };
    const steps = ["first demo", "second set-up", "second demo", "npm test"].map(seconds);
    return [each.title, each.node.replace(/^v/, ""), each.npm, ...steps, `${each.modulesMb} MB`, `${each.toolsMb} MB`];
  });
  const all = [HEADINGS, ...rows];
  const widths = HEADINGS.map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0)));
  return all
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}
