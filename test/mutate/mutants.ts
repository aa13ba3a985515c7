/** Finds the mutants of files, and writes all mutants of a file into one text, in which a switch chooses. Pure. */
import type { Node } from "oxc-parser";
import { literalText, parse } from "../architecture/syntax.ts";
import { expressionSites } from "./operators/expressions.ts";
import { reasonSites, reasonsOf } from "./operators/reasons.ts";
import { isDescription, type Operator, type Site } from "./operators/site.ts";
import { statementSites } from "./operators/statements.ts";

export interface Source {
  /** Below the root of the clone. */
  readonly path: string;
  readonly text: string;
}

export interface Mutant {
  /** Its number in the whole tree, from 0. */
  readonly id: number;
  readonly path: string;
  readonly operator: Operator;
  /** From 1. */
  readonly line: number;
  /** The text of that line, without the blanks around it. It names the place in test/mutate/explained.ts. */
  readonly lineText: string;
  readonly change: string;
}

/** A file with the places of its mutants. */
export interface FoundFile extends Source {
  readonly placed: readonly Placed[];
}

interface Placed {
  readonly site: Site;
  readonly mutant: Mutant;
}

/** The name of the function that says if a mutant is active. */
const SWITCH = "$mutant";

/** `reasonFiles`: where unions of strings are defined. */
export function findMutants(sources: readonly Source[], reasonFiles: readonly Source[]): readonly FoundFile[] {
  const reasons = reasonsOf(reasonFiles.map(({ path, text }) => parse(path, text).nodes));
  let next = 0;
  return sources.map(({ path, text }) => {
    const { nodes } = parse(path, text);
    const named = new Set(nodes.flatMap((node) => (node.type === "Literal" ? (literalText(node) ?? []) : [])));
    const sitesOf = (node: Node) => [
      ...statementSites(node, text),
      ...expressionSites(node, text),
      ...reasonSites(node, reasons, named),
    ];
    const sites = nodes.flatMap((node) => (isDescription(node) ? [] : sitesOf(node)));
    return { path, text, placed: sites.map((site) => ({ site, mutant: mutantOf(path, text, site, next++) })) };
  });
}

function mutantOf(path: string, text: string, { operator, start, change }: Site, id: number): Mutant {
  const line = text.slice(0, start).split("\n").length;
  return { id, path, operator, line, lineText: text.split("\n")[line - 1]?.trim() ?? "", change };
}

/** The file with those of its mutants that are chosen. `switchModule`: the module that exports the switch, below the root. */
export function mutatedText({ path, text, placed }: FoundFile, chosen: ReadonlySet<number>, switchModule: string): string {
  const wanted = placed.filter(({ mutant }) => chosen.has(mutant.id));
  const specifier = `${"../".repeat(path.split("/").length - 1)}${switchModule}`;
  const imported = wanted.length === 0 ? "" : `import { ${SWITCH} } from "${specifier}"; `;
  return imported + embed(text, wanted);
}

/** Sites are nodes, so each contains another, or is apart from it. */
function embed(text: string, placed: readonly Placed[]): string {
  const outerFirst = placed.toSorted((a, b) => a.site.start - b.site.start || b.site.end - a.site.end);
  let index = 0;
  const upTo = (start: number, end: number): string => {
    let at = start;
    let rendered = "";
    for (let next = outerFirst[index]; next !== undefined && next.site.start < end; next = outerFirst[index]) {
      index += 1;
      rendered += text.slice(at, next.site.start);
      rendered += next.site.embed(upTo(next.site.start, next.site.end), `${SWITCH}(${next.mutant.id})`);
      at = next.site.end;
    }
    return rendered + text.slice(at, end);
  };
  return upTo(0, text.length);
}
