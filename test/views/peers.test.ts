import { describe, expect, test } from "vitest";
import { didOf } from "../../src/base/ids.ts";
import { type PeerFacts, peerView } from "../../src/views/peers.ts";
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
