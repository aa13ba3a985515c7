import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Desired, Rejected, Removed } from "../../src/events/decoded.ts";
import type { ObservedEvent, Standing } from "../../src/events/types.ts";
import { type Did, type PeerId, resourceIdOf } from "../../src/ids.ts";
import type { Store } from "../../src/store/store.ts";
import { PEER_A } from "../support/peers.ts";
import { addressOf, append, closed, desired, inboundRefused, opened, openFailed, received, rejected, removed } from "./events.ts";
import { TemporaryStore } from "./temporary-store.ts";

const peerId = fc.constantFrom("a", "b", "c", "d").map((letter) => `peer-${letter}` as PeerId);
const direction = fc.constantFrom("outbound", "inbound");
const text = fc.oneof(fc.constantFrom("x", "\ud800", "a\0b", "é"), fc.string({ maxLength: 4 }));
const resourceId = fc.option(fc.constantFrom("r1", "r2", "r3", "r\udc00").map(resourceIdOf));
const standing = fc.constantFrom<Standing>("partner", "revoked", "blacklisted");

const decoded: fc.Arbitrary<Desired | Removed | Rejected> = fc.oneof(
  fc
    .record({ peerId, resourceId, name: fc.option(text), standing, host: fc.option(fc.constantFrom("10.0.0.1", "10.0.0.2")) })
    .map(({ host, ...fields }) =>
      desired({
        ...fields,
        relation: fields.standing.toUpperCase(),
        address: host && addressOf(fields.peerId, host),
        did: fields.name as Did | null,
      }),
    ),
  fc.record({ peerId: fc.option(peerId), resourceId }).map(removed),
  text.map((message) => rejected({ message })),
);

const observed: fc.Arbitrary<ObservedEvent> = fc.oneof(
  fc.tuple(peerId, direction).map(([peer, way]) => opened(peer, way)),
  fc.tuple(peerId, direction).map(([peer, way]) => closed(peer, { direction: way })),
  fc.tuple(peerId, fc.constantFrom("timeout", "refused")).map(([peer, reason]) => openFailed(peer, { reason })),
  fc
    .tuple(peerId, fc.constantFrom("not_partner", "blacklisted"), text)
    .map(([peer, reason, message]) => inboundRefused(peer, { reason, message })),
);

type Step = (store: Store, temporary: TemporaryStore) => void;

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.array(decoded, { maxLength: 4 }).map(
      (batch): Step =>
        (store) =>
          void store.appendReceived(batch.map((item) => received(item))),
    ),
  },
  {
    weight: 8,
    arbitrary: observed.map(
      (event): Step =>
        (store) =>
          void store.appendObserved(event),
    ),
  },
  { weight: 1, arbitrary: fc.constant<Step>((store) => void store.closeDanglingSessions()) },
  // A virtual clock may stand between two milliseconds, and a real one may jump back.
  {
    weight: 1,
    arbitrary: fc.double({ min: -500, max: 500, noNaN: true }).map(
      (byMs): Step =>
        (_, { clock }) =>
          clock.stall(byMs),
    ),
  },
);

describe("the projections", () => {
  it("are exactly what replaying the log from zero gives, after any events", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        using temporary = new TemporaryStore();
        const { store } = temporary;
        for (const run of steps) run(store, temporary);
        expect(store.verifyProjections()).toEqual([]);
        const { desired: peers, status } = store.replayProjections();
        expect(new Map(store.list().map((peer) => [peer.peerId, peer]))).toEqual(peers);
        expect(new Map(store.statuses().map((peer) => [peer.peerId, peer]))).toEqual(status);
        expect(temporary.read("select count(*) as n, coalesce(max(seq), 0) as seq from event_log where true")).toEqual([
          { n: store.head().seq, seq: store.head().seq },
        ]);
      }),
      { numRuns: 60 },
    );
  });

  it("are read from a log of many pages", () => {
    using temporary = new TemporaryStore();
    temporary.store.appendReceived(Array.from({ length: 2_500 }, () => received(desired())));
    append(temporary.store, desired({ relation: "NONE", standing: "revoked" }));
    expect(temporary.store.replayProjections().desired.get(PEER_A)).toMatchObject({ standing: "revoked", desiredSeq: 2_501 });
  });
});

describe("verifying", () => {
  const verifyAfter = (statement: string) => {
    using temporary = new TemporaryStore();
    append(temporary.store, desired());
    temporary.store.appendObserved(opened(PEER_A));
    temporary.write(statement);
    return temporary.store.verifyProjections();
  };

  it.each([
    [
      "a changed row",
      "update desired_peer set relation = 'NONE'",
      [`desired_peers ${PEER_A}: relation is "NONE", the replay gives "PARTNER"`],
    ],
    ["a missing row", "delete from peer_status_row", [`peer_status ${PEER_A}: the row is missing`]],
    [
      "a row too many",
      "insert into desired_peer select 'nobody', null, did, name, relation, standing, address, desired_seq, generation, since_ms from desired_peer",
      ["desired_peers nobody: the replay has no such row"],
    ],
    [
      "a lost open stream",
      "delete from open_stream",
      [expect.stringMatching(/openStreams is \[\], the replay gives \[\{"seq":2/)],
    ],
    [
      "a log row taken out behind the guard's back",
      "drop trigger event_log_no_delete; delete from event_log where seq = 1",
      expect.arrayContaining(["event_log: seq 2 follows 0"]),
    ],
    [
      "an effect rewritten behind the guard's back",
      "drop trigger event_log_no_update; update event_log set effect = 'unchanged' where seq = 1",
      [`event_log 1: effect is "unchanged", the replay gives "changed"`],
    ],
  ])("finds %s", (_, statement, differences) => {
    expect(verifyAfter(statement)).toEqual(differences);
  });

  it("refuses a row that this program could not have written", () => {
    expect(() => verifyAfter("insert into event_log (seq, type, at_ms) values (3, 'PeerDesired', 0)")).toThrow(
      "event_log row 3 is a PeerDesired without peerId",
    );
    expect(() => verifyAfter("insert into event_log (seq, type, at_ms) values (3, 'Surprise', 0)")).toThrow(
      "unknown type Surprise",
    );
  });
});
