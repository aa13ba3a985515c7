/** Prints the table of docs/INTEROP.md after a whole run. With INTEROP=write it writes it; otherwise a difference fails the run. */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Reporter, TestModule } from "vitest/node";
import { SEPARATOR } from "./scenario-names.ts";
import { PAGE_MINUTES, STALL_MINUTES } from "./stall-minutes.ts";
import { VERSIONS } from "./versions.ts";

const PAGE = join(import.meta.dirname, "../../../docs/INTEROP.md");
const END = "<!-- end -->\n";
const LIVENESS_HEADER = ["fault", "stream", "noticed after", "healed after", "redials per minute"];
const STALLS_HEADER = ["the Go far end", "stream", "version", "minutes", "stalls", "heartbeats", "closed streams"];

export default class TableReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const suites = modules.flatMap((module) => [...module.children.allSuites()]).filter(({ name }) => name.includes(SEPARATOR));
    const results = suites.map((suite) => ({
      cells: suite.name.split(SEPARATOR),
      states: VERSIONS.map(({ name }) => [...suite.children.allTests()].find((test) => test.name === name)?.result().state),
    }));
    const stalls = measurementsOf(modules, "stalls");
    if (stalls.length > 0)
      printed("stalls", STALLS_HEADER, stalls, STALL_MINUTES >= PAGE_MINUTES && modules.every((module) => module.ok()));
    // A part of the suite, or one without Go, says nothing about the other tables.
    const files = readdirSync(join(import.meta.dirname, "..")).filter((name) => name.endsWith(".test.ts"));
    if (
      modules.length < files.length ||
      results.some(({ states }) => states.some((state) => state !== "passed" && state !== "failed"))
    )
      return;
    const rows = results.map(({ cells, states }) => [
      ...cells,
      ...states.map((state) => (state === "passed" ? "yes" : "**no**")),
    ]);
    rows.sort(([one = "", first = ""], [other = "", second = ""]) => other.localeCompare(one) || first.localeCompare(second));
    const header = ["direction", "the Go far end", "our daemon", ...VERSIONS.map(versionText)];
    if (!printed("interop", header, rows)) {
      process.stderr.write("docs/INTEROP.md has another table; `INTEROP=write npm run test:interop` writes it\n");
      process.exitCode = 1;
    }
    // Measurements differ from run to run, so they are not compared.
    printed("liveness", LIVENESS_HEADER, measurementsOf(modules, "liveness"));
  }
}

/** The rows that tests left in their meta data. */
function measurementsOf(modules: readonly TestModule[], table: "liveness" | "stalls"): readonly string[][] {
  const metas = modules
    .flatMap((module) => [...module.children.allTests()])
    .map((test) => test.meta() as Partial<Record<typeof table, string[]>>);
  return metas.flatMap(({ [table]: row }) => (row === undefined ? [] : [row]));
}

/** Prints a table; with INTEROP=write it also writes it to the page. False if the page now has another one after this marker. */
function printed(marker: string, header: readonly string[], rows: readonly (readonly string[])[], isForPage = true): boolean {
  const table = [header, header.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |\n`).join("");
  process.stdout.write(`\n${table}\n`);
  const page = readFileSync(PAGE, "utf8");
  const begin = `<!-- ${marker} -->\n`;
  const from = page.indexOf(begin) + begin.length;
  const to = page.indexOf(END, from);
  const isSame = page.slice(from, to) === `\n${table}\n`;
  if (isSame || !isForPage || process.env["INTEROP"] !== "write") return isSame;
  writeFileSync(PAGE, `${page.slice(0, from)}\n${table}\n${page.slice(to)}`);
  return true;
}

function versionText({ name, goMod }: (typeof VERSIONS)[number]): string {
  const text = readFileSync(join(import.meta.dirname, "../go-partner", goMod), "utf8");
  return `${name}: ${/go-libp2p (v\S+)/.exec(text)?.[1] ?? "?"}`;
}
