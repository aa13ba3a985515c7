/**
 * No code looks into a sentence. A message is for people, and its wording must be free to change; code acts on codes, columns, details and
 * the names of errors.
 */
import { describe, expect, test } from "vitest";
import { type SourceFile, sourceFiles, treeOf } from "../source-tree.ts";

interface Exception {
  readonly path: string;
  readonly code: string;
  readonly because: string;
}

/** One file for each library that says something in text alone: its first comment says so, and all of its looks are in it. */
const ADAPTERS: Readonly<Record<string, string>> = {
  "p2p/host/unexpected-peer.ts": "libp2p keeps nothing else of noise's error; a test asks the real libraries for the wording",
  "store/check/file/integrity-messages.ts": "SQLite reports what is wrong with its pages as text alone",
};

/** Looks that decide nothing. This list only shrinks. */
const EXCEPTIONS: readonly Exception[] = [
  ...["this.#lost.get(message)", "this.#delivered.has(message)", "this.#held.get(message.sequence) === message"].map((code) => ({
    path: "sim/broker/stream.ts",
    code,
    because: "its messages are those of a broker",
  })),
  {
    path: "cli/terminal/report.ts",
    code: 'messageOf(thrown).split("\\n")',
    because: "Node's load errors list their require stack below",
  },
  { path: "demo/play.ts", code: 'messageOf(thrown).split("\\n")', because: "the picture has room for one line" },
  { path: "demo/display/report.ts", code: 'text.split("\\n")', because: "each line is coloured by itself" },
];

const looksIn = (files: readonly SourceFile[]) =>
  files.flatMap(({ path, text, looks }) =>
    looks.map(({ code, start }) => ({ path, code, line: text.slice(0, start).split("\n").length })),
  );

const found = looksIn(sourceFiles);

const isExcepted = (look: { readonly path: string; readonly code: string }) =>
  look.path in ADAPTERS || EXCEPTIONS.some(({ path, code }) => path === look.path && code === look.code);

test("no code looks into a sentence: give it a code, a column, a detail or the name of an error", () => {
  expect(found.filter((look) => !isExcepted(look)).map(({ path, line, code }) => `${path}:${line}: ${code}`)).toEqual([]);
});

test("every exception is one still", () => {
  const unused = EXCEPTIONS.filter(({ path, code }) => !found.some((look) => look.path === path && look.code === code));
  expect(unused).toEqual([]);
});

test.each(Object.keys(ADAPTERS))("%s looks into text, and says first why", (path) => {
  expect(found.some((look) => look.path === path)).toBe(true);
  expect(sourceFiles.find((file) => file.path === path)?.text).toMatch(/^\/\*\*[^/]*\btext\b/);
});

describe("a look into a sentence is found", () => {
  test.each([
    'error.message.includes("denied");',
    'error?.message?.startsWith("is ");',
    'error["message"].endsWith("?");',
    'error.message!.split("\\n");',
    'this.#failing.message.replace("a", "b");',
    "(error as Error).message.match(/a/);",
    "error.message\n  // comment\n  .slice(1);",
    'error.message.toLowerCase().includes("a");',
    `\`\${error.message}\`.includes("a");`,
    '("no " + error.message).includes("a");',
    'String(error.message).includes("a");',
    '(error.message ?? "").indexOf("a");',
    '(isOld ? error.message : "").at(0);',
    'messageOf(error).includes("a");',
    "messageOf(error).trim().substring(1);",
    "/a/.test(error.message);",
    "/a/.exec(messageOf(error));",
    '/a/[Symbol.replace](error.message, "b");',
    "PATTERN.test(message ?? '');",
    "KNOWN.has(error.message);",
    "known.includes(why);",
    "NEXT_STEPS.get(summary);",
    'error.message === "denied";',
    "this.#failing?.message !== error.message;",
    '"denied" == problem;',
    "message === sentenceOf(anchor);",
    'switch (error.message) {\n  case "denied":\n}',
    "row.why.replace(place, '');",
    "sentence.charCodeAt(0);",
    'const { message } = error;\nmessage.includes("a");',
    'const { message: text } = error;\ntext.includes("a");',
    'const { message: text = "" } = error;\ntext.includes("a");',
    'const text = error.message;\ntext.includes("a");',
    'const use = () => other.includes("a");\nconst text = messageOf(error), other = text.trim();',
    'let text;\ntext = error.message;\ntext.includes("a");',
    'String(error).includes("a");',
    "/a/.test(String(thrown));",
    'error.toString().startsWith("a");',
    'String(this.#failure) === "a";',
    `\`\${error}\`.includes("a");`,
    "try {\n  f();\n} catch (problemOfMine) {\n  String(problemOfMine).match(/a/);\n}",
    'this.#message.includes("a");',
    'error.nextStep.includes("a");',
    'function isDenied(text: string) {\n  return text.includes("a");\n}\nisDenied(error.message);',
    "const isDenied = (text: string) => /a/.test(text);\nisDenied(String(error));",
    'lines(error.message.split("\\n").map((line) => line.startsWith("a")));',
    'const lines = (messages: string[]) => [...new Set(messages.flatMap((message) => message.split("\\n")))].filter((line) => line !== "ok");',
  ])("%s", (snippet) => {
    expect(looksIn(treeOf({ "a.ts": snippet }))).not.toEqual([]);
  });
});

test.each([
  "logger.error({ error: error.message });",
  `throw new PartnerdError(code, \`cannot connect: \${error.message}\`);`,
  'thrown.message !== "" ? thrown.message : String(thrown);',
  "if (message !== undefined && why != null) tell(message);",
  'typeof message === "string";',
  "error.messages.includes(code);",
  'message.subject.startsWith("$JS");',
  "message.length > 80;",
  "this.#received(message);",
  "console.log(message.padEnd(20), why.trim());",
  'codes.includes(error.code) || error.name === "AbortError";',
  "interface Problem {\n  readonly message: string;\n}",
  "String(value).includes(part);",
  'error instanceof Error && error.name === "TimeoutError";',
  'function count(text: string) {\n  return text.indexOf("a");\n}\nfunction show(text: string) {\n  return [text];\n}\nshow(error.message);',
  'codes.filter((code) => code !== "ok");',
])("nothing is in the way of %s", (snippet) => {
  expect(looksIn(treeOf({ "a.ts": snippet }))).toEqual([]);
});
