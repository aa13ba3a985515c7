import { expect, test } from "vitest";
import { auditTrail } from "../../../src/demo/evidence/database.ts";
import { readFacts } from "../../../src/demo/evidence/facts.ts";
import { ECHOING_APP } from "../../../src/demo/stage/messages.ts";
import { append, closed, desired, inboundRefused, observe, opened, openFailed, rejected } from "../../store/support/events.ts";
import { TemporaryStore } from "../../store/support/temporary-store.ts";
import { PEER_A, PEER_B, PEER_C } from "../../support/peers.ts";

/** Three nodes that share one database directory, which is enough here, although each fact is read from its own node's directory. */
function factsOf(temporary: TemporaryStore) {
  const at = (peerId: string) => ({ directory: temporary.directory, peerId });
  return readFacts({ lyon: at(PEER_A), paris: at(PEER_B), nantes: at(PEER_C) }, temporary.clock).lyon;
}

test("the facts of a node are read from its database while it is open elsewhere", () => {
  using temporary = new TemporaryStore();
  const { store } = temporary;
  append(store, desired({ peerId: PEER_B, name: "paris" }));
  observe(store, opened(PEER_B));
  observe(store, closed(PEER_B, { reason: "expired" }));
  observe(store, openFailed(PEER_B));
  observe(store, openFailed(PEER_B));
  observe(store, inboundRefused(PEER_B));
  observe(store, opened(PEER_B, "inbound"));
  append(store, rejected(), { payload: Buffer.from("{oops") });
  append(store, desired({ peerId: PEER_B, name: "paris", relation: "BLACKLIST", standing: "blacklisted", source: ECHOING_APP }));

  expect(factsOf(temporary)).toEqual({
    sessions: [
      { peer: "paris", direction: "outbound", openedSeq: 2, closedSeq: 3, closeReason: "expired" },
      { peer: "paris", direction: "inbound", openedSeq: 6, closedSeq: null, closeReason: null },
    ],
    closes: [{ reason: "expired", app: "oc-api", claimedUser: null, payload: expect.stringContaining("paris") as string }],
    relations: [
      { peer: "paris", relation: "PARTNER", seq: 1 },
      { peer: "paris", relation: "BLACKLIST", seq: 8 },
    ],
    rejected: [{ reason: "not_json", payload: "{oops" }],
    failures: [{ peer: "paris", reason: "timeout", times: 2 }],
    refusals: [{ peer: "paris", reason: "not_partner", times: 1 }],
    echoes: 1,
    log: { rows: 8, firstSeq: 1, lastSeq: 8 },
    differences: [],
  });
});

test("an empty log has no rows, and its first and last seq are 0", () => {
  using temporary = new TemporaryStore();
  temporary.store.head();
  expect(factsOf(temporary)).toMatchObject({ echoes: 0, log: { rows: 0, firstSeq: 0, lastSeq: 0 } });
});

test("an edited projection is a difference", () => {
  using temporary = new TemporaryStore();
  append(temporary.store, desired({ peerId: PEER_B }));
  temporary.write("update desired_peer set relation = 'NONE'");
  expect(factsOf(temporary).differences).toEqual([expect.stringContaining("relation")]);
});

test("the audit trail has only that peer's history", () => {
  using temporary = new TemporaryStore();
  append(temporary.store, desired({ peerId: PEER_B, name: "paris" }));
  append(temporary.store, desired({ peerId: PEER_C, name: "nantes", resourceId: null }));
  observe(temporary.store, opened(PEER_B));
  const trail = auditTrail(temporary.directory, "paris");
  expect(trail.map(({ seq, summary }) => `${seq} ${summary}`)).toEqual([
    "1 desired as PARTNER by oc-api",
    "3 outbound stream opened",
  ]);
  for (const { at } of trail) expect(at).toMatch(/^\d{4}-\d\d-\d\dT.*Z$/);
});
