/** A short form of `npm run test:interop`: a few of its scenarios with the newest go-libp2p, where Go is installed. */
import { execFile, spawnSync } from "node:child_process";
import { createRequire } from "node:module";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { cleanEnv } from "../support/daemon-process.ts";

const REPOSITORY = join(import.meta.dirname, "../..");
const PARTNER = join(REPOSITORY, "test/interop/go-partner");
const VITEST = join(createRequire(import.meta.url).resolve("vitest/package.json"), "../vitest.mjs");
const LOOKUP_TIMEOUT_MS = 60_000;
/** Parts of their names. */
const SCENARIOS = [
  "has an identity of type",
  "IPv6 ·",
  "is revoked",
  "is blacklisted",
  "is killed and starts again",
  "does not serve the probe protocol ·",
  "has the same pre-shared key",
  "loses 10 % of the packets",
  "record changes",
];
/** The scenarios match more; fewer mean that a name has changed. */
const LEAST_TESTS = 15;

/** False without Go, or if this machine neither has its packages nor can download them. */
function canBuild(): boolean {
  const options = { cwd: PARTNER, stdio: "ignore", timeout: LOOKUP_TIMEOUT_MS } as const;
  return spawnSync("go", ["list", "-modfile=go.mod", "-deps", "."], options).status === 0;
}

function interop(...args: readonly string[]): Promise<{ readonly failure: Error | null; readonly output: string }> {
  const command = [VITEST, "run", "--config", "test/interop/vitest.config.ts", "--root", ".", ...args];
  // NO_COLOR, because the totals are parsed.
  const env = { ...cleanEnv(), INTEROP_VERSIONS: "newest", NO_COLOR: "1" };
  return new Promise((resolve) => {
    execFile(process.execPath, command, { cwd: REPOSITORY, env, maxBuffer: 1e8 }, (failure, stdout, stderr) =>
      resolve({ failure, output: `${stdout}\n${stderr}` }),
    );
  });
}

describe.skipIf(!canBuild())("the short form of npm run test:interop", () => {
  it("passes with the newest go-libp2p", async () => {
    const { failure, output } = await interop("-t", SCENARIOS.join("|"));
    expect(failure, output).toBeNull();
    expect(Number(/Tests +(\d+) passed/.exec(output)?.[1])).toBeGreaterThanOrEqual(LEAST_TESTS);
  });
});
