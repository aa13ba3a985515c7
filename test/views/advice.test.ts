import { expect, it } from "vitest";
import { NOTHING_LEARNED } from "../../src/events/learned/learned-facts.ts";
import { adviceOn } from "../../src/views/advice.ts";

const OWN = { heartbeatFields: "both", heartbeatTimestamp: "unix", challenge: "require" };
const GO = { ...NOTHING_LEARNED, heartbeatFields: "go", heartbeatTimestamp: "rfc3339", challenge: "passed" } as const;
const settings = (...given: Parameters<typeof adviceOn>) => adviceOn(...given).map(({ setting, value }) => `${setting}=${value}`);

it("a far end that accepts our streams, or was never asked, may write as it likes", () => {
  for (const accepts of [true, null]) expect(adviceOn(GO, OWN, accepts)).toEqual([]);
  expect(adviceOn(NOTHING_LEARNED, OWN, false)).toEqual([]);
});

it("one that turns our streams down is answered in its own dialect", () => {
  expect(settings(GO, OWN, false)).toEqual(["p2p.heartbeat.fields=go", "p2p.heartbeatTimestamp=rfc3339"]);
  expect(settings(GO, { ...OWN, heartbeatFields: "go" }, false)).toEqual(["p2p.heartbeatTimestamp=rfc3339"]);
  expect(settings({ ...GO, heartbeatFields: "other", heartbeatTimestamp: "other" }, OWN, false)).toEqual([]);
  for (const { message } of adviceOn(GO, OWN, false)) expect(message).toMatch(/^it ends our streams, and its own heartbeats/);
});

it("one that does not speak the challenge is refused unless we only prefer it", () => {
  const silent = { ...GO, challenge: "unsupported" } as const;
  expect(settings(silent, OWN, true)).toEqual(["p2p.challenge=prefer"]);
  expect(settings(silent, { ...OWN, challenge: "prefer" }, true)).toEqual([]);
});
