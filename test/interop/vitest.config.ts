import { defineConfig } from "vitest/config";

/** Separate from the other tests, because these need Go and minutes for its first build. Run by `npm run test:interop`. */
export default defineConfig({
  test: { include: ["test/interop/**/*.test.ts"], testTimeout: 120_000, hookTimeout: 600_000 },
});
