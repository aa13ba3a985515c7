/** Facts about the demo's databases after a successful run. */
import type { Facts, NodeFacts, Session } from "../../../src/demo/evidence/facts.ts";
import { MALFORMED } from "../../../src/demo/stage/messages.ts";
import type { Name } from "../../../src/demo/stage/state.ts";

/** The sessions with one peer, in both directions. Each has a close reason; null for one that is still open. */
function sessionsWith(peer: Name, firstSeq: number, ...reasons: readonly (string | null)[]): readonly Session[] {
  return (["outbound", "inbound"] as const).flatMap((direction) =>
    reasons.map((closeReason, index) => {
      const openedSeq = firstSeq + 10 * index;
      return { peer, direction, openedSeq, closedSeq: closeReason === null ? null : openedSeq + 5, closeReason };
    }),
  );
}

function nodeFacts(change: Partial<NodeFacts>): NodeFacts {
  const log = { rows: 20, firstSeq: 1, lastSeq: 20 };
  const closes = [{ reason: "expired", app: "oc-api", claimedUser: "ada", payload: "{}" }];
  return {
    sessions: [],
    closes,
    relations: [],
    rejected: [],
    failures: [],
    refusals: [],
    echoes: 0,
    log,
    differences: [],
    ...change,
  };
}

export const GOOD: Facts = {
  lyon: nodeFacts({
    sessions: [...sessionsWith("paris", 1, "expired", "revoked"), ...sessionsWith("nantes", 2, "connection_lost", null)],
    relations: [
      { peer: "paris", relation: "PARTNER", seq: 1 },
      { peer: "nantes", relation: "PARTNER", seq: 2 },
      { peer: "paris", relation: "BLACKLIST", seq: 15 },
    ],
    rejected: [{ reason: "not_json", payload: MALFORMED }],
    failures: [{ peer: "nantes", reason: "connection_refused", times: 4 }],
    refusals: [{ peer: "paris", reason: "blacklisted", times: 2 }],
  }),
  paris: nodeFacts({
    sessions: [...sessionsWith("lyon", 1, "reset", "reset"), ...sessionsWith("nantes", 2, "reset", "reset", null)],
    failures: [
      { peer: "nantes", reason: "connection_refused", times: 5 },
      { peer: "lyon", reason: "refused", times: 2 },
    ],
  }),
  nantes: nodeFacts({
    sessions: [
      ...sessionsWith("lyon", 1, "daemon_restart", null),
      ...sessionsWith("paris", 2, "daemon_restart", "expired", null),
    ],
  }),
};
