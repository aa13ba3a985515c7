/** Which test files can catch the mutants of a file: those that import it, directly or through others. */
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { filesOf } from "./tree.ts";

/** The simulator, as a test file. */
export const WORLDS = "test/mutate/runner/worlds.ts";

/** The tests of the mutated areas. */
const NEAR = /^test\/(reconciler|ingest|store|p2p|daemon|contract)\//;
/** Tests of the repository rather than of the program, tests that take minutes, and those that plant bugs into the text of sources. */
const UNFIT = /^test\/(architecture|bootstrap|campaigns|crash|docs|fresh|fuzz|interop|matrix|mutate|sim|support|upgrades)\//;
/** Tests that start daemons. */
const DAEMONS = /^test\/(integration|e2e)\//;

/** The test files that may catch something. `all`: also those of other parts, and those that start daemons, which takes hours. */
export function catchersOf(root: string, all: boolean): readonly string[] {
  const files = filesOf(root, "test").filter((path) => path.endsWith(".test.ts"));
  return [...files.filter((path) => NEAR.test(path) || (all && !UNFIT.test(path))), WORLDS];
}

/** Those of `tests` in the folders that mirror those of `mutated`: test/store/write and test/store for src/store/write/append.ts. */
export function nearTo(tests: readonly string[], mutated: Iterable<string>): readonly string[] {
  const folders = new Set([...mutated].map((path) => `${dirname(path).replace(/^src/, "test")}/`));
  return tests.filter((test) => [...folders].some((folder) => folder.startsWith(`${dirname(test)}/`)));
}

/** Those of `tests` that import one of `mutated`. Tests that start daemons import little of them, so all of those are related. */
export function relatedTo(root: string, tests: readonly string[], mutated: ReadonlySet<string>): readonly string[] {
  const imports = new Map<string, readonly string[]>();
  const importsOf = (path: string) => imports.get(path) ?? readImports(root, path);
  return tests.filter((test) => {
    const seen = new Set([test]);
    for (const path of seen) {
      if (mutated.has(path)) return true;
      const found = importsOf(path);
      imports.set(path, found);
      for (const target of found) seen.add(target);
    }
    return DAEMONS.test(test);
  });
}

/** Static and dynamic imports, and modules that are named in a URL or a path, such as those of worker threads. */
function readImports(root: string, path: string): readonly string[] {
  const text = readFileSync(join(root, path), "utf8");
  const named = [...text.matchAll(/["'](\.{1,2}\/[^"'\n]+\.ts)["']/g)].map(([, specifier = ""]) =>
    join(dirname(path), specifier),
  );
  return named.filter((target) => existsSync(join(root, target)));
}
