/** Each attack of a stranger is refused for its reason, while a partner's stream stays open. All invariants hold. */
import { expect, test } from "vitest";
import { parseFixture } from "../../src/fixture/format/parse.ts";
import { ATTACKS } from "../../src/fixture/format/schema.ts";
import { simulate } from "../../src/sim/simulate.ts";

/** The reasons in the log for an attack of 3 s. */
const REASONS: Readonly<Record<(typeof ATTACKS)[number], readonly string[]>> = {
  opens: ["too_many_streams", "heartbeat_missing"],
  garbage: ["heartbeat_malformed"],
  oversized: ["heartbeat_too_long"],
  slow: ["too_many_streams", "heartbeat_missing"],
  claims: ["peer_id_mismatch"],
  lies: ["challenge_failed"],
  mute: ["too_many_streams", "challenge_failed"],
  flaps: ["flapping"],
  talks: [],
};

test.each(ATTACKS)("%s", async (attacks) => {
  const lines = [
    { fixture: "oc-partnerd", version: 1, durationMs: 25_000 },
    { atMs: 0, publish: "paris" },
    { atMs: 2_000, peer: "stranger", attacks, forMs: 3_000 },
    { atMs: 2_500, publish: "lyon" },
    { atMs: 8_000, expect: "phase", peer: "paris", phase: "established" },
    { atMs: 8_000, expect: "phase", peer: "lyon", phase: "established" },
    { atMs: 8_000, expect: "StreamOpened", peer: "paris", direction: "outbound" },
    { atMs: 8_000, expect: "StreamOpened", peer: "lyon", direction: "outbound" },
  ];
  const { violations, trace } = await simulate(parseFixture(lines.map((line) => JSON.stringify(line)).join("\n"), "attack"));
  expect(violations).toEqual([]);
  const refused = trace.flatMap((line) => /InboundRefused (\w+)/.exec(line)?.[1] ?? []);
  expect([...new Set(refused)].sort()).toEqual([...REASONS[attacks]].sort());
});
