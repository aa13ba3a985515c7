import { describe, expect, test } from "vitest";
import { didOf } from "../../src/base/ids.ts";
import type { ObservedEvent } from "../../src/events/types.ts";
import { acceptsStreams, type PeerFacts, peerView, unsteadySentence } from "../../src/views/peers.ts";
import { closed, inboundRefused, opened, openFailed } from "../store/support/events.ts";
import { NO_FACTS } from "../support/attempts.ts";
import { desiredPeer, PEER_B } from "../support/peers.ts";

const WALL = Date.UTC(2026, 0, 1);
const idle = { opening: false, attempts: 0, nextAttemptAtMs: null, lastFailure: null };
const stream = { did: didOf("did:b"), openedAtMs: WALL, expiresAtMs: WALL + 10_000, proven: true };
const facts: PeerFacts = {
  peerId: PEER_B,
  desired: desiredPeer(PEER_B, { desiredSeq: 7, sinceMs: WALL - 1_000 }),
  outbound: null,
  inbound: null,
  progress: idle,
  wallOffsetMs: WALL,
};

describe("the phase of a peer", () => {
  const failure = { code: "timeout", message: "no answer", ...NO_FACTS, failedAtMs: 500 } as const;

  test("is established while our outbound stream is open", () => {
    expect(peerView({ ...facts, outbound: stream })).toMatchObject({
      phase: "established",
      since: "2026-01-01T00:00:00.000Z",
      outbound: { openedAt: "2026-01-01T00:00:00.000Z", expiresAt: "2026-01-01T00:00:10.000Z" },
      inbound: null,
    });
  });

  test("is opening, then backoff with the next attempt and the reason", () => {
    expect(peerView({ ...facts, progress: { ...idle, opening: true } }).phase).toBe("opening");
    expect(
      peerView({ ...facts, progress: { opening: false, attempts: 3, nextAttemptAtMs: 2_000, lastFailure: failure } }),
    ).toMatchObject({
      phase: "backoff",
      attempts: 3,
      since: "2026-01-01T00:00:00.500Z",
      nextAttemptAt: "2026-01-01T00:00:02.000Z",
      lastError: { code: "timeout", message: "no answer", ...NO_FACTS },
    });
  });

  test("says how the far end ended the stream, as a fact and in the message", () => {
    const lastFailure = { ...failure, code: "stream_lost", message: "the stream was lost", streamEnd: "reset" } as const;
    expect(peerView({ ...facts, progress: { ...idle, nextAttemptAtMs: 2_000, lastFailure } }).lastError).toEqual({
      code: "stream_lost",
      message: "the stream was lost (reset)",
      streamEnd: "reset",
      errorName: null,
    });
  });

  test("is closed if there is nothing to do", () => {
    expect(peerView({ ...facts, desired: desiredPeer(PEER_B, { standing: "blacklisted", sinceMs: WALL }) })).toMatchObject({
      phase: "closed",
      relation: "BLACKLIST",
      since: "2026-01-01T00:00:00.000Z",
    });
  });
});

test("a stranger has no relation, address or seq, but the DID that it claims", () => {
  expect(peerView({ ...facts, desired: undefined, inbound: stream })).toMatchObject({
    relation: null,
    address: null,
    desiredSeq: null,
    did: "did:b",
    phase: "closed",
    inbound: { openedAt: "2026-01-01T00:00:00.000Z" },
  });
});

describe("whether a peer accepts our streams", () => {
  /** The events are given oldest first. */
  const accepts = (events: readonly ObservedEvent[], change: Partial<PeerFacts> = {}) =>
    acceptsStreams({ ...facts, ...change }, events.map((event) => ({ event })).reverse());
  const offline = openFailed(PEER_B, { reason: "connection_refused" });
  const accepted = [opened(PEER_B), closed(PEER_B, { durationMs: 60_000, reason: "remote_closed" })];

  test("is its last choice, which being offline does not change", () => {
    const refused = openFailed(PEER_B, { reason: "refused" });
    expect(accepts([...accepted, refused, offline])).toBe(false);
    expect(accepts([...accepted, openFailed(PEER_B, { reason: "protocol_unsupported" }), offline])).toBe(false);
    expect(accepts([refused, ...accepted, offline])).toBe(true);
    const lastFailure = { code: "connection_refused", message: "refused", ...NO_FACTS, failedAtMs: 1 } as const;
    expect(accepts([...accepted, refused, offline], { progress: { ...idle, lastFailure } })).toBe(false);
  });

  test("is false if it ended our stream at once, and true if only the network did", () => {
    const endedAt = (durationMs: number, reason: "reset" | "connection_lost") => [
      ...accepted,
      opened(PEER_B),
      closed(PEER_B, { durationMs, reason }),
      offline,
    ];
    expect(accepts(endedAt(1_999, "reset"))).toBe(false);
    expect(accepts(endedAt(2_000, "reset"))).toBe(true);
    expect(accepts(endedAt(10, "connection_lost"))).toBe(true);
  });

  test("is the present stream or failure before any row", () => {
    const lastFailure = { code: "refused", message: "refused", ...NO_FACTS, failedAtMs: 1 } as const;
    expect(accepts(accepted, { progress: { ...idle, lastFailure } })).toBe(false);
    expect(accepts([openFailed(PEER_B, { reason: "refused" })], { outbound: stream })).toBe(true);
  });

  test("is unknown if it never had the choice: its own streams do not count", () => {
    expect(accepts([])).toBeNull();
    const inbound = [opened(PEER_B, "inbound"), closed(PEER_B, { direction: "inbound", reason: "reset", durationMs: 5 })];
    expect(accepts([...inbound, inboundRefused(PEER_B, { reason: "refused" }), offline])).toBeNull();
  });
});

test("a stream is unsteady for its first minute if at least three attempts before it failed", () => {
  const view = (attempts: number) => peerView({ ...facts, outbound: stream, progress: { ...idle, attempts } });
  expect(unsteadySentence(view(3), WALL + 59_999)).toBe("unsteady: failed or lost 3 times in a row");
  expect(unsteadySentence(view(3), WALL + 60_000)).toBeNull();
  expect(unsteadySentence(view(2), WALL)).toBeNull();
});
