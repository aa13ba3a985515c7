/** The command: a few mutants of files without input and output, whose tests are quick. `npm run mutate` runs all. */
import { execFile, execFileSync, spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { temporaryDirectory } from "../store/support/temporary-store.ts";
import { nearTo } from "./catchers.ts";
import { choose } from "./choose.ts";
import { parseCommandLine } from "./command-line.ts";
import { EXPLAINED } from "./explained.ts";
import { staleOf } from "./measure/score.ts";
import { findMutants, type Mutant } from "./mutants.ts";
import { withTables } from "./report.ts";
import { sourcesOf } from "./tree.ts";

const ROOT = join(import.meta.dirname, "../..");
const MAIN = join(import.meta.dirname, "main.ts");
/** Minimal systems lack it. */
const NO_GIT = spawnSync("git", ["--version"]).status !== 0;
const sources = sourcesOf(ROOT);
const mutants = findMutants(sources, sources).flatMap(({ placed }) => placed.map(({ mutant }) => mutant));

test("mutants of quick files are caught, and the copy of the sources is removed", async () => {
  using own = temporaryDirectory();
  const results = join(own.path, "results.json");
  const flags =
    "--only src/reconciler/backoff.ts --only src/reconciler/decide.ts --tests test/reconciler/backoff.test.ts --tests test/reconciler/decide.test.ts --sample 12 --seed 4 --lanes 1";
  const { stdout } = await promisify(execFile)(process.execPath, [MAIN, ...flags.split(" "), "--results", results], {
    env: { ...process.env, TMPDIR: own.path },
  }).catch((thrown: unknown) => thrown as { readonly stdout: string });
  expect(stdout).toContain("12 of 12 chosen mutants have an outcome");
  const kept = JSON.parse(readFileSync(results, "utf8")) as readonly { readonly outcome: { readonly kind: string } }[];
  const caught = kept.filter(({ outcome }) => outcome.kind === "caught").length;
  expect(caught).toBeGreaterThanOrEqual(9);
  expect(stdout).toMatch(/^src\/reconciler +12 +\d+ /m);
  expect(readdirSync(own.path)).toEqual(["results.json"]);
});

test.skipIf(NO_GIT)("a change of nothing that can be mutated is said, and passes; a wrong path fails", async () => {
  const run = (...flags: readonly string[]) =>
    promisify(execFile)(process.execPath, [MAIN, "--only", "src/none.ts", ...flags]).catch((thrown: unknown) => thrown as object);
  expect(await run("--changed", "HEAD", "--least-score", "65")).toMatchObject({
    stdout: "no line of src/ that can be mutated has changed since HEAD\n",
  });
  expect(await run()).toMatchObject({ code: 1, stdout: "no line that can be mutated is in src/none.ts\n" });
});

test.skipIf(NO_GIT)("CI compares with the twentieth commit along first parents, or the oldest in a shallow clone", () => {
  using own = temporaryDirectory();
  const [line = ""] = /^base=.*$/m.exec(readFileSync(join(ROOT, ".ci/run"), "utf8")) ?? [];
  const sh = (script: string) => execFileSync("bash", ["-c", script], { cwd: own.path, encoding: "utf8" }).trim();
  const git = "git -c user.name=x -c user.email=x -c commit.gpgSign=false";
  sh(`git init -q -b main whole && cd whole
    commits() { for at in $(seq "$1" "$2"); do ${git} commit -q --allow-empty -m "$3 $at"; done; }
    commits 1 10 main; git checkout -q -b side; commits 1 15 side; git checkout -q main; commits 11 25 main
    ${git} merge -q --no-ff -m merge side && git clone -q --depth 3 "file://$PWD" ../shallow`);
  const subject = (clone: string) => sh(`cd ${clone} && ${line} && git log -1 --format=%s "$base"`);
  expect(subject("whole")).toBe("main 6");
  expect(subject("shallow")).toBe("main 24");
});

test("each explanation still fits a mutant", () => {
  expect(staleOf(mutants, EXPLAINED)).toEqual([]);
});

test("tests near a file are in the folder that mirrors its folder, and in those above", () => {
  const tests = ["test/store/write/a.test.ts", "test/store/sql/b.test.ts", "test/store/c.test.ts", "test/ingest/d.test.ts"];
  expect(nearTo(tests, ["src/store/write/append.ts"])).toEqual(["test/store/write/a.test.ts", "test/store/c.test.ts"]);
  expect(nearTo(tests, ["src/ingest/stream/x.ts"])).toEqual(["test/ingest/d.test.ts"]);
});

describe("the choice of mutants", () => {
  const mutant = (id: number, path: string, line: number): Mutant => ({
    id,
    path,
    operator: "boundary",
    line,
    lineText: "a < b",
    change: "< becomes <=",
  });
  const all = Array.from({ length: 100 }, (_, id) => mutant(id, id < 50 ? "src/store/a.ts" : "src/p2p/b.ts", id));
  const choice = { only: [], changed: undefined, sample: undefined, seed: 1 };
  const idsOf = (chosen: readonly Mutant[]) => chosen.map(({ id }) => id);

  test("is all of them, or those of a folder, a file or changed lines", () => {
    expect(choose(all, choice)).toEqual(all);
    expect(choose(all, { ...choice, only: ["src/p2p"] })).toHaveLength(50);
    expect(choose(all, { ...choice, only: ["src/store/a.ts", "src/p2p/b"] })).toHaveLength(50);
    expect(
      idsOf(
        choose(all, {
          ...choice,
          changed: new Map([
            [
              "src/store/a.ts",
              [
                [3, 4],
                [9, 9],
              ],
            ],
          ]),
        }),
      ),
    ).toEqual([3, 4, 9]);
  });

  test("is the same sample for the same seed, and another one for another", () => {
    const sample = (seed: number) => idsOf(choose(all, { ...choice, sample: 10, seed }));
    expect(sample(1)).toEqual(sample(1));
    expect(new Set(sample(1)).size).toBe(10);
    expect(sample(1)).not.toEqual(sample(2));
  });
});

describe("the command line", () => {
  /** commander prints its errors. */
  beforeEach(() => void vi.spyOn(process.stderr, "write").mockReturnValue(true));
  afterEach(() => void vi.restoreAllMocks());

  test("runs everything by default, without a limit", () => {
    expect(parseCommandLine([])).toMatchObject({
      only: [],
      tests: [],
      allTests: false,
      minutes: Number.POSITIVE_INFINITY,
      write: false,
    });
  });

  test("accepts every option", () => {
    const flags =
      "--only src/p2p/ --only src/store --changed HEAD~1 --sample 3 --seed 7 --minutes 0.5 --lanes 3 --most-seconds 20 --tests test/p2p --all-tests --near --results r.json --least-score 90 --list --write --keep";
    expect(parseCommandLine(flags.split(" "))).toEqual({
      only: ["src/p2p", "src/store"],
      changed: "HEAD~1",
      sample: 3,
      seed: 7,
      minutes: 0.5,
      lanes: 3,
      mostSeconds: 20,
      tests: ["test/p2p"],
      allTests: true,
      near: true,
      results: "r.json",
      leastScore: 90,
      list: true,
      write: true,
      keep: true,
    });
  });

  test.each([["--sample", "0"], ["--minutes", "soon"], ["--lanes", "0"], ["--nonsense"], ["nonsense"]])(
    "refuses %s %s",
    (...argv) => {
      expect(() => parseCommandLine(argv)).toThrow(expect.objectContaining({ name: "CommanderError" }) as Error);
    },
  );
});

test("the page keeps its own text, and gets the tables after its marker", () => {
  const page = readFileSync(join(ROOT, "docs/MUTATIONS.md"), "utf8");
  const written = withTables(page, { all: mutants, outcomes: new Map([[0, { kind: "survived" }]]) }, "One has been run.");
  expect(written?.slice(0, page.indexOf("## By area"))).toContain("# Mutation testing");
  expect(written).toContain("One has been run.");
  expect(withTables("another page", { all: mutants, outcomes: new Map() }, "")).toBeUndefined();
});
