import { defineConfig } from "vitest/config";

/** Apart from the other tests: these need Go, and minutes for its first build. `npm run test:interop` runs them. */
export default defineConfig({
  test: { include: ["test/interop/**/*.test.ts"], testTimeout: 120_000, hookTimeout: 600_000 },
});
