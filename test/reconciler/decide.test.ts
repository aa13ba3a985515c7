import { describe, expect, test } from "vitest";
import type { Standing } from "../../src/events/types.ts";
import { admissionVerdict } from "../../src/reconciler/admission.ts";
import { FRESH, type Retry } from "../../src/reconciler/backoff.ts";
import { type Action, decide, nextDueMs } from "../../src/reconciler/decide.ts";
import { NO_FACTS } from "../support/attempts.ts";
import { desiredPeer, NOTHING_OPEN, PEER_A, PEER_B } from "../support/peers.ts";

const NOW = 1_000_000;
const options = { self: PEER_A, admissionRule: "unless-revoked" } as const;
const live = { openedAtMs: NOW - 60_000, expiresAtMs: NOW + 5_000, renewAtMs: NOW + 1_000, attempt: null };
const inbound = { openedAtMs: NOW - 60_000, expiresAtMs: NOW + 5_000 };
const waiting: Retry = {
  state: "waiting",
  run: { attempts: 3, losses: 0, sinceMs: NOW - 9_000, onProbation: false, recentUntilMs: null },
  notBeforeMs: NOW + 4_000,
  failure: { code: "timeout", message: "", ...NO_FACTS, failedAtMs: NOW - 2_000 },
};

function kinds(actions: readonly Action[]): string[] {
  return actions.map((action) => (action.kind === "close" ? `close ${action.direction} ${action.reason}` : action.kind));
}

describe("a desired partner", () => {
  const partner = desiredPeer(PEER_B);

  test("without a stream is opened", () => {
    expect(decide(partner, NOTHING_OPEN, FRESH, NOW, options)).toMatchObject([{ kind: "open", peer: partner }]);
    expect(nextDueMs(partner, NOTHING_OPEN, FRESH, options)).toBeLessThanOrEqual(NOW);
  });

  test("with a live stream is left alone until its renewal is due", () => {
    const actual = { ...NOTHING_OPEN, outbound: live };
    expect(decide(partner, actual, FRESH, NOW, options)).toEqual([]);
    expect(nextDueMs(partner, actual, FRESH, options)).toBe(live.renewAtMs);
    expect(kinds(decide(partner, actual, FRESH, live.renewAtMs, options))).toEqual(["renew"]);
  });

  test("whose lease has expired is closed, even if a renewal is also due", () => {
    const actual = { ...NOTHING_OPEN, outbound: { ...live, expiresAtMs: NOW, renewAtMs: NOW - 7_000 } };
    expect(kinds(decide(partner, actual, FRESH, NOW, options))).toEqual(["close outbound expired"]);
  });

  test("in backoff waits", () => {
    expect(decide(partner, NOTHING_OPEN, waiting, NOW, options)).toEqual([]);
    expect(nextDueMs(partner, NOTHING_OPEN, waiting, options)).toBe(NOW + 4_000);
    expect(kinds(decide(partner, NOTHING_OPEN, waiting, NOW + 4_000, options))).toEqual(["open"]);
  });

  test("in backoff stops waiting after a sign of life", () => {
    const actual = { ...NOTHING_OPEN, lastSignOfLifeMs: NOW - 1_000 };
    expect(kinds(decide(partner, actual, waiting, NOW, options))).toEqual(["open"]);
  });

  test("in backoff keeps waiting if the sign of life is older than the failure", () => {
    const actual = { ...NOTHING_OPEN, lastSignOfLifeMs: NOW - 3_000 };
    expect(decide(partner, actual, waiting, NOW, options)).toEqual([]);
  });

  test("that is stopped is never due", () => {
    const stopped: Retry = {
      state: "stopped",
      run: { attempts: 1, losses: 0, sinceMs: NOW, onProbation: false, recentUntilMs: null },
      failure: { code: "address_unsupported", message: "", ...NO_FACTS, failedAtMs: NOW },
    };
    expect(decide(partner, NOTHING_OPEN, stopped, NOW + 1e9, options)).toEqual([]);
    expect(nextDueMs(partner, NOTHING_OPEN, stopped, options)).toBe(Number.POSITIVE_INFINITY);
  });

  test("that is ourselves is never dialled", () => {
    const self = desiredPeer(PEER_A);
    expect(decide(self, { ...NOTHING_OPEN, peerId: PEER_A }, FRESH, NOW, options)).toEqual([]);
    expect(nextDueMs(self, { ...NOTHING_OPEN, peerId: PEER_A }, FRESH, options)).toBe(Number.POSITIVE_INFINITY);
  });
});

describe("a peer that is no longer a partner", () => {
  const actual = { ...NOTHING_OPEN, outbound: live, inbound, connected: true };

  test("loses its streams in both directions", () => {
    const actions = decide(desiredPeer(PEER_B, { standing: "revoked" }), actual, FRESH, NOW, options);
    expect(actions).toMatchObject([{ kind: "close", direction: "both", reason: "revoked", dropConnections: false }]);
  });

  test("also loses its connections when blacklisted, even an idle one", () => {
    const blacklisted = desiredPeer(PEER_B, { standing: "blacklisted" });
    const idle = { ...NOTHING_OPEN, connected: true };
    expect(decide(blacklisted, actual, FRESH, NOW, options)).toMatchObject([{ direction: "both", dropConnections: true }]);
    expect(decide(blacklisted, idle, FRESH, NOW, options)).toMatchObject([{ direction: "both", dropConnections: true }]);
  });

  test("loses an idle connection that we dialled, but keeps one that it dialled", () => {
    const revoked = desiredPeer(PEER_B, { standing: "revoked" });
    const ours = { ...NOTHING_OPEN, connected: true, dialled: true };
    expect(decide(revoked, ours, FRESH, NOW, options)).toMatchObject([{ direction: "both", dropConnections: false }]);
    expect(decide(revoked, { ...NOTHING_OPEN, connected: true }, FRESH, NOW, options)).toEqual([]);
  });

  test.each<Standing>(["revoked", "blacklisted"])("without streams or connections is left alone (%s)", (standing) => {
    const peer = desiredPeer(PEER_B, { standing });
    expect(decide(peer, NOTHING_OPEN, FRESH, NOW, options)).toEqual([]);
    expect(nextDueMs(peer, NOTHING_OPEN, FRESH, options)).toBe(Number.POSITIVE_INFINITY);
  });
});

describe("a peer unknown to the log", () => {
  test("may stream to us until its lease expires", () => {
    const actual = { ...NOTHING_OPEN, inbound };
    expect(decide(undefined, actual, FRESH, NOW, options)).toEqual([]);
    expect(nextDueMs(undefined, actual, FRESH, options)).toBe(inbound.expiresAtMs);
    expect(kinds(decide(undefined, actual, FRESH, inbound.expiresAtMs, options))).toEqual(["close inbound expired"]);
  });

  test("may not if only partners may", () => {
    const rule = { ...options, admissionRule: "partners" } as const;
    expect(kinds(decide(undefined, { ...NOTHING_OPEN, inbound }, FRESH, NOW, rule))).toEqual(["close inbound revoked"]);
  });

  test("loses its outbound stream: the sweep of undesired streams", () => {
    expect(kinds(decide(undefined, { ...NOTHING_OPEN, outbound: live }, FRESH, NOW, options))).toEqual([
      "close outbound revoked",
    ]);
  });
});

test("the verdict on inbound streams follows the log, then the admission rule", () => {
  const verdicts = [undefined, "partner", "revoked", "blacklisted"].map((standing) => {
    const desired = standing === undefined ? undefined : desiredPeer(PEER_B, { standing: standing as Standing });
    return [admissionVerdict(desired, "unless-revoked"), admissionVerdict(desired, "partners")];
  });
  expect(verdicts).toEqual([
    ["ok", "not_partner"],
    ["ok", "ok"],
    ["not_partner", "not_partner"],
    ["blacklisted", "blacklisted"],
  ]);
});
