import { defineConfig } from "vitest/config";
import { STALL_MINUTES } from "./support/stall-minutes.ts";

/** Separate from the other tests, because these need Go and minutes for its first build. Run by `npm run test:interop`. */
export default defineConfig({
  test: {
    include: ["test/interop/**/*.test.ts"],
    globalSetup: ["test/interop/support/build.ts"],
    reporters: ["default", "./test/interop/support/table-reporter.ts"],
    maxWorkers: 2,
    // They mostly wait.
    maxConcurrency: 16,
    testTimeout: 180_000 + STALL_MINUTES * 60_000,
    hookTimeout: 120_000,
  },
});
