/** Counts tests from vitest's JSON report, and reruns outside those that were skipped inside. */
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, rmSync } from "node:fs";
import { join, relative } from "node:path";
import { z } from "zod";
import { type Step, TESTS } from "./steps.ts";

const REPOSITORY = join(import.meta.dirname, "../..");

const Assertion = z.object({
  ancestorTitles: z.array(z.string()),
  title: z.string(),
  status: z.string(),
  meta: z.object({ needsRoot: z.boolean().default(false) }),
});
const Report = z.object({ testResults: z.array(z.object({ name: z.string(), assertionResults: z.array(Assertion) })) });

export interface Totals {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

export interface TestResult {
  /** Relative to the repository. */
  readonly file: string;
  /** As vitest matches names: the titles of its suites and its own, joined by " > ". */
  readonly fullName: string;
  readonly status: "passed" | "failed" | "skipped";
  readonly needsRoot: boolean;
}

/** Reads a report of a run in repository `root`; empty if the runner failed before writing it. */
export function readReport(path: string, root: string): readonly TestResult[] {
  if (!existsSync(path)) return [];
  return Report.parse(JSON.parse(readFileSync(path, "utf8"))).testResults.flatMap(({ name, assertionResults }) =>
    assertionResults.map(({ ancestorTitles, title, status, meta }) => ({
      file: relative(root, name),
      fullName: [...ancestorTitles, title].join(" > "),
      status: status === "passed" || status === "failed" ? status : "skipped",
      needsRoot: meta.needsRoot,
    })),
  );
}

/**
 * Merges `first`, a run by an ordinary user, with `second`, in which root reran the skipped tests. A test that was skipped first counts by
 * its second result. A test for root that was skipped both times counts as failed.
 */
export function merge(first: readonly TestResult[], second: readonly TestResult[]): readonly TestResult[] {
  const key = ({ file, fullName }: TestResult) => `${file}\n${fullName}`;
  const later = new Map(second.map((result) => [key(result), result]));
  return first.map((result) => {
    if (result.status !== "skipped") return result;
    const last = later.get(key(result)) ?? result;
    return last.status === "skipped" && result.needsRoot ? { ...last, status: "failed" } : last;
  });
}

/**
 * Counts each step and each test once. `npm test` is counted by its tests, unless it failed without a failed test (a file that does not
 * load, an unhandled error) or passed without running any.
 */
export function totalsOf(steps: readonly Step[], results: readonly TestResult[]): Totals {
  const count = (status: TestResult["status"]) => results.filter((result) => result.status === status).length;
  const failedTests = count("failed");
  const isCounted = ({ name, problem }: Step) =>
    name !== TESTS || (problem !== null && failedTests === 0) || (problem === null && results.length === 0);
  const counted = steps.filter(isCounted);
  const broken = counted.filter(({ name, problem }) => problem !== null || name === TESTS).length;
  return { passed: counted.length - broken + count("passed"), failed: broken + failedTests, skipped: count("skipped") };
}

interface Rerun {
  readonly results: readonly TestResult[];
  /** Why the run failed; null if it passed. */
  readonly problem: string | null;
}

/** Runs in this repository exactly those tests of `results` that were skipped. */
export function runSkipped(results: readonly TestResult[], report: string): Rerun {
  const skipped = results.filter(({ status }) => status === "skipped");
  const literally = (name: string) => name.replaceAll(/[^\p{L}\p{N} ]/gu, ".");
  process.stdout.write(`\n== this machine: the ${skipped.length} tests that were skipped there\n`);
  const { status } = spawnSync(
    "npm",
    [
      "test",
      "--",
      "--reporter=default",
      "--reporter=json",
      `--outputFile.json=${report}`,
      "--testNamePattern",
      `^(${skipped.map(({ fullName }) => literally(fullName)).join("|")})$`,
      ...new Set(skipped.map(({ file }) => file)),
    ],
    { cwd: REPOSITORY, stdio: ["ignore", "inherit", "inherit"] },
  );
  try {
    return { results: readReport(report, REPOSITORY), problem: status === 0 ? null : `exit code ${status}` };
  } finally {
    rmSync(report, { force: true });
  }
}
