/** What src/ does not call, and what each of its files must have. */
import { describe, expect, test } from "vitest";
import { sourceFiles, withoutComments } from "./source-tree.ts";

/** The demo is a show for people: it starts processes, and no test replays it. */
const FENCES: readonly { readonly banned: RegExp; readonly instead: string; readonly allowedIn: readonly string[] }[] = [
  {
    banned:
      /\b(Date\.now|performance\.now|setTimeout|setInterval|setImmediate|Math\.random|randomBytes|AbortSignal\.timeout|new Date\(\))/,
    instead: "the Clock and Random ports",
    allowedIn: ["base/clock.ts", "http/client.ts", "demo/"],
  },
  { banned: /\bprocess\.env\b/, instead: "the configuration", allowedIn: ["main.ts", "demo/"] },
  { banned: /\bconsole\./, instead: "the logger", allowedIn: [] },
  { banned: /\bTODO|FIXME|XXX\b/, instead: "an issue", allowedIn: [] },
];

describe.each(FENCES)("$banned", ({ banned, instead, allowedIn }) => {
  test(`is not used: take ${instead}`, () => {
    const wrong = sourceFiles.flatMap((source) =>
      withoutComments(source.text)
        .split("\n")
        .flatMap((line, index) =>
          banned.test(line) && !allowedIn.some((path) => source.path.startsWith(path)) ? [`${source.path}:${index + 1}`] : [],
        ),
    );
    expect(wrong).toEqual([]);
  });
});

/** Packages that may be replaced one day: each is named by one file. */
const ADAPTERS: Readonly<Record<string, string>> = {
  nats: "nats/client.ts",
  "@chainsafe/libp2p-noise": "p2p/host/node.ts",
  "@chainsafe/libp2p-yamux": "p2p/host/node.ts",
};

test.each(Object.entries(ADAPTERS))("the package %s is imported by %s alone", (name, adapter) => {
  const importing = sourceFiles.filter(({ text }) => text.includes(`from "${name}"`) || text.includes(`import("${name}")`));
  expect(importing.map(({ path }) => path)).toEqual([adapter]);
});

test("every file says what it is for before it exports anything", () => {
  const silent = sourceFiles.filter((source) => !source.text.slice(0, source.text.search(/^export /m)).includes("/**"));
  expect(silent.map((source) => source.path)).toEqual([]);
});

const ENTRIES = ["main.ts"];

test("src/ has no file that nothing reaches", () => {
  const reached = new Set(sourceFiles.flatMap((source) => source.imports));
  expect(sourceFiles.map((source) => source.path).filter((path) => !ENTRIES.includes(path) && !reached.has(path))).toEqual([]);
});
