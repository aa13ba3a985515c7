/** Rules that hold for every file of src/, checked by reading the files. docs/ARCHITECTURE.md explains them. */
import { globSync, readFileSync } from "node:fs";
import { dirname, join, normalize, relative } from "node:path";
import { describe, expect, test } from "vitest";

const SRC = join(import.meta.dirname, "../src");

interface Source {
  /** Below src/, such as `p2p/node.ts`. */
  readonly path: string;
  readonly folder: string;
  readonly text: string;
}

const sources: readonly Source[] = globSync("**/*.ts", { cwd: SRC })
  .sort()
  .map((path) => ({ path, folder: dirname(path), text: readFileSync(join(SRC, path), "utf8") }));

/** For each folder, the folders (or single files) that it may import besides its own and the files directly in src/. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  ".": ["cli"],
  events: [],
  store: ["events"],
  "store/check": ["events", "store"],
  "store/archive": ["events", "store", "store/check", "store/recovery"],
  "store/recovery": ["events", "store", "store/check"],
  reconciler: ["events", "store"],
  p2p: ["events", "reconciler/ports.ts"],
  nats: ["events", "store"],
  config: ["events", "reconciler"],
  http: ["events", "reconciler", "config/schema.ts"],
  daemon: ["events", "store", "reconciler", "p2p", "nats", "config", "http"],
  fixture: ["events", "store"],
  sim: ["fixture", "events", "store", "reconciler", "p2p", "nats", "daemon", "sim/broker", "sim/network", "sim/invariants"],
  "sim/broker": ["sim", "nats", "store"],
  "sim/network": ["p2p"],
  "sim/invariants": ["sim", "sim/broker", "sim/network", "events", "store", "reconciler", "p2p", "fixture"],
  cli: ["config", "http", "nats", "daemon", "demo", "fixture", "sim", "store", "store/archive", "store/check", "store/recovery"],
  demo: ["config", "http", "nats", "store", "events", "cli"],
};

/** What each file imports of src/, with the line's own text. */
function* importsOf(source: Source): Generator<{ readonly target: string; readonly isType: boolean; readonly line: string }> {
  for (const match of source.text.matchAll(/(?:^(?:import|export) (type )?[^"]*?from |import\()"(\.[^"]+)"/gm)) {
    const target = normalize(join(source.folder, match[2] ?? ""));
    yield { target, isType: match[1] !== undefined, line: `${source.path} imports ${target}` };
  }
}

describe("imports", () => {
  test("go down the data flow only", () => {
    const wrong = sources.flatMap((source) =>
      [...importsOf(source)]
        .filter(({ target }) => {
          const folder = dirname(target);
          const allowed = MAY_IMPORT[source.folder] ?? [];
          return folder !== source.folder && folder !== "." && !allowed.includes(folder) && !allowed.includes(target);
        })
        .map(({ line }) => line),
    );
    expect(wrong).toEqual([]);
  });

  test("name every folder of src/ in the rule", () => {
    expect(Object.keys(MAY_IMPORT).sort()).toEqual([...new Set(sources.map((source) => source.folder))].sort());
  });

  test("have no cycle between files, types aside", () => {
    const valuesOf = (source: Source) => [...importsOf(source)].filter(({ isType }) => !isType).map(({ target }) => target);
    const graph = new Map(sources.map((source) => [source.path, valuesOf(source)]));
    const done = new Set<string>();
    const visit = (path: string, trail: readonly string[]): void => {
      if (trail.includes(path)) throw new Error(`cycle: ${[...trail, path].join(" -> ")}`);
      if (done.has(path)) return;
      for (const target of graph.get(path) ?? []) visit(target, [...trail, path]);
      done.add(path);
    };
    for (const path of graph.keys()) visit(path, []);
  });
});

/** The demo is a show for people: it starts processes, and no test replays it. */
const FENCES: readonly { readonly banned: RegExp; readonly instead: string; readonly allowedIn: readonly string[] }[] = [
  {
    banned:
      /\b(Date\.now|performance\.now|setTimeout|setInterval|setImmediate|Math\.random|randomBytes|AbortSignal\.timeout|new Date\(\))/,
    instead: "the Clock and Random ports",
    allowedIn: ["clock.ts", "cli/client.ts", "demo/"],
  },
  { banned: /\bprocess\.env\b/, instead: "the configuration", allowedIn: ["main.ts", "demo/"] },
  { banned: /\bconsole\./, instead: "the logger", allowedIn: [] },
  { banned: /\bTODO|FIXME|XXX\b/, instead: "an issue", allowedIn: [] },
];

describe.each(FENCES)("$banned", ({ banned, instead, allowedIn }) => {
  test(`is not used: take ${instead}`, () => {
    const wrong = sources.flatMap((source) =>
      withoutComments(source.text)
        .split("\n")
        .flatMap((line, index) =>
          banned.test(line) && !allowedIn.some((path) => source.path.startsWith(path)) ? [`${source.path}:${index + 1}`] : [],
        ),
    );
    expect(wrong).toEqual([]);
  });
});

test("files say one thing: none is longer than 300 lines", () => {
  const long = sources.filter((source) => source.text.split("\n").length > 300).map((source) => source.path);
  expect(long).toEqual([]);
});

test("every file says what it is for before it exports anything", () => {
  const silent = sources.filter((source) => !source.text.slice(0, source.text.search(/^export /m)).includes("/**"));
  expect(silent.map((source) => source.path)).toEqual([]);
});

/** The program, and the worlds that `npm run sim` runs. */
const ENTRIES = ["main.ts", "sim/generate.ts"];

test("src/ has no file that nothing reaches", () => {
  const reached = new Set(sources.flatMap((source) => [...importsOf(source)].map(({ target }) => target)));
  expect(sources.map((source) => source.path).filter((path) => !ENTRIES.includes(path) && !reached.has(path))).toEqual([]);
});

/** Line numbers stay. */
function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, (comment) => comment.replace(/[^\n]/g, "")).replace(/^\s*\/\/.*$/gm, "");
}

test("paths in this test are right", () => {
  expect(relative(SRC, join(SRC, "main.ts"))).toBe("main.ts");
  expect(sources.length).toBeGreaterThan(50);
});
