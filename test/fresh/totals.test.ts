import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { temporaryDirectory } from "../store/support/temporary-store.ts";
import { type Step, TESTS } from "./steps.ts";
import { merge, readReport, type TestResult, totalsOf } from "./totals.ts";

const result = (fullName: string, status: TestResult["status"], file = "test/a.test.ts"): TestResult => ({
  file,
  fullName,
  status,
  needsRoot: false,
});
const forRoot = (fullName: string, status: TestResult["status"]): TestResult => ({
  ...result(fullName, status),
  needsRoot: true,
});
const step = (name: string, problem: string | null = null): Step => ({ name, seconds: 1, problem });

test("a test that was skipped first counts by its second result, any other by its first", () => {
  const first = [
    result("a", "passed"),
    result("b", "skipped"),
    result("c", "skipped"),
    result("d", "skipped"),
    result("e", "failed"),
  ];
  const second = [
    result("a", "failed"),
    result("b", "passed"),
    result("c", "failed"),
    result("d", "passed", "test/other.test.ts"),
  ];
  expect(merge(first, second).map(({ status }) => status)).toEqual(["passed", "passed", "failed", "skipped", "failed"]);
});

test("a test for root that was never run counts as failed", () => {
  const first = ["passed here", "passed", "failed", "skipped", "not found"].map((name) =>
    forRoot(name, name === "passed here" ? "passed" : "skipped"),
  );
  const second = [forRoot("passed", "passed"), forRoot("failed", "failed"), forRoot("skipped", "skipped")];
  const merged = merge(first, second);
  expect(merged.map(({ status }) => status)).toEqual(["passed", "passed", "failed", "failed", "failed"]);
  expect(totalsOf([step(TESTS)], merged)).toEqual({ passed: 2, failed: 3, skipped: 0 });
});

test.each<[string, Step[], TestResult[], string]>([
  ["steps and tests", [step("demo"), step(TESTS)], [result("a", "passed"), result("b", "skipped")], "2 0 1"],
  ["a failed step", [step("demo", "exit code 1")], [], "0 1 0"],
  ["a failed test once", [step("demo"), step(TESTS, "exit code 1")], [result("a", "failed")], "1 1 0"],
  ["a run that fails without a failed test", [step(TESTS, "exit code 1")], [result("a", "passed")], "1 1 0"],
  ["a run without a report", [step(TESTS, "killed after 9 s")], [], "0 1 0"],
  ["a run that passes without any test", [step("demo"), step(TESTS)], [], "1 1 0"],
])("counts %s", (_, steps, results, expected) => {
  const { passed, failed, skipped } = totalsOf(steps, results);
  expect(`${passed} ${failed} ${skipped}`).toBe(expected);
});

test("reads vitest's report, with the files relative to where it ran", () => {
  using directory = temporaryDirectory();
  const path = join(directory.path, "report.json");
  const assertionResults = ["passed", "failed", "pending", "skipped", "todo"].map((status) => ({
    ancestorTitles: ["a suite"],
    title: `is ${status}`,
    status,
    meta: status === "skipped" ? { needsRoot: true } : {},
  }));
  writeFileSync(path, JSON.stringify({ testResults: [{ name: "/there/test/a.test.ts", assertionResults }] }));
  const statuses = ["passed", "failed", "skipped", "skipped", "skipped"] as const;
  expect(readReport(path, "/there")).toEqual(
    assertionResults.map(({ title, status }, index) => ({
      ...result(`a suite > ${title}`, statuses[index] ?? "failed"),
      needsRoot: status === "skipped",
    })),
  );
  expect(readReport(`${path}.missing`, "/there")).toEqual([]);
});
