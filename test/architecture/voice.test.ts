/** Plain English, citations of documents that exist, and comment lines that fit. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { describe, expect, test } from "vitest";
import { PHRASES } from "./phrases.ts";
import { findingsIn } from "./voice.ts";

const ROOT = join(import.meta.dirname, "../..");

/** Files and folders that are not rewritten yet. This list only shrinks: an entry without findings must leave it. */
const TO_DO: readonly string[] = [];

/** They quote what the rule forbids. */
const QUOTING = ["test/architecture/phrases.ts", "test/architecture/voice.test.ts"];
/** Data of tests, and results of programs. */
const DATA = /^(test\/fixtures|bench\/results)\/|\.(jsonl?|mod|sum|gz)$/;

const filesBelow = (folder: string): readonly string[] =>
  readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(ROOT, join(entry.parentPath, entry.name)));

const sources = ["src", "migrations", "test", "bench", "scripts", ".ci"]
  .flatMap(filesBelow)
  .filter((path) => !DATA.test(path) && !QUOTING.includes(path));
const pages = ["README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", ...filesBelow("docs")].filter(
  (path) => path.endsWith(".md") && existsSync(join(ROOT, path)),
);

const decisions = readdirSync(join(ROOT, "docs/adr"));

function isDocument(name: string): boolean {
  const adr = /adr\/(\d{4}[\w-]*)$/.exec(name)?.[1];
  if (adr !== undefined) return decisions.some((decision) => decision.startsWith(adr));
  return existsSync(join(ROOT, name)) || existsSync(join(ROOT, "docs", name));
}

const findings = [...sources, ...pages].flatMap((path) => findingsIn(path, readFileSync(join(ROOT, path), "utf8"), isDocument));

const isIn = (entry: string, path: string): boolean => (entry.endsWith("/") ? path.startsWith(entry) : path === entry);

test("every file is written plainly, except those still to do", () => {
  const open = findings.filter(({ path }) => !TO_DO.some((entry) => isIn(entry, path)));
  expect(open.map(({ path, line, found, instead }) => `${path}:${line}: "${found}"; instead: ${instead}`)).toEqual([]);
});

test("every entry of the list still has something to do", () => {
  expect(TO_DO.filter((entry) => !findings.some(({ path }) => isIn(entry, path)))).toEqual([]);
});

const found = (path: string, text: string, exists = false) => findingsIn(path, text, () => exists).map(({ found }) => found);

describe.each(PHRASES)("$banned", ({ snippets, instead }) => {
  test.each(snippets)(`is found in a comment: %s (instead: ${instead})`, (snippet) => {
    expect(found("a.ts", `/** ${snippet} */\nconst a = 1;`)).toHaveLength(1);
    expect(found("a.ts", `const a = 1;\n// ${snippet.replaceAll("\n", "\n// ")}\n`)).toHaveLength(1);
    expect(found("bootstrap", `# ${snippet}\n`)).toHaveLength(1);
    expect(found("a.sql", `select 1;\n-- ${snippet.replaceAll("\n", "\n-- ")}\nselect 2;`)).toHaveLength(1);
  });
});

describe.each(PHRASES.filter(({ onlyIn }) => onlyIn === undefined))("$banned", ({ snippets }) => {
  test.each(snippets)("is found in a string, a page and a script: %s", (snippet) => {
    expect(found("a.ts", `const a = \`${snippet}\`;`)).toHaveLength(1);
    expect(found("a.md", `${snippet}\n`)).toHaveLength(1);
    expect(found("bootstrap", `say "${snippet}"\n`)).toHaveLength(1);
    expect(found("a.sql", `select 'x -- ' || '${snippet.replaceAll("'", "''")}' as meanwhile; -- a comment\n`)).toHaveLength(1);
  });
});

test.each([
  "/** `whoever` is a name. */",
  "/** There is no partner, and the peer is no longer one. */",
  "/** The clock was set back. A row stands for an archive. */",
  "/** The standing of a peer; one stand-in. */",
  "/** Sets the time. Goes\n */\nconst on = 1;",
  "/** What now? */",
  'const relation = "NOBODY";',
  "const text = `$" + "{he} `;",
  'const plant = { find: "the peer changed meanwhile", replace: "" };',
])("nothing is found in %s", (text) => {
  expect(found("a.ts", text)).toEqual([]);
});

test("code in a page is not prose", () => {
  expect(found("a.md", "`made anew`, [it](whoever.md)\n```sh\nsay nobody, anew\n```\n")).toEqual([]);
});

describe("a citation", () => {
  const CITED = ["docs/GONE.md", "GONE.md", "adr/0099", "src/gone.ts", "DESIGN", "PITFALLS", "create-resource-sequence.puml"];

  test.each(CITED)("of a document that does not exist is found: %s", (name) => {
    expect(found("a.ts", `/** As ${name} says. */`)).toEqual([name]);
    expect(found("a.ts", `// See ${name}.`)).toEqual([name]);
    expect(found("a.ts", `/** As ${name} says. */`, true)).toEqual([]);
  });

  test.each(["README.md", "docs/WIRE.md", "WIRE.md", "adr/0007", "docs/adr/0007-own-nats-reconnect-loop.md", "src/main.ts"])(
    "of a document that exists is accepted: %s",
    (name) => expect(isDocument(name)).toBe(true),
  );

  test.each(["docs/GONE.md", "adr/0099", "DESIGN"])("is checked against this repository: %s", (name) => {
    expect(isDocument(name)).toBe(false);
  });
});

test("a comment line of src/ that is too long is found, with its line", () => {
  const long = `/** ${"a".repeat(130)} */`;
  const text = `const a = "${"a ".repeat(90)}";\n${long}\n${long.slice(0, 132)}*/\n`;
  expect(findingsIn("src/a.ts", text, () => true)).toEqual([
    { path: "src/a.ts", line: 2, found: "137 columns", instead: "at most 135 in a comment" },
  ]);
});

describe("a next step begins with a small letter and ends without a full stop, since it follows a colon or a semicolon", () => {
  const badSteps = (text: string) =>
    [...text.matchAll(/\bnextStep:\s[^;{}]*?(["'`])((?:\\.|(?!\1).)*)\1/gs)]
      .map(([, , step = ""]) => step)
      .filter((step) => /^[A-Z][a-z]|\.$/.test(step));

  test("in src/", () => {
    expect(
      sources.filter((path) => path.startsWith("src/")).flatMap((path) => badSteps(readFileSync(join(ROOT, path), "utf8"))),
    ).toEqual([]);
  });

  test.each(['nextStep: "Check it"', "nextStep:\n      'Check it'", "nextStep: `check it.`", 'nextStep: a ?? "Check it"'])(
    "%j does not",
    (text) => {
      expect(badSteps(text)).toHaveLength(1);
    },
  );
});
