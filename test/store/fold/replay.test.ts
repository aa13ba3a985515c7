import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { liveRandomStory } from "../../../bench/random-story.ts";
import { type Did, type PeerId, resourceIdOf } from "../../../src/base/ids.ts";
import type { Desired, Rejected, Removed } from "../../../src/events/decoded.ts";
import type { PeerLearned } from "../../../src/events/learned/learned-facts.ts";
import type { ObservedEvent, Standing } from "../../../src/events/types.ts";
import { seededRandom } from "../../../src/sim/time/random.ts";
import type { Projections } from "../../../src/store/fold/replay.ts";
import { propertyRuns } from "../../support/campaign.ts";
import { PEER_A } from "../../support/peers.ts";
import {
  addressOf,
  append,
  closed,
  desired,
  inboundRefused,
  learned,
  observe,
  opened,
  openFailed,
  received,
  rejected,
  removed,
  start,
} from "../support/events.ts";
import { TemporaryStore } from "../support/temporary-store.ts";

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

const observed: fc.Arbitrary<ObservedEvent | PeerLearned> = fc.oneof(
  fc.tuple(peerId, direction).map(([peer, way]) => opened(peer, way)),
  fc.tuple(peerId, direction).map(([peer, way]) => closed(peer, { direction: way })),
  fc.tuple(peerId, fc.constantFrom("timeout", "refused")).map(([peer, reason]) => openFailed(peer, { reason })),
  fc
    .tuple(peerId, fc.constantFrom("not_partner", "blacklisted"), text)
    .map(([peer, reason, message]) => inboundRefused(peer, { reason, message })),
  fc.tuple(peerId, text).map(([peer, agent]) => learned(peer, { agent })),
);

type Step = (temporary: TemporaryStore) => void;

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.array(decoded, { maxLength: 4 }).map(
      (batch): Step =>
        ({ store }) =>
          void store.appendReceived(batch.map((item) => received(item))),
    ),
  },
  {
    weight: 8,
    arbitrary: observed.map(
      (event): Step =>
        ({ store }) =>
          void observe(store, event),
    ),
  },
  { weight: 1, arbitrary: fc.constant<Step>(restart) },
  // A virtual clock may be between two milliseconds, and a real one may jump back.
  {
    weight: 1,
    arbitrary: fc.double({ min: -500, max: 500, noNaN: true }).map(
      (byMs): Step =>
        ({ clock }) =>
          clock.stall(byMs),
    ),
  },
);

function restart(temporary: TemporaryStore): void {
  start(temporary.reopen());
}

/** The tables as any SQLite client sees them. */
function tablesOf(temporary: TemporaryStore) {
  return {
    desired_peer: temporary.read("select * from desired_peer order by peer_id"),
    peer_status_row: temporary.read("select * from peer_status_row order by peer_id"),
    open_stream: temporary.read("select * from open_stream order by seq"),
  };
}

/** The expected contents of those tables, column by column. */
function tablesFrom({ desired: peers, status }: Projections): ReturnType<typeof tablesOf> {
  const byPeerId = <Row extends { readonly peer_id: string }>(rows: readonly Row[]) =>
    rows.toSorted((a, b) => (a.peer_id < b.peer_id ? -1 : 1));
  const statuses = [...status.values()];
  return {
    desired_peer: byPeerId(
      [...peers.values()].map((peer) => ({
        peer_id: peer.peerId,
        resource_id: peer.resourceId,
        did: peer.did,
        name: peer.name,
        relation: peer.relation,
        standing: peer.standing,
        address: peer.address,
        desired_seq: peer.desiredSeq,
        generation: peer.generation,
        since_ms: peer.sinceMs,
        standing_seq: peer.standingSeq,
        standing_since_ms: peer.standingSinceMs,
      })),
    ),
    peer_status_row: byPeerId(
      statuses.map(({ lastOutboundClose, lastInboundClose, lastError, lastRefusal, ...status }) => ({
        peer_id: status.peerId,
        outbound_sessions: status.outboundSessions,
        outbound_close_seq: lastOutboundClose?.seq ?? null,
        outbound_close_reason: lastOutboundClose?.reason ?? null,
        outbound_closed_at_ms: lastOutboundClose?.atMs ?? null,
        inbound_close_seq: lastInboundClose?.seq ?? null,
        inbound_close_reason: lastInboundClose?.reason ?? null,
        inbound_closed_at_ms: lastInboundClose?.atMs ?? null,
        error_seq: lastError?.seq ?? null,
        error_code: lastError?.code ?? null,
        error_message: lastError?.message ?? null,
        error_at_ms: lastError?.atMs ?? null,
        refusal_seq: lastRefusal?.seq ?? null,
        refusal_code: lastRefusal?.code ?? null,
        refusal_message: lastRefusal?.message ?? null,
        refusal_at_ms: lastRefusal?.atMs ?? null,
        learned_seq: status.learned?.seq ?? null,
        learned_at_ms: status.learned?.atMs ?? null,
        learned_details: status.learned?.details ?? null,
      })),
    ),
    open_stream: statuses
      .flatMap(({ peerId: peer_id, openStreams }) =>
        openStreams.map(({ seq, protocol, direction: way, openedAtMs, causeSeq, attempt }) => ({
          seq,
          peer_id,
          protocol,
          direction: way,
          opened_at_ms: openedAtMs,
          cause_seq: causeSeq,
          attempt,
        })),
      )
      .sort((a, b) => a.seq - b.seq),
  };
}

describe("the projections", () => {
  it("match a replay of the whole log row for row, after any events and restarts", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        using temporary = new TemporaryStore();
        for (const run of steps) run(temporary);
        const { store } = temporary;
        expect(store.verifyProjections()).toEqual([]);
        const replayed = store.replayProjections();
        expect(tablesOf(temporary)).toEqual(tablesFrom(replayed));
        expect(new Map(store.list().map((peer) => [peer.peerId, peer]))).toEqual(replayed.desired);
        expect(new Map(store.statuses().map((peer) => [peer.peerId, peer]))).toEqual(replayed.status);
        expect(temporary.read("select count(*) as n, coalesce(max(seq), 0) as seq from event_log where true")).toEqual([
          { n: store.head().seq, seq: store.head().seq },
        ]);
      }),
      propertyRuns(20, 600),
    );
  });

  it("match it after a long story of many partners with every kind of event, too", () => {
    using temporary = new TemporaryStore();
    for (const events of [400, 800]) {
      liveRandomStory(temporary, seededRandom(events), { partners: 20, events });
      restart(temporary);
    }
    const { store } = temporary;
    expect(tablesOf(temporary)).toEqual(tablesFrom(store.replayProjections()));
    expect(store.verifyProjections()).toEqual([]);
    const told = temporary.read(
      "select distinct type from event_log union select 'superseded' from event_log where superseded_peer_id is not null " +
        "union select reason from event_log where type = 'StreamClosed' order by 1",
    );
    const things = "PeerDesired PeerRemoved EventRejected StreamOpened StreamClosed OpenFailed InboundRefused superseded";
    const closings = "daemon_restart replaced revoked";
    expect(told.map(({ type }) => type)).toEqual(expect.arrayContaining(`${things} ${closings}`.split(" ")));
  });
});

describe("verification", () => {
  const verifyAfter = (statement: string) => {
    using temporary = new TemporaryStore();
    append(temporary.store, desired());
    observe(temporary.store, opened(PEER_A));
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
      "an extra row",
      "insert into desired_peer select 'unknown', null, did, name, relation, standing, address, desired_seq, generation, since_ms, standing_seq, standing_since_ms from desired_peer",
      ["desired_peers unknown: the replay has no such row"],
    ],
    [
      "a lost open stream",
      "delete from open_stream",
      [expect.stringMatching(/openStreams is \[\], the replay gives \[\{"seq":2/)],
    ],
    [
      "a log row deleted despite the guard",
      "drop trigger event_log_no_delete; delete from event_log where seq = 1",
      expect.arrayContaining(["event_log row 2: follows row 0"]),
    ],
    [
      "an effect changed despite the guard",
      "drop trigger event_log_no_update; update event_log set effect = 'unchanged' where seq = 1",
      [`event_log row 1: effect is "unchanged", the replay gives "changed"`],
    ],
  ])("finds %s", (_, statement, differences) => {
    expect(verifyAfter(statement)).toEqual(differences);
  });

  it("refuses a row that this program could not have written", () => {
    expect(() => verifyAfter("insert into event_log (seq, type, at_ms, chain_hash) values (3, 'PeerDesired', 0, '')")).toThrow(
      "event_log row 3 is a PeerDesired without peerId",
    );
    expect(() => verifyAfter("insert into event_log (seq, type, at_ms, chain_hash) values (3, 'Surprise', 0, '')")).toThrow(
      "unknown type Surprise",
    );
  });

  it("leaves the store usable after it fails in the middle of the log", () => {
    using temporary = new TemporaryStore();
    temporary.write("insert into event_log (seq, type, at_ms, chain_hash) values (1, 'Surprise', 0, '')");
    append(temporary.store, desired());
    expect(() => temporary.store.verifyProjections()).toThrow("unknown type Surprise");
    expect(append(temporary.store, desired()).seq).toBe(3);
  });
});
