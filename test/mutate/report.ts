/** Formats the command's output and the page. Pure. */
import { table } from "../../src/cli/terminal/table.ts";
import { EXPLAINED } from "./explained.ts";
import type { Outcomes } from "./measure/results.ts";
import { CATCHERS, type Survivor, survivorsOf, type Tally, tally } from "./measure/score.ts";
import type { Mutant } from "./mutants.ts";
import { OPERATORS } from "./operators/site.ts";

export const AREAS = ["reconciler", "ingest", "store", "p2p", "daemon"] as const;

const COLUMNS = ["mutants", ...CATCHERS, "equivalent", "survivors", "score"] as const;

export interface Shown {
  /** All that exist. */
  readonly all: readonly Mutant[];
  readonly outcomes: Outcomes;
}

const MARKER = "<!-- The tables and lists below are written by `npm run mutate -- --write`. -->";

export function resultText({ all, outcomes }: Shown): string {
  const survivors = survivorsOf(all, outcomes, EXPLAINED);
  const unexplained = survivors.filter(({ explanation }) => explanation === undefined);
  const lines = unexplained.map((survivor) => `  ${survivorLine(survivor)}`);
  return [
    table(["area", ...COLUMNS], rowsBy(all, outcomes, "area")),
    "",
    table(["operator", ...COLUMNS], rowsBy(all, outcomes, "operator")),
    "",
    unexplained.length === 0 ? "every survivor is explained" : `${unexplained.length} survivors without an explanation:`,
    ...lines,
  ].join("\n");
}

function survivorLine({ mutant, reached }: Survivor): string {
  const { path, line, operator, change, lineText } = mutant;
  return `${path}:${line}  ${operator}: ${change}${reached ? "" : " (no test runs it)"}: ${lineText}`;
}

/** The page with new tables; undefined if it lacks the marker. `about`: how much was run. */
export function withTables(page: string, { all, outcomes }: Shown, about: string): string | undefined {
  const at = page.indexOf(MARKER);
  if (at < 0) return undefined;
  const survivors = survivorsOf(all, outcomes, EXPLAINED);
  const equivalent = survivors.filter(({ explanation }) => explanation?.kind === "equivalent");
  const others = survivors.filter(({ explanation }) => explanation?.kind !== "equivalent");
  return [
    page.slice(0, at) + MARKER,
    "",
    about,
    "",
    "## By area",
    "",
    ...markdown(["Area", ...COLUMNS], rowsBy(all, outcomes, "area")),
    "",
    "## By operator",
    "",
    ...markdown(["Operator", ...COLUMNS], rowsBy(all, outcomes, "operator")),
    "",
    "## Survivors",
    "",
    ...list(others),
    "",
    "## Equivalent mutants",
    "",
    ...list(equivalent),
    "",
  ].join("\n");
}

function rowsBy(all: readonly Mutant[], outcomes: Outcomes, by: "area" | "operator"): string[][] {
  const groups = by === "area" ? AREAS.map((area) => `src/${area}`) : [...OPERATORS];
  const belongs = (mutant: Mutant, group: string) =>
    by === "area" ? mutant.path.startsWith(`${group}/`) : mutant.operator === group;
  const rows = groups.map((group) =>
    cells(
      group,
      tally(
        all.filter((mutant) => belongs(mutant, group)),
        outcomes,
        EXPLAINED,
      ),
    ),
  );
  return [...rows.filter(([, mutants]) => mutants !== "0"), cells("all", tally(all, outcomes, EXPLAINED))];
}

function cells(name: string, { mutants, caught, equivalent, survivors, score }: Tally): string[] {
  const percent = Number.isNaN(score) ? "" : `${(Math.floor(score * 1_000) / 10).toFixed(1)} %`;
  return [name, mutants, ...CATCHERS.map((catcher) => caught[catcher]), equivalent, survivors, percent].map(String);
}

function markdown(header: readonly string[], rows: readonly (readonly string[])[]): readonly string[] {
  const row = (texts: readonly string[]) => `| ${texts.join(" | ")} |`;
  return [row(header), row(header.map((_, index) => (index === 0 ? "---" : "---:"))), ...rows.map(row)];
}

function list(survivors: readonly Survivor[]): readonly string[] {
  if (survivors.length === 0) return ["None."];
  return survivors.map(({ mutant, explanation }) => {
    const { path, operator, change, lineText } = mutant;
    return `- \`${path}\`, ${operator}, ${change.replaceAll("|", "\\|")}: ${code(lineText)}. ${explanation?.why ?? "Not explained."}`;
  });
}

/** As code in Markdown, also if it contains backticks. */
const code = (text: string): string => (text.includes("`") ? `\`\` ${text} \`\`` : `\`${text}\``);
