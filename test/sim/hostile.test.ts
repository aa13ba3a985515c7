/**
 * Each attack of a stranger is refused for its reason, while a partner's stream stays open. All invariants hold. And the invariant of
 * inbound streams tells the proven one from the others.
 */
import { expect, test } from "vitest";
import { parseFixture } from "../../src/fixture/format/parse.ts";
import { ATTACKS } from "../../src/fixture/format/schema.ts";
import { PARTNER_PROTOCOL } from "../../src/p2p/wire/constants.ts";
import type { Scene } from "../../src/sim/invariants/invariant.ts";
import { inboundIsBounded } from "../../src/sim/invariants/wire/hostile.ts";
import { simulate } from "../../src/sim/simulate.ts";
import { PEER_A } from "../support/peers.ts";

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

/** Which invariants are violated if a peer has had a stream for `ms`, and has a registered one since then. */
function violatedAfter(ms: number, receivedBytes: { readonly registered: number; readonly other: number }): readonly string[] {
  const [registered, other] = [receivedBytes.registered, receivedBytes.other].map((bytes) => ({
    protocol: PARTNER_PROTOCOL,
    direction: "inbound",
    unreadBytes: 0,
    receivedBytes: bytes,
  }));
  const violated = new Set<string>();
  let nowMs = 0;
  const connections = () => [{ remotePeer: PEER_A, streams: nowMs === 0 ? [other] : [other, registered] }];
  const scene = {
    daemon: {
      node: { getConnections: connections },
      streams: { actual: () => ({ inbound: {} }), registered: () => registered },
    },
    nowMs: () => nowMs,
    awakeMs: () => nowMs,
    violated: (invariant: string) => void violated.add(invariant),
  };
  const invariant = inboundIsBounded(scene as unknown as Scene);
  for (const atMs of [0, ms]) {
    nowMs = atMs;
    invariant.stepped?.();
  }
  return [...violated];
}

test("an unproven stream is bounded also beside a proven one, which is not", () => {
  expect(violatedAfter(15_000, { registered: 1_000_000, other: 80_000 })).toEqual([]);
  expect(violatedAfter(17_000, { registered: 1_000_000, other: 0 })).toEqual(["inbound-is-bounded"]);
  expect(violatedAfter(1_000, { registered: 0, other: 90_000 })).toEqual(["memory-is-bounded"]);
});
