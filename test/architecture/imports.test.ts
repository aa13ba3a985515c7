/** Imports follow the data flow: nats -> ingest -> store -> reconciler -> p2p. docs/ARCHITECTURE.md explains the rooms. */
import { describe, expect, test } from "vitest";
import { cyclesOf, type Graph, sourceFiles } from "./source-tree.ts";

/** For each room of src/, the rooms that it may import, types included. `daemon` is the only one that knows everyone. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  base: [],
  events: ["base"],
  store: ["base", "events"],
  ingest: ["base", "events", "store"],
  nats: ["base", "events", "store", "ingest"],
  reconciler: ["base", "events"],
  p2p: ["base", "events", "reconciler"],
  config: ["base", "events", "reconciler"],
  views: ["base", "events", "reconciler", "store"],
  http: ["base", "events", "config", "views"],
  fixture: ["base", "events", "store", "reconciler"],
  daemon: ["base", "events", "store", "ingest", "nats", "reconciler", "p2p", "config", "views", "http"],
  sim: ["base", "events", "store", "ingest", "reconciler", "p2p", "daemon", "fixture"],
  demo: ["base", "events", "store", "nats", "config", "views", "http", "fixture"],
  cli: ["base", "events", "store", "nats", "config", "views", "http", "daemon", "fixture", "sim", "demo"],
  "main.ts": ["cli"],
};

/** The rooms of the store, from the bottom up: each may import those before it. */
const STORE_ROOMS = ["schema", "model", "fold", "sql", "write", "head", "check", "recovery", "archive"];

const roomOf = (path: string): string => path.split("/")[0] ?? "";

test("each room imports only what is before it in the data flow", () => {
  const wrong = sourceFiles.flatMap(({ path, imports }) => {
    const allowed = [roomOf(path), ...(MAY_IMPORT[roomOf(path)] ?? [])];
    return imports.filter((target) => !allowed.includes(roomOf(target))).map((target) => `${path} imports ${target}`);
  });
  expect(wrong).toEqual([]);
});

test("the rule names every room of src/", () => {
  expect(Object.keys(MAY_IMPORT).sort()).toEqual([...new Set(sourceFiles.map(({ path }) => roomOf(path)))].sort());
});

test("the rooms of the store import only rooms below them", () => {
  const floor = (path: string) => STORE_ROOMS.indexOf(path.split("/")[1] ?? "");
  const wrong = sourceFiles
    .filter(({ path }) => path.startsWith("store/") && floor(path) >= 0)
    .flatMap(({ path, imports }) =>
      imports
        .filter((target) => target.startsWith("store/") && (floor(target) < 0 || floor(target) > floor(path)))
        .map((target) => `${path} imports ${target}`),
    );
  expect(wrong).toEqual([]);
});

describe("there is no cycle, types included", () => {
  test("between files", () => {
    expect(cyclesOf(new Map(sourceFiles.map(({ path, imports }) => [path, new Set(imports)])))).toEqual([]);
  });

  test("between the files and folders of any folder", () => {
    expect([...siblingGraphs()].flatMap(([folder, graph]) => cyclesOf(graph).map((cycle) => `${folder}: ${cycle}`))).toEqual([]);
  });
});

/** For each folder: which of the files and folders in it import which others, in any depth. */
function siblingGraphs(): ReadonlyMap<string, Graph> {
  const graphs = new Map<string, Map<string, Set<string>>>();
  for (const { path, imports } of sourceFiles)
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
