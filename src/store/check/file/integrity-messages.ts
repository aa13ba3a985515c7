/**
 * The answers of SQLite's integrity check, which are text alone: neither pages nor indexes have a column or a code. A line of unknown
 * wording is a finding, too, so a new wording loses its place and nothing else.
 */
import type { Finding } from "../../model/finding.ts";

/** The problems that the check reports, one a line and each once. */
export function integrityLines(messages: readonly string[]): readonly string[] {
  const lines = messages.flatMap((message) => message.split("\n"));
  return [...new Set(lines)].filter((line) => line !== "ok" && !line.startsWith("*** in database"));
}

/** Parses one line of SQLite's into a place and a problem. */
export function integrityFinding(line: string, nameOf: (rootPage: number) => string | undefined): Finding {
  const inTree = /^Tree (?<tree>\d+) page (?<page>\d+)(?<problem>.*)$/.exec(line)?.groups;
  if (inTree !== undefined) {
    const name = nameOf(Number(inTree["tree"]));
    const problem = (inTree["problem"] ?? "").replace(/^:? */, "");
    return { place: `page ${inTree["page"]}`, problem: name === undefined ? problem : `${problem} (${name})` };
  }
  const inIndex = /^row (?<row>\d+) (?<problem>missing from) index (?<index>\S+)$/.exec(line)?.groups;
  if (inIndex !== undefined) return { place: `index ${inIndex["index"]}`, problem: `row ${inIndex["row"]} is missing from it` };
  const ofIndex = /^(?<problem>.*) (?:in )?index (?<index>\S+)$/.exec(line)?.groups;
  if (ofIndex !== undefined) return { place: `index ${ofIndex["index"]}`, problem: line };
  const page = /\b[Pp]age (?<page>\d+)/.exec(line)?.groups;
  return { place: page === undefined ? "pages" : `page ${page["page"]}`, problem: line };
}
