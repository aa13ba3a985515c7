/** The files of src/ as text, and what they import and declare. Read with regular expressions: the code is formatted by one tool. */
import { globSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";

export const SRC = join(import.meta.dirname, "../../src");

export interface SourceFile {
  /** Below src/, such as `p2p/host/node.ts`. */
  readonly path: string;
  readonly folder: string;
  readonly text: string;
  /** Paths below src/, types included. */
  readonly imports: readonly string[];
}

const IMPORT = /(?:^(?:import|export) (?:type )?[^"]*?from |^import |import\()"(\.[^"]+)"/gm;

export const sourceFiles: readonly SourceFile[] = globSync("**/*.ts", { cwd: SRC })
  .sort()
  .map((path) => {
    const text = readFileSync(join(SRC, path), "utf8");
    const folder = dirname(path);
    return { path, folder, text, imports: [...text.matchAll(IMPORT)].map(([, target = ""]) => normalize(join(folder, target))) };
  });

/** The same text with comments blanked out; line numbers stay. */
export function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, (comment) => comment.replace(/[^\n]/g, "")).replace(/^\s*\/\/.*$/gm, "");
}

export type Graph = ReadonlyMap<string, ReadonlySet<string>>;

/** The shortest cycle through each node that has one, as `a -> b -> a`, each cycle once. */
export function cyclesOf(graph: Graph): readonly string[] {
  const cycles = new Map<string, string>();
  for (const start of graph.keys()) {
    const trail = shortestCycle(graph, start);
    const key = [...new Set(trail)].sort().join();
    if (trail !== undefined && !cycles.has(key)) cycles.set(key, trail.join(" -> "));
  }
  return [...cycles.values()];
}

/** Breadth first, from `start` back to itself. */
function shortestCycle(graph: Graph, start: string): readonly string[] | undefined {
  const seen = new Set<string>();
  for (let trails: string[][] = [[start]]; trails.length > 0; ) {
    const longer: string[][] = [];
    for (const trail of trails)
      for (const next of graph.get(trail.at(-1) ?? "") ?? []) {
        if (next === start) return [...trail, next];
        if (seen.has(next)) continue;
        seen.add(next);
        longer.push([...trail, next]);
      }
    trails = longer;
  }
  return undefined;
}
