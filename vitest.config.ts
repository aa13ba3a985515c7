import { join } from "node:path";
import { defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";
import { repetitions } from "./test/support/campaign.ts";
import { startRun } from "./test/support/pace/timeouts.ts";

const wallTimeoutMs = startRun();

/** The tests start the program hundreds of times; compiling it once is enough. */
process.env["NODE_COMPILE_CACHE"] = join(import.meta.dirname, "node_modules/.cache/node-compile-cache");

/** Files that mostly wait come first, so that those that compute fill the time in between. */
const ORDER = ["e2e", "integration", "contract", "unit"];

class WaitingFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ project }: TestSpecification) => ORDER.indexOf(project.name);
    return (await super.sort(files)).toSorted((one, other) => rank(one) - rank(other));
  }
}

/**
 * Deadlines are in the tests (test/support/pace/); the time-outs here end what hangs, late enough for a machine that became busy after the
 * start. Unit and contract tests own no port that another could want; those of integration and e2e take free ones.
 */
const QUICK = wallTimeoutMs(repetitions(120_000, 3_600_000));
const PROCESSES = wallTimeoutMs(repetitions(300_000, 3_600_000));

/** It replaces a module of Node, which has no effect on modules that another test file of the same process has loaded before. */
const MOCKING = ["test/identity/rotation.test.ts"];

export default defineConfig({
  test: {
    reporters: ["default"],
    // More than there are cores: most of the time most tests wait.
    maxWorkers: 4,
    sequence: { sequencer: WaitingFirst },
    projects: [
      {
        test: {
          name: "unit",
          include: ["test/**/*.test.ts"],
          exclude: ["test/{contract,integration,e2e,interop}/**", ...MOCKING],
          testTimeout: QUICK,
          hookTimeout: QUICK,
          isolate: false,
        },
      },
      { test: { name: "unit-isolated", include: MOCKING, testTimeout: QUICK, hookTimeout: QUICK } },
      {
        test: {
          name: "contract",
          include: ["test/contract/**/*.test.ts"],
          testTimeout: QUICK,
          hookTimeout: QUICK,
          isolate: false,
        },
      },
      {
        test: {
          name: "integration",
          include: ["test/integration/**/*.test.ts"],
          testTimeout: PROCESSES,
          hookTimeout: PROCESSES,
          isolate: false,
        },
      },
      {
        test: { name: "e2e", include: ["test/e2e/**/*.test.ts"], testTimeout: PROCESSES, hookTimeout: PROCESSES, isolate: false },
      },
    ],
  },
});
