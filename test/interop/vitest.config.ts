import { defineConfig } from "vitest/config";

/** Separate from the other tests, because these need Go and minutes for its first build. Run by `npm run test:interop`. */
export default defineConfig({
  test: {
    include: ["test/interop/**/*.test.ts"],
    globalSetup: ["test/interop/support/build.ts"],
    reporters: ["default", "./test/interop/support/table-reporter.ts"],
    maxWorkers: 2,
    maxConcurrency: 8,
    testTimeout: 180_000,
    hookTimeout: 120_000,
  },
});
