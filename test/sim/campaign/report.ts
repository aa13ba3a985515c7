/** Formats the command's output. Pure. */
import { table } from "../../../src/cli/terminal/table.ts";
import { mixText } from "../worlds/faults.ts";
import { DEFAULT_SIZE, type Drawing } from "../worlds/generate.ts";
import type { CampaignResult, Failure, Finding, Totals } from "./campaign.ts";
import { RUNNER_INVARIANTS } from "./messages.ts";
import type { Hunted } from "./plant-hunt.ts";

const HOUR_MS = 3_600_000;

export function totalsText(totals: Totals, workers: number, interrupted: boolean): string {
  const { seeds, twice, steps, simulatedMs, peers, elapsedMs, cpuMs } = totals;
  const seconds = elapsedMs / 1_000;
  return [
    `${some(seeds, "seed")} in ${seconds.toFixed(1)} s: ${(seeds / seconds).toFixed(1)} seeds/s on ${some(workers, "thread")}${interrupted ? " (interrupted)" : ""}`,
    `${counted(simulatedMs / HOUR_MS)} simulated hours, ${(peers / Math.max(1, seeds)).toFixed(1)} peers per world, ${counted(steps)} steps`,
    `${((cpuMs / Math.max(1, steps)) * 1_000).toFixed(1)} µs of CPU per step, ${(cpuMs / elapsedMs).toFixed(2)} cores busy`,
    `${some(twice, "seed")} run twice and compared`,
  ].join("\n");
}

/** The line printed as soon as a failure occurs. */
export function failureLine({ seed, invariant, atMs, message }: Failure): string {
  return `seed ${seed}: ${invariant} violated at ${(atMs / 1_000).toFixed(3)} s: ${message}`;
}

/** The path of each finding's fixture. */
export type FixtureFiles = ReadonlyMap<Finding, string>;

export function findingsText(findings: readonly Finding[], files: FixtureFiles, plant: string | null): string {
  if (findings.length === 0) return "no violations";
  return findings.map((finding) => findingText(finding, files.get(finding), plant)).join("\n\n");
}

function findingText({ first, seeds, shrunk, notShrunk }: Finding, file: string | undefined, plant: string | null): string {
  const more = seeds.slice(1);
  const shown = `${more.slice(0, 5).join(", ")}${more.length > 5 ? " …" : ""}`;
  const others = more.length === 0 ? "" : `; also ${some(more.length, "more seed")}: ${shown}`;
  const lines = [failureLine(first) + others];
  if (shrunk !== null) lines.push(`  shrunk to ${some(shrunk.lines, "line")} in ${some(shrunk.runs, "run")}`);
  if (notShrunk !== null) lines.push(`  ${shrunk === null ? "not shrunk" : "not shrunk further"}: ${notShrunk}`);
  if (file !== undefined) lines.push(`  fixture: ${file}`);
  lines.push(`  reproduce: ${replayCommand(first, file, plant)}`);
  return lines.join("\n");
}

/** The command that reproduces the failure. */
export function replayCommand({ seed, drawing, invariant }: Failure, file: string | undefined, plant: string | null): string {
  const planted = plant === null ? "" : ` --plant ${plant}`;
  const ofTheCommand: readonly string[] = Object.values(RUNNER_INVARIANTS);
  if (file === undefined || ofTheCommand.includes(invariant)) {
    const twice = invariant === RUNNER_INVARIANTS.determinism ? " --twice-every 1" : "";
    return `npm run sim -- --seeds 1 --from ${seed}${flagsOf(drawing)}${twice}${planted}`;
  }
  return plant === null ? `bin/oc-partnerd replay ${file}` : `npm run sim -- --replay ${file}${planted}`;
}

/** The options that draw the same world from the same seed. */
function flagsOf({ size, mix }: Drawing): string {
  return `${size === DEFAULT_SIZE ? "" : ` --size ${size}`}${mix === undefined ? "" : ` --mix ${mixText(mix)}`}`;
}

export function campaignJson(
  { totals, findings, interrupted }: CampaignResult,
  files: FixtureFiles,
  plant: string | null,
): object {
  const { elapsedMs, simulatedMs, ...counts } = totals;
  return {
    ...counts,
    seconds: elapsedMs / 1_000,
    seedsPerSecond: totals.seeds / (elapsedMs / 1_000),
    simulatedHours: simulatedMs / HOUR_MS,
    interrupted,
    plant,
    failures: findings.map((finding) => {
      const { seed, invariant, atMs, message } = finding.first;
      const file = files.get(finding);
      return {
        seed,
        invariant,
        atMs,
        message,
        seeds: finding.seeds,
        lines: finding.shrunk?.lines ?? null,
        notShrunk: finding.notShrunk,
        file: file ?? null,
        again: replayCommand(finding.first, file, plant),
      };
    }),
  };
}

const COLUMNS = ["bug", "caught by", "at seed", "seeds tried", "lines"] as const;

function cellsOf({ plant, caught, seedsTried, problem }: Hunted): string[] {
  const { invariant = "nothing" } = caught?.first ?? {};
  const seed = caught === null ? "" : `${caught.first.seed}${flagsOf(caught.first.drawing)}`;
  const lines = caught?.shrunk?.lines ?? "";
  return [plant.name, problem === null ? invariant : `${invariant} (${problem})`, seed, counted(seedsTried), String(lines)];
}

export function huntedLine(hunted: Hunted, done: number, total: number): string {
  const { plant, caught, problem } = hunted;
  const what = caught === null ? "not caught" : `caught by ${caught.first.invariant} at seed ${caught.first.seed}`;
  const lines = caught?.shrunk ? `, ${some(caught.shrunk.lines, "line")}` : "";
  return `${String(done).padStart(String(total).length)} of ${total}  ${plant.name}: ${what}${lines}${problem === null ? "" : `; ${problem}`}`;
}

export function huntText(hunted: readonly Hunted[]): string {
  const caught = hunted.filter(({ problem }) => problem === null).length;
  const verdict = `${caught} of ${hunted.length} planted bugs caught`;
  return `${table([...COLUMNS], hunted.map(cellsOf))}\n\n${verdict}`;
}

export function huntJson(hunted: readonly Hunted[]): object[] {
  return hunted.map(({ plant, caught, seedsTried, problem }) => ({
    name: plant.name,
    what: plant.what,
    file: plant.file,
    seedsTried,
    problem,
    seed: caught?.first.seed ?? null,
    invariant: caught?.first.invariant ?? null,
    message: caught?.first.message ?? null,
    lines: caught?.shrunk?.lines ?? null,
    fixture: caught?.shrunk?.fixture ?? null,
  }));
}

const BEGIN = "<!-- The table is written by `npm run sim -- --plants --write`. -->";
const END = "<!-- End of the table. -->";

/**
 * `document` with the rows of the bugs `hunted` replaced, and those of the other bugs in `names` kept, in the order of `names`; undefined if
 * it lacks the markers.
 */
export function withTable(document: string, hunted: readonly Hunted[], names: readonly string[]): string | undefined {
  const [begin, end] = [document.indexOf(BEGIN), document.indexOf(END)];
  if (begin === -1 || end < begin) return undefined;
  const before = document.slice(begin, end).split("\n");
  const rows = names.flatMap((name) => {
    const one = hunted.find(({ plant }) => plant.name === name);
    return one === undefined ? before.filter((row) => row.startsWith(`| \`${name}\` |`)) : [rowOf(one)];
  });
  return `${document.slice(0, begin + BEGIN.length)}\n${[...HEADER, ...rows].join("\n")}\n${document.slice(end)}`;
}

/** Used if the document does not exist yet. */
export const EMPTY_DOCUMENT = `# Planted bugs

These bugs prove that the simulator finds bugs. Each is planted alone, as the code is loaded, and seeds run until an
invariant is violated. *Lines* is the size of the smallest fixture that shows the bug, header included.

${BEGIN}
${END}
`;

const markdownRow = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;

const HEADER = [
  markdownRow(["Bug", "What is wrong", "Where", "Caught by", "At seed", "Seeds tried", "Lines"]),
  markdownRow(["---", "---", "---", "---", "---:", "---:", "---:"]),
];

function rowOf(one: Hunted): string {
  const [name = "", invariant = "", seed = "", seedsTried = "", lines = ""] = cellsOf(one);
  return markdownRow([`\`${name}\``, one.plant.what, `\`${one.plant.file}\``, `\`${invariant}\``, seed, seedsTried, lines]);
}

const some = (count: number, what: string): string => `${counted(count)} ${what}${count === 1 ? "" : "s"}`;
const counted = (count: number): string => Math.round(count).toLocaleString("en");
