/** Vitest for the tree of mutants: our runner, test files in the given order, and nothing shared between them. */
import { join } from "node:path";
import { defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";
import { FILES_VARIABLE, LANES_VARIABLE } from "./messages.ts";

const ROOT = join(import.meta.dirname, "../../..");
process.env["NODE_COMPILE_CACHE"] = join(ROOT, "node_modules/.cache/node-compile-cache");

/** Test files, most useful first. */
const files = JSON.parse(process.env[FILES_VARIABLE] ?? "[]") as readonly string[];
const HOOKS_MS = 30_000;

class InOrder extends BaseSequencer {
  override async sort(specifications: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification) => files.findIndex((file) => moduleId.endsWith(`/${file}`));
    return specifications.toSorted((one, other) => rank(one) - rank(other));
  }
}

export default defineConfig({
  test: {
    root: ROOT,
    include: [...files],
    runner: join(import.meta.dirname, "runner.ts"),
    reporters: [{}],
    pool: "forks",
    isolate: true,
    maxWorkers: Number(process.env[LANES_VARIABLE] ?? 2),
    // The runner has limits of its own, which depend on how long a test takes without a mutant.
    testTimeout: 600_000,
    hookTimeout: HOOKS_MS,
    teardownTimeout: 1_000,
    sequence: { sequencer: InOrder },
  },
});
