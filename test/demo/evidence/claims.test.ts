import { describe, expect, test } from "vitest";
import { claims } from "../../../src/demo/evidence/claims.ts";
import type { Facts, NodeFacts, Session } from "../../../src/demo/evidence/facts.ts";
import { MALFORMED } from "../../../src/demo/stage/messages.ts";
import type { Name } from "../../../src/demo/stage/state.ts";
import { GOOD } from "./good-facts.ts";

const broken = (facts: Facts) =>
  claims(facts)
    .filter(({ holds }) => !holds)
    .map(({ text }) => text);

function changed(name: Name, change: (facts: NodeFacts) => Partial<NodeFacts>): Facts {
  return { ...GOOD, [name]: { ...GOOD[name], ...change(GOOD[name]) } };
}

function withoutSessions(name: Name, out: (session: Session) => boolean): Facts {
  return changed(name, ({ sessions }) => ({ sessions: sessions.filter((session) => !out(session)) }));
}

function closedAs(name: Name, was: (session: Session) => boolean, closeReason: string): Facts {
  return changed(name, ({ sessions }) => ({
    sessions: sessions.map((session) => (was(session) ? { ...session, closedSeq: 99, closeReason } : session)),
  }));
}

test("all claims hold after a successful run", () => {
  expect(broken(GOOD)).toEqual([]);
});

test("the figures come from the databases", () => {
  expect(claims(GOOD).map(({ figures }) => figures)).toEqual([
    "6 of 6, seen at both ends",
    "0 rows; PARTNER, then BLACKLIST",
    `1: not_json, ${MALFORMED.length} of ${MALFORMED.length} bytes`,
    "4 of 4 ends: connection_lost, reset",
    "failed: lyon 4, paris 5",
    "4 of 4 sessions: daemon_restart",
    "from lyon and paris",
    "expired: 2 outbound, 2 inbound",
    "from lyon and nantes",
    "2 revoked, 0 since, 0 left",
    "paris saw 2, lyon logged 2",
    "3 of 3: oc-api, user ada",
    "4 of 4, 8 ends: 2 + 2 + 4",
    "events: lyon 20, paris 20, nantes 20",
    "0 differences",
  ]);
});

describe("a claim fails, together with those that depend on the same fact, if", () => {
  const cases: readonly (readonly [when: string, facts: Facts, broken: readonly string[]])[] = [
    ["an echo was appended", changed("nantes", () => ({ echoes: 1 })), ["the echo changed nothing"]],
    [
      "an echo revoked paris for a while",
      changed("lyon", ({ relations }) => ({
        relations: [
          { peer: "paris", relation: "BLACKLIST", seq: 1 },
          { peer: "paris", relation: "PARTNER", seq: 2 },
          ...relations,
        ],
      })),
      ["the echo changed nothing", "paris was blacklisted: closed at both ends"],
    ],
    [
      "a close leads to no event",
      changed("paris", ({ closes }) => ({
        closes: [...closes, { reason: "reset", app: null, claimedUser: null, payload: null }],
      })),
      ["every close leads to the event behind it"],
    ],
    ["the malformed event was lost", changed("lyon", () => ({ rejected: [] })), ["the malformed event is kept, with its reason"]],
    [
      "it was not kept whole",
      changed("lyon", () => ({ rejected: [{ reason: "not_json", payload: MALFORMED.slice(1) }] })),
      ["the malformed event is kept, with its reason"],
    ],
    [
      "something else was rejected too",
      changed("paris", () => ({ rejected: [{ reason: "not_json", payload: "x" }] })),
      ["the malformed event is kept, with its reason"],
    ],
    [
      "one end did not notice the kill",
      closedAs(
        "lyon",
        ({ peer, direction, closeReason }) => peer === "nantes" && direction === "inbound" && closeReason !== null,
        "expired",
      ),
      ["the others noticed that nantes was killed"],
    ],
    ["a node tried too seldom", changed("lyon", () => ({ failures: [] })), ["and retried until it was back"]],
    [
      "a crash left a session open in the log",
      closedAs(
        "nantes",
        ({ peer, direction, closeReason }) => peer === "lyon" && direction === "inbound" && closeReason !== null,
        "reset",
      ),
      ["nantes closed its orphaned streams"],
    ],
    [
      "a lease did not expire",
      closedAs("nantes", ({ direction, closeReason }) => direction === "inbound" && closeReason === "expired", "reset"),
      ["paris was frozen: its leases expired"],
    ],
    [
      "a stream did not come back",
      withoutSessions("lyon", ({ peer, direction, openedSeq }) => peer === "nantes" && direction === "outbound" && openedSeq > 2),
      ["nantes got its streams back", "only the streams of nantes are left"],
    ],
    [
      "the frozen node did not get its stream back",
      withoutSessions(
        "nantes",
        ({ peer, direction, openedSeq }) => peer === "paris" && direction === "outbound" && openedSeq > 12,
      ),
      ["paris got its streams back", "only the streams of nantes are left"],
    ],
    [
      "a revoked stream stayed open",
      changed("paris", ({ sessions }) => ({
        sessions: sessions.map((session) =>
          session.peer === "lyon" && session.openedSeq > 1 && session.direction === "inbound"
            ? { ...session, closedSeq: null, closeReason: null }
            : session,
        ),
      })),
      ["paris was blacklisted: closed at both ends", "only the streams of nantes are left"],
    ],
    [
      "a stream was opened to the blacklisted peer",
      changed("lyon", ({ sessions }) => ({
        sessions: [...sessions, { peer: "paris", direction: "inbound", openedSeq: 17, closedSeq: 18, closeReason: "reset" }],
      })),
      ["paris was blacklisted: closed at both ends"],
    ],
    [
      "a redial was refused once only",
      changed("paris", ({ failures }) => ({
        failures: failures.map((failure) => (failure.reason === "refused" ? { ...failure, times: 1 } : failure)),
      })),
      ["and its redials were refused"],
    ],
    ["a refusal was not logged", changed("lyon", () => ({ refusals: [] })), ["and its redials were refused"]],
    ["a log has a gap", changed("paris", () => ({ log: { rows: 19, firstSeq: 1, lastSeq: 20 } })), ["the logs have no gaps"]],
    ["a log is empty", changed("paris", () => ({ log: { rows: 0, firstSeq: 0, lastSeq: 0 } })), ["the logs have no gaps"]],
    [
      "a projection differs",
      changed("nantes", () => ({ differences: ["desired_peers x: the row is missing"] })),
      ["replaying the logs gives the projections"],
    ],
    [
      "one end never saw a stream",
      withoutSessions("paris", ({ peer, direction }) => peer === "lyon" && direction === "inbound"),
      ["every node opened streams to both others"],
    ],
  ];

  test.each(cases)("%s", (_when, facts, expected) => {
    expect(broken(facts)).toEqual(expected);
  });
});
