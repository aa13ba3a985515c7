import { describe, expect, it } from "vitest";
import { SLOWNESS_VARIABLE } from "./pace.ts";
import { startRun } from "./timeouts.ts";

/** Starts a run on such a machine; returns its scaled one-second timeout and its output. */
function started(slowness: number, share: number, env: NodeJS.ProcessEnv = { VITEST: "true" }) {
  let printed = "";
  const print = (text: string) => {
    printed += text;
  };
  const scale = startRun({ env, measure: () => ({ slowness, share }), print });
  return { secondMs: scale(1_000), printed, slowness: env[SLOWNESS_VARIABLE] };
}

describe("a timeout of the test runner", () => {
  it("is unscaled on an ordinary idle machine, and prints nothing", () => {
    expect(started(1, 1)).toEqual({ secondMs: 1_000, printed: "", slowness: "1" });
  });

  it("is scaled on a slow and busy machine, with a message", () => {
    const { secondMs, printed, slowness } = started(2, 0.25);
    expect([secondMs, slowness]).toEqual([8_000, "2"]);
    expect(printed).toMatch(
      /^tests: deadlines are 8\.0 times as long as usual; .* 2\.0 times slower .* 25 % of a core right now\n$/,
    );
  });

  it("has a maximum", () => {
    expect(started(12, 1 / 30).secondMs).toBe(20_000);
  });

  it("is unscaled if another program reads the configuration", () => {
    expect(started(12, 1 / 30, {})).toEqual({ secondMs: 1_000, printed: "", slowness: undefined });
  });
});
