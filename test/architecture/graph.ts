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

/** The folders below `src/` whose own files import from a folder in them that imports own files of theirs: `parent <-> parent/child`. */
export function mutualFolders(files: readonly SourceFile[]): readonly string[] {
  const edges = new Set<string>();
  for (const { path, folder, imports } of files)
    for (const target of imports) {
      const to = target.split("/").slice(0, -1).join("/") || ".";
      if (folder !== "." && to.startsWith(`${folder}/`)) edges.add(`${folder} -> ${childOf(folder, to)}`);
      if (to !== "." && folder.startsWith(`${to}/`)) edges.add(`${childOf(to, path)} -> ${to}`);
    }
  return [...edges]
    .map((edge) => edge.split(" -> "))
    .filter(([from = "", to = ""]) => to.startsWith(`${from}/`) && edges.has(`${to} -> ${from}`))
    .map((edge) => edge.join(" <-> "))
    .sort();
}

/** The folder directly in `parent` that `path` is in. */
const childOf = (parent: string, path: string): string => `${parent}/${path.slice(parent.length + 1).split("/")[0]}`;

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
