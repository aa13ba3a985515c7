import { expect, test } from "vitest";
import { place } from "./place.ts";

test("every command in a place runs with CI=true, even if the place clears the environment", async () => {
  const bare = place("a place", "/", "/", (command) => ["env", "-i", "PATH=/usr/bin:/bin", ...command]);
  expect(await bare.output(["sh", "-c", "echo $CI"])).toBe("true");
  expect(await bare.run(["sh", "-c", 'test "$CI" = true'], 60_000)).toBe(0);
});
