/** Platform features and texts that src/ does not use, and packages that only one file may import. */
import { describe, expect, test } from "vitest";
import { type SourceFile, sourceFiles, treeOf } from "./source-tree.ts";

interface Fence {
  /** Of names of the platform, as `Use` has them. */
  readonly banned: RegExp;
  readonly instead: string;
  /** This list only shrinks. The demo is a show for people: it starts processes, and no test replays it. */
  readonly allowedIn: readonly string[];
  /** Code that it must find. */
  readonly snippets: readonly string[];
}

const FENCES: readonly Fence[] = [
  {
    banned:
      /^(Date\.(now|call|apply|bind)|Date\(\)|new Date\(\)|Date as a value|Intl\.DateTimeFormat|Temporal\.Now|performance\.(now|timeOrigin|mark|measure)|process\.(hrtime|uptime)|set(Timeout|Interval|Immediate)|timers(\/promises)?|scheduler|AbortSignal\.timeout|Math\.random|crypto\.(random\w+|getRandomValues))$/,
    instead: "the Clock and Random ports",
    allowedIn: ["base/clock.ts", "http/client.ts", "demo/"],
    snippets: [
      "Date.now();",
      "const { now } = Date;",
      "new Date();",
      "new Date;",
      "Date();",
      "const D = Date; new D();",
      "new globalThis.Date();",
      "new Date(...[]);",
      "Date.call(undefined);",
      "class Now extends Date {}",
      "const Now = class extends Date {};",
      "Reflect.construct(Date, []);",
      "const parts = { Date };",
      "new Intl.DateTimeFormat().format();",
      "Intl.DateTimeFormat().format();",
      "const { DateTimeFormat } = Intl; new DateTimeFormat().format();",
      "Temporal.Now.instant();",
      "performance.now();",
      "performance\n  // comment\n  .now();",
      'performance["now"]();',
      'import { performance as p } from "node:perf_hooks"; p.now();',
      "process.hrtime();",
      "process.hrtime.bigint();",
      'import { hrtime } from "node:process";',
      "process.uptime();",
      "setTimeout(task, 1);",
      "globalThis.setTimeout(task, 1);",
      "const later = { setTimeout };",
      'import { setTimeout as sleep } from "node:timers/promises";',
      'import timers from "timers"; timers.setInterval(task, 1);',
      'import * as timers from "node:timers/promises"; run(timers);',
      'import { scheduler } from "node:timers/promises"; run(scheduler);',
      'export * from "node:timers/promises";',
      'run(import("node:timers/promises"));',
      'const { setImmediate: soon } = await import("node:timers");',
      "AbortSignal.timeout(1);",
      "Math.random();",
      "Math?.random();",
      "crypto.randomUUID();",
      "crypto.getRandomValues(bytes);",
      'import { randomUUID as id } from "node:crypto";',
      'import { randomBytes } from "crypto";',
      'import * as c from "node:crypto"; c.randomInt(2);',
      'import c from "node:crypto"; c.webcrypto.getRandomValues(bytes);',
      'export { randomUUID } from "node:crypto";',
    ],
  },
  {
    banned: /^process\.env$/,
    instead: "the configuration",
    allowedIn: ["main.ts", "cli/terminal/command-line.ts", "demo/"],
    snippets: [
      "process.env.HOME;",
      'process["env"];',
      "process\n  .env;",
      "const { env } = process;",
      "const { env: { HOME } } = process;",
      "const p = process; p.env;",
      "const { pid, ...p } = process; p.env;",
      "globalThis.process.env;",
      "const p = globalThis?.process; p.env;",
      "(process as Env).env;",
      'import { env } from "node:process";',
      'import process from "node:process"; process.env;',
      'import * as p from "process"; p.env;',
      'const { env } = await import("node:process");',
      '(await import("node:process")).default.env;',
      'export { env } from "node:process";',
    ],
  },
  {
    banned: /^console\b/,
    instead: "the logger",
    // Takes over what libraries print.
    allowedIn: ["cli/service/service-log.ts"],
    snippets: ["console.log();", 'console["log"]();', "const { log } = console;", "globalThis.console.log();", "run(console);"],
  },
  {
    banned:
      /^(require|createRequire|module\..*|import\.meta\.resolve|process\.(getBuiltinModule|binding|dlopen)|eval|Function|vm\..*|((process|crypto|console)\.)?then)$/,
    instead: "import, which the other rules follow",
    allowedIn: [],
    snippets: [
      'require("node:process");',
      'import { createRequire } from "node:module";',
      'import module from "node:module"; module.createRequire(import.meta.url);',
      'import.meta.resolve("nats");',
      'process.getBuiltinModule("node:process");',
      'eval("1");',
      'new Function("return 1")();',
      'import("node:process").then(({ env }) => env);',
      'import("node:timers/promises").then((timers) => timers.setTimeout(1));',
    ],
  },
];

const allUses = (files: readonly SourceFile[], { banned }: Fence) =>
  files.flatMap(({ path, text, uses }) =>
    uses
      .filter(({ name }) => banned.test(name))
      .map(({ name, start }) => ({ path, name, line: text.slice(0, start).split("\n").length })),
  );

describe.each(FENCES)("$banned", (fence) => {
  const { instead, allowedIn, snippets } = fence;
  const found = allUses(sourceFiles, fence);

  test(`is not used: take ${instead}`, () => {
    const wrong = found.filter(({ path }) => !allowedIn.some((prefix) => path.startsWith(prefix)));
    expect(wrong.map(({ path, line, name }) => `${path}:${line}: ${name}`)).toEqual([]);
  });

  test("is used where it is allowed", () => {
    expect(allowedIn.filter((prefix) => !found.some(({ path }) => path.startsWith(prefix)))).toEqual([]);
  });

  test.each(snippets)("is found in %s", (snippet) => {
    expect(allUses(treeOf({ "a.ts": snippet }), fence)).not.toEqual([]);
  });
});

test.each([
  "// Date.now()",
  'const text = "console.log()";',
  "new Date(0);",
  "at instanceof Date;",
  "const at: Date = run();",
  "Date.parse(text);",
  "socket.setTimeout(1);",
  "const { env } = config;",
  "interface Port {\n  setTimeout(): void;\n}",
  'import type { setTimeout } from "node:timers";',
  'import { createHash } from "node:crypto";',
])("no fence is in the way of %s", (snippet) => {
  expect(FENCES.flatMap((fence) => allUses(treeOf({ "a.ts": snippet }), fence))).toEqual([]);
});

/** Text that no file has anywhere. */
const TEXTS: readonly { readonly banned: RegExp; readonly instead: string; readonly snippets: readonly string[] }[] = [
  {
    banned: /\b(TODO|FIXME|XXX)\b/,
    instead: "file an issue",
    snippets: ["// TODO: later", "/* XXX */", "const a = 1; // FIXME"],
  },
  {
    banned: /(ox|es)lint-(disable|enable)|biome-ignore|@ts-|(v8|c8|istanbul) ignore/,
    instead: "do what the tool says",
    snippets: [
      "// oxlint-disable-next-line no-console",
      "/* eslint-disable max-lines-per-function */",
      "// biome-ignore lint/suspicious/noConsole: it is a show",
      "// biome-ignore-all lint: generated",
      "// @ts-nocheck",
      "// @ts-ignore",
      "// @ts-expect-error",
    ],
  },
  {
    banned: /^\s*\/\/\/\s*</m,
    instead: "import it",
    snippets: ['/// <reference path="../store/store.ts" />', '///<reference types="nats" />'],
  },
];

const texts = (files: readonly SourceFile[], banned: RegExp): readonly string[] =>
  files.filter(({ text }) => banned.test(text)).map(({ path }) => path);

describe.each(TEXTS)("$banned", ({ banned, instead, snippets }) => {
  test(`is in no file: ${instead}`, () => {
    expect(texts(sourceFiles, banned)).toEqual([]);
  });

  test.each(snippets)("is found in %s", (snippet) => {
    expect(texts(treeOf({ "a.ts": `${snippet}\n` }), banned)).toEqual(["a.ts"]);
  });
});

/** Packages that may be replaced one day: each is named by one file. */
const ADAPTERS: Readonly<Record<string, string>> = {
  nats: "nats/connection/client.ts",
  "@chainsafe/libp2p-noise": "p2p/host/node.ts",
  "@chainsafe/libp2p-yamux": "p2p/muxer/bounded-yamux.ts",
};

const importersOf = (files: readonly SourceFile[], name: string): readonly string[] =>
  files
    .filter(({ packages }) => packages.some((specifier) => specifier === name || specifier.startsWith(`${name}/`)))
    .map(({ path }) => path);

test.each(Object.entries(ADAPTERS))("the package %s is imported by %s alone", (name, adapter) => {
  expect(importersOf(sourceFiles, name)).toEqual([adapter]);
});

test.each([
  'import { connect } from "nats";',
  "import type { Msg } from 'nats';",
  'import "nats/lib/src/mod.js";',
  'export * from "nats/lib/nats-base-client/core.js";',
  "const { connect } = await import(/* now */ `nats`);",
  'type Msg = import("nats").Msg;',
  'declare module "nats" {}',
  'export {} from "nats";',
  'import nats = require("nats");',
])("an import of nats is found in %s", (snippet) => {
  expect(importersOf(treeOf({ "a.ts": snippet, "b.ts": 'const nats = "nats"; import "natsort";' }), "nats")).toEqual(["a.ts"]);
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
