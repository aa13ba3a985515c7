/** Prints the table of docs/INTEROP.md after a whole run. With INTEROP=write it writes it; otherwise a difference fails the run. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Reporter, TestModule } from "vitest/node";
import { SEPARATOR } from "./scenario-names.ts";
import { VERSIONS } from "./versions.ts";

const PAGE = join(import.meta.dirname, "../../../docs/INTEROP.md");
const [BEGIN, END] = ["<!-- interop -->\n", "<!-- end -->\n"] as const;

export default class TableReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const suites = modules.flatMap((module) => [...module.children.allSuites()]).filter(({ name }) => name.includes(SEPARATOR));
    const results = suites.map((suite) => ({
      cells: suite.name.split(SEPARATOR),
      states: VERSIONS.map(({ name }) => [...suite.children.allTests()].find((test) => test.name === name)?.result().state),
    }));
    // A part of the suite, or one without Go, says nothing about the table.
    if (results.length === 0 || results.some(({ states }) => states.some((state) => state !== "passed" && state !== "failed")))
      return;
    const rows = results.map(({ cells, states }) => [
      ...cells,
      ...states.map((state) => (state === "passed" ? "yes" : "**no**")),
    ]);
    rows.sort(([one = "", first = ""], [other = "", second = ""]) => other.localeCompare(one) || first.localeCompare(second));
    const header = ["direction", "the Go far end", "our daemon", ...VERSIONS.map(versionText)];
    const table = [header, header.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |\n`).join("");
    process.stdout.write(`\n${table}\n`);
    compare(table);
  }
}

function compare(table: string): void {
  const page = readFileSync(PAGE, "utf8");
  const [from, to] = [page.indexOf(BEGIN) + BEGIN.length, page.indexOf(END)];
  if (page.slice(from, to) === `\n${table}\n`) return;
  if (process.env["INTEROP"] === "write") {
    writeFileSync(PAGE, `${page.slice(0, from)}\n${table}\n${page.slice(to)}`);
    return;
  }
  process.stderr.write("docs/INTEROP.md has another table; `INTEROP=write npm run test:interop` writes it\n");
  process.exitCode = 1;
}

function versionText({ name, goMod }: (typeof VERSIONS)[number]): string {
  const text = readFileSync(join(import.meta.dirname, "../go-partner", goMod), "utf8");
  return `${name}: ${/go-libp2p (v\S+)/.exec(text)?.[1] ?? "?"}`;
}
