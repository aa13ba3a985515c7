/** Imports follow the data flow: nats -> ingest -> store -> reconciler -> p2p. docs/ARCHITECTURE.md explains the rooms. */
import { describe, expect, test } from "vitest";
import { cyclesOf, fileGraph, folderGraphs, siblingGraphs } from "./graph.ts";
import { type SourceFile, sourceFiles, sourcePaths, treeOf } from "./source-tree.ts";

/** For each room of src/, the rooms that it may import, types included. `daemon` is the only one that knows everyone. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  base: [],
  events: ["base"],
  store: ["base", "events"],
  ingest: ["base", "events", "store"],
  nats: ["base", "events", "store", "ingest"],
  reconciler: ["base", "events"],
  identity: ["base"],
  p2p: ["base", "events", "reconciler"],
  config: ["base", "events", "nats", "reconciler"],
  views: ["base", "events", "reconciler", "store"],
  http: ["base", "events", "config", "views"],
  fixture: ["base", "events", "store", "reconciler"],
  daemon: ["base", "events", "store", "ingest", "nats", "reconciler", "identity", "p2p", "config", "views", "http"],
  sim: ["base", "events", "store", "ingest", "reconciler", "p2p", "daemon", "fixture"],
  demo: ["base", "events", "store", "nats", "config", "views", "http", "fixture"],
  cli: ["base", "events", "store", "nats", "identity", "config", "views", "http", "daemon", "fixture", "sim", "demo"],
  "main.ts": ["cli"],
};

/** The rooms of the store, from the bottom up: each may import those before it. */
const STORE_ROOMS = ["schema", "model", "fold", "sql", "write", "head", "check", "recovery", "archive"];

const roomOf = (path: string): string => path.split("/")[0] ?? "";

const againstDataFlow = (files: readonly SourceFile[]): readonly string[] =>
  files.flatMap(({ path, imports }) => {
    const allowed = [roomOf(path), ...(MAY_IMPORT[roomOf(path)] ?? [])];
    return imports.filter((target) => !allowed.includes(roomOf(target))).map((target) => `${path} imports ${target}`);
  });

function againstStoreRooms(files: readonly SourceFile[]): readonly string[] {
  const floor = (path: string) => STORE_ROOMS.indexOf(path.split("/")[1] ?? "");
  return files
    .filter(({ path }) => path.startsWith("store/") && floor(path) >= 0)
    .flatMap(({ path, imports }) =>
      imports
        .filter((target) => target.startsWith("store/") && (floor(target) < 0 || floor(target) > floor(path)))
        .map((target) => `${path} imports ${target}`),
    );
}

/** Specifiers that the other rules cannot follow. */
const unfollowed = (files: readonly SourceFile[]): readonly string[] =>
  files.flatMap(({ path, packages, computed }) =>
    [...packages.filter((specifier) => /^[./#]|^file:/.test(specifier)), ...new Set(computed)].map(
      (specifier) => `${path}: ${specifier}`,
    ),
  );

const foreign = (paths: readonly string[]): readonly string[] => paths.filter((path) => !/(?<!\.d)\.ts$/.test(path));

const cyclesIn = (graphs: ReturnType<typeof siblingGraphs>): readonly string[] =>
  [...graphs].flatMap(([folder, graph]) => cyclesOf(graph).map((cycle) => `${folder}: ${cycle}`));

test("each room imports only what is before it in the data flow", () => {
  expect(againstDataFlow(sourceFiles)).toEqual([]);
});

test("the rule names every room of src/", () => {
  expect(Object.keys(MAY_IMPORT).sort()).toEqual([...new Set(sourceFiles.map(({ path }) => roomOf(path)))].sort());
});

test("the rooms of the store import only rooms below them", () => {
  expect(againstStoreRooms(sourceFiles)).toEqual([]);
});

test("src/ holds nothing but .ts files", () => {
  expect(foreign(sourcePaths)).toEqual([]);
});

test("every import names a package or a file of src/, literally", () => {
  expect(unfollowed(sourceFiles)).toEqual([]);
});

describe("there is no cycle, types included", () => {
  test("between files", () => {
    expect(cyclesOf(fileGraph(sourceFiles))).toEqual([]);
  });

  test("between the files and folders of any folder", () => {
    expect(cyclesIn(siblingGraphs(sourceFiles))).toEqual([]);
  });

  test("between a folder's own files and a folder in it", () => {
    expect(cyclesIn(folderGraphs(sourceFiles))).toEqual([]);
  });
});

describe("an import is seen", () => {
  test.each([
    "import { a } from './store.ts';",
    'import type { A } from "./store.ts";',
    'import "./store.ts";',
    'import { a, /* " */ b } from "./store.ts";',
    'import {\n  a, // "quoted"\n  b,\n} from\n  "./store.ts";',
    'export { a } from "./store.ts";',
    'export * from "./store.ts";',
    'type A = import("./store.ts").A;',
    'const { a } = await import("./store.ts");',
    'const { a } = await import(/* lazily */ "./store.ts");',
    'const { a } = await import(\n  // lazily\n  "./store.ts"\n);',
    "const { a } = await import(`./store.ts`);",
    'const { a } = require("./store.ts");',
    'const { a } = createRequire(import.meta.url)("./store.ts");',
    'new Worker(new URL("./store.ts", import.meta.url));',
    'new Worker(new URL("store.ts?worker", import.meta.url));',
    'declare module "./store.ts" {\n  interface A {}\n}',
  ])("%s", (snippet) => {
    const files = treeOf({ "base/a.ts": snippet.replaceAll("store.ts", "../store/store.ts"), "store/store.ts": "export {};" });
    expect(againstDataFlow(files)).toEqual(["base/a.ts imports store/store.ts"]);
  });

  test("but not in a comment", () => {
    expect(treeOf({ "a.ts": '// import "./b.ts"\n/* import("./b.ts") */', "b.ts": "export {};" })[0]?.imports).toEqual([]);
  });
});

test.each([
  "await import(name);",
  "await import(`./$" + "{name}.ts`);",
  "new URL(`./$" + "{name}.ts`, import.meta.url);",
  'new Worker(new URL("./wor" + "ker.ts", import.meta.url));',
  "new Worker(new URL(name, import.meta.url));",
  "new Worker(name);",
  'import { Worker as Thread } from "node:worker_threads"; new Thread(name);',
  'import * as threads from "node:worker_threads"; new threads.Worker(name);',
  'import "../../test/support/until.ts";',
  'import "./missing.ts";',
  'import "#internal";',
])("an import that cannot be followed is seen: %s", (snippet) => {
  expect(unfollowed(treeOf({ "base/a.ts": snippet }))).toHaveLength(1);
});

test.each(["a.mts", "a.cts", "a.js", "a.mjs", "a.json", "a.tsx", "a.d.ts", ".hidden"])("a foreign file is seen: %s", (path) => {
  expect(foreign([path, "a.ts"])).toEqual([path]);
});

test("a file that does not parse is an error", () => {
  expect(() => treeOf({ "a.ts": 'import "./b.ts";\nfunction {' })).toThrow("a.ts: ");
});

describe("a cycle is seen", () => {
  const importing = (...targets: string[]) => targets.map((target) => `import "${target}";`).join("\n");

  test("between files, one of them with another extension", () => {
    const files = treeOf({ "a.ts": importing("./b.mts"), "b.mts": importing("./c.js"), "c.js": importing("./a.ts") });
    expect(cyclesOf(fileGraph(files))).toEqual(["a.ts -> b.mts -> c.js -> a.ts"]);
  });

  test("between folders", () => {
    const files = treeOf({
      "a/one.ts": importing("../b/one.ts"),
      "b/one.ts": "",
      "b/two.ts": importing("../a/two.ts"),
      "a/two.ts": "",
    });
    expect(cyclesIn(siblingGraphs(files))).toEqual(["src/: a -> b -> a"]);
  });

  test("between a folder and one in it, at any depth", () => {
    const files = treeOf({
      "a/top.ts": importing("./in/deep/one.ts"),
      "a/in/deep/one.ts": "",
      "a/in/two.ts": importing("../bottom.ts"),
      "a/bottom.ts": "",
      "a/other/three.ts": importing("../bottom.ts"),
    });
    expect(cyclesOf(fileGraph(files))).toEqual([]);
    expect(cyclesIn(folderGraphs(files))).toEqual(["src/a: . -> in -> ."]);
  });

  test("between a folder's own files and two folders in it, by way of other files", () => {
    const files = treeOf({
      "a/top.ts": 'import "./in/one.ts";',
      "a/in/one.ts": "",
      "a/in/two.ts": 'import "../other/three.ts";',
      "a/other/three.ts": "",
      "a/other/four.ts": 'import "../bottom.ts";',
      "a/bottom.ts": "",
    });
    expect(cyclesIn(folderGraphs(files))).toEqual(["src/a: . -> in -> other -> ."]);
  });
});

test("a room of the store that imports one above it is seen", () => {
  const files = treeOf({
    "store/sql/a.ts": 'import "../head/b.ts";\nimport "../store.ts";',
    "store/head/b.ts": "",
    "store/store.ts": "",
  });
  expect(againstStoreRooms(files)).toEqual(["store/sql/a.ts imports store/head/b.ts", "store/sql/a.ts imports store/store.ts"]);
});
