/** The code that no world reached, as text and as a document. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type Explained, explain, isInScope, type Place, placesOf } from "./places.ts";
import type { Reached } from "./reached.ts";
import { REASONS } from "./reasons.ts";

const ROOT = join(import.meta.dirname, "../../..");

export function explainedOf(reached: Reached): Explained {
  const sources = sourcesInScope();
  const places = [...sources].flatMap(([file, source]) => placesOf(file, source, reached.of(file)));
  return explain(places, REASONS, sources);
}

/** By path, in its order. */
export function sourcesInScope(): ReadonlyMap<string, string> {
  const files = readdirSync(join(ROOT, "src"), { recursive: true, encoding: "utf8" }).map((name) => `src/${name}`);
  return new Map(
    files
      .filter(isInScope)
      .sort()
      .map((file) => [file, readFileSync(join(ROOT, file), "utf8")]),
  );
}

export function coverageText({ explained, unexplained, stale }: Explained): string {
  return [
    `not reached: ${linesOf(explained.map(({ place }) => place))} with a reason, ${linesOf(unexplained)} without`,
    ...unexplained.map(
      (place) => `  ${place.file}:${place.line}  ${place.text}${place.lines > 1 ? `  (${place.lines} lines)` : ""}`,
    ),
    ...stale.map(({ file, text }) => `  stale reason: ${file}${text === undefined ? "" : `  ${text}`}`),
  ].join("\n");
}

export function coverageDocument({ explained, unexplained }: Explained, seeds: number): string {
  const byReason = Map.groupBy(explained, ({ reason }) => reason);
  const rows = [...byReason].map(([{ file, text, why }, all]) => {
    const what = text === undefined ? `\`${file}\`` : `\`${file}\`: \`${text.replaceAll("|", "\\|")}\``;
    return `| ${what} | ${all.reduce((sum, { place }) => sum + place.lines, 0)} | ${why} |`;
  });
  const open = unexplained.map(({ file, text, lines }) => `| \`${file}\` | \`${text.replaceAll("|", "\\|")}\` | ${lines} |`);
  return `# Code that no simulated world reaches

Written by \`npm run sim -- --coverage --seeds ${seeds} --write\`, which measures reconciler, ingest, p2p and the store's write path. The reasons
are in \`test/sim/reach/reasons.ts\`, by file and text of the first line; the command reports those that fit no line any more, and fails.

## With a reason

| Where | Lines | Why not |
| --- | ---: | --- |
${rows.join("\n")}

## Without a reason yet

${unexplained.length === 0 ? "None." : `| File | First line | Lines |\n| --- | --- | ---: |\n${open.join("\n")}`}
`;
}

function linesOf(places: readonly Place[]): string {
  return `${places.reduce((sum, { lines }) => sum + lines, 0)} lines in ${places.length} places`;
}
