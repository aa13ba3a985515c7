/** Which files and folders depend on which others, and where that goes round in a circle. */
import type { SourceFile } from "./source-tree.ts";

export type Graph = ReadonlyMap<string, ReadonlySet<string>>;

export const fileGraph = (files: readonly SourceFile[]): Graph =>
  new Map(files.map(({ path, imports }) => [path, new Set(imports)]));

/** For each folder: which of the files and folders in it import which others, in any depth. */
export function siblingGraphs(files: readonly SourceFile[]): ReadonlyMap<string, Graph> {
  const graphs = new Map<string, Map<string, Set<string>>>();
  for (const { path, imports } of files)
    for (const target of imports) {
      const [from, to] = [path.split("/"), target.split("/")];
      const depth = from.findIndex((part, index) => part !== to[index]);
      const folder = `src/${from.slice(0, depth).join("/")}`;
      const [a, b] = [from[depth], to[depth]];
      if (depth < 0 || a === undefined || b === undefined) continue;
      const graph = graphs.get(folder) ?? new Map<string, Set<string>>();
      graph.set(a, (graph.get(a) ?? new Set()).add(b));
      graphs.set(folder, graph);
    }
  return graphs;
}

/**
 * For each folder of `src/`: as siblingGraphs, with the folder's own files as one node, `.`. So a folder that depends on one in it, which
 * depends on it, is a cycle however long the way round. The files of `src/` itself are on top of everything.
 */
export function folderGraphs(files: readonly SourceFile[]): ReadonlyMap<string, Graph> {
  const graphs = new Map<string, Map<string, Set<string>>>();
  for (const { path, imports } of files)
    for (const target of imports) {
      const [from, to] = [path.split("/"), target.split("/")];
      const depth = from.findIndex((part, index) => part !== to[index]);
      if (depth < 1) continue;
      const [a, b] = [from, to].map((parts) => (parts.length === depth + 1 ? "." : (parts[depth] ?? ".")));
      if (a === undefined || b === undefined || a === b) continue;
      const folder = `src/${from.slice(0, depth).join("/")}`;
      const graph = graphs.get(folder) ?? new Map<string, Set<string>>();
      graph.set(a, (graph.get(a) ?? new Set()).add(b));
      graphs.set(folder, graph);
    }
  return graphs;
}

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
