/** The generated part of docs/CONFIGURATION.md: one table for each section of the schema. Pure. */
import { type Leaf, leaves } from "../../src/config/leaves.ts";

const START = "<!-- The tables are written by `npm run docs`. -->";
const END = "<!-- End of the tables. -->";

/** `page` with its tables replaced by those of the schema. Throws if the markers are missing. */
export function withSettings(page: string): string {
  const [from, to] = [page.indexOf(START), page.indexOf(END)];
  if (from < 0 || to < from) throw new Error(`docs/CONFIGURATION.md lacks the lines ${START} and ${END}; put them back`);
  return `${page.slice(0, from + START.length)}\n${tables()}\n${page.slice(to)}`;
}

function tables(): string {
  return [...Map.groupBy(leaves, sectionOf)]
    .map(([section, settings]) => `\n### ${section}\n\n${[...HEAD, ...settings.map(row)].join("\n")}\n`)
    .join("");
}

const HEAD = ["| setting | environment | default | allowed | description |", "| --- | --- | --- | --- | --- |"];

function sectionOf({ path }: Leaf): string {
  const [section = "", key] = path.split(".");
  return key === undefined ? "The daemon" : `\`${section}\``;
}

function row({ path, env, preset, allowed, description }: Leaf): string {
  const shown = preset === undefined ? "" : path === "name" ? preset : `\`${preset}\``;
  return `| \`${path}\` | \`${env}\` | ${shown} | ${allowed ?? ""} | ${description} |`;
}
