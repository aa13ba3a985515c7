/**
 * `npm run matrix`: tests every guarantee against several versions of nats-server and prints a table; with --write also to
 * docs/BROKERS.md. Exits with 1 if a guarantee does not hold.
 */
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Command } from "commander";
import { report } from "../../src/cli/terminal/report.ts";
import { GUARANTEES, type Guarantee } from "./guarantees.ts";

const ROOT = join(import.meta.dirname, "../..");
const DOCUMENT = join(ROOT, "docs/BROKERS.md");
/** The table is written between these markers. */
const [BEGIN, END] = ["<!-- matrix -->", "<!-- /matrix -->"];

interface Result {
  readonly seconds: number;
  /** Why the guarantee does not hold; undefined if it does. */
  readonly problem: string | undefined;
}

interface Broker {
  readonly version: string;
  readonly binary: string;
}

const command = new Command("npm run matrix --")
  .description("Tests every guarantee against several versions of nats-server in parallel.")
  .option("--write", "also write the table to docs/BROKERS.md", false)
  .option("--again", "fetch the servers again, to get newer versions", false)
  .option("--only <words>", "test only guarantees whose name contains these words")
  .exitOverride()
  .action(matrix);
try {
  await command.parseAsync();
} catch (thrown) {
  report(thrown);
}

async function matrix({ write, again, only = "" }: { write: boolean; again: boolean; only?: string }): Promise<void> {
  const brokers = fetchBrokers(again);
  const guarantees = GUARANTEES.filter(({ name }) => name.includes(only));
  const startedMs = performance.now();
  // Versions run in parallel; the guarantees of one version run in sequence, so that their times are comparable.
  const columns = await Promise.all(brokers.map((broker) => attemptAll(broker, guarantees)));
  const table = markdown(brokers, guarantees, columns);
  const problems = columns.flatMap((results, column) =>
    results.flatMap(({ problem }, row) =>
      problem === undefined ? [] : [`${brokers[column]?.version}: ${guarantees[row]?.name}\n  ${problem}`],
    ),
  );
  const seconds = Math.round((performance.now() - startedMs) / 1_000);
  print([table, ...problems, `${guarantees.length} guarantees with ${brokers.length} versions in ${seconds} s`].join("\n\n"));
  if (write && only === "") writeTable(table);
  if (problems.length > 0 || brokers.length === 0) process.exitCode = 1;
}

function fetchBrokers(again: boolean): readonly Broker[] {
  const script = join(ROOT, "scripts/fetch-brokers");
  const output = execFileSync("sh", [script, ...(again ? ["--again"] : [])], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
  });
  const binaries = output.split("\n").filter((line) => line !== "");
  return binaries.map((binary) => ({ binary, version: versionOf(binary) }));
}

function versionOf(binary: string): string {
  return execFileSync(binary, ["--version"], { encoding: "utf8" })
    .replace(/^nats-server: v/, "")
    .trim();
}

async function attemptAll({ version, binary }: Broker, guarantees: readonly Guarantee[]): Promise<readonly Result[]> {
  const results: Result[] = [];
  for (const { name, attempt } of guarantees) {
    const startedMs = performance.now();
    const problem = await attempt(binary).then(
      () => undefined,
      (error: unknown) => (error instanceof Error ? error.message : String(error)),
    );
    const seconds = (performance.now() - startedMs) / 1_000;
    results.push({ seconds, problem });
    process.stderr.write(`${version}  ${cell({ seconds, problem })}  ${name}\n`);
  }
  return results;
}

function markdown(brokers: readonly Broker[], guarantees: readonly Guarantee[], columns: readonly (readonly Result[])[]): string {
  const rows = guarantees.map(({ name }, row) => [name, ...columns.map((results) => cell(results[row]))]);
  const header = ["guarantee", ...brokers.map(({ version }) => version)];
  return [header, ["---", ...brokers.map(() => "---")], ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}

function cell(result: Result | undefined): string {
  return result === undefined ? "" : `${result.problem === undefined ? "yes" : "no"}, ${result.seconds.toFixed(1)} s`;
}

function writeTable(table: string): void {
  const text = readFileSync(DOCUMENT, "utf8");
  const [from, to] = [text.indexOf(BEGIN), text.indexOf(END)];
  if (from === -1 || to < from) throw new Error(`${DOCUMENT} lacks the markers ${BEGIN} … ${END}`);
  writeFileSync(DOCUMENT, `${text.slice(0, from + BEGIN.length)}\n\n${table}\n\n${text.slice(to)}`);
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
