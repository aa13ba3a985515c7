/** The daemon's purpose: an event opens a partner stream, a revocation closes it, and everything else is only a short interruption. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { PeerView } from "../../src/views/api.ts";
import { databaseFaults } from "../support/database-check.ts";
import { matching } from "../support/matchers.ts";
import { bound, startStopwatch } from "../support/pace/pace.ts";
import { type Participant, startParticipants } from "../support/participant.ts";
import { hasInbound, hasNoStream, isEstablished, type Sighting, watchPeer, whenPeer } from "../support/peer-watch.ts";
import { Publisher } from "../support/publisher.ts";

/** A lease lasts 10 s and is renewed every 3 s ± 20 % while both ends are healthy. */
const LEASE_MS = 10_000;
const LONGEST_HEARTBEAT_PERIOD_MS = 3_600;
/** Longer than a lease without renewal. */
const WATCH_MS = LEASE_MS + 2_000;

/** Promised bounds. */
const ESTABLISHED_WITHIN = bound(2_000);
const REVOKED_WITHIN = bound(1_000);
const LOSS_NOTICED_WITHIN = bound(2_000);
const FROZEN_NOTICED_WITHIN = bound(LEASE_MS + 5_000);
const RETRIED_WITHIN = bound(10_000);

const BLACKLISTED_REFUSALS = 'oc_partnerd_inbound_refused_total{reason="blacklisted"}';

/** Tells A's daemon that B is a partner; resolves when A's stream is open at both ends. */
async function befriend(a: Participant, b: Participant): Promise<void> {
  await a.publisher.relate(b, "PARTNER");
  await whenPeer(a.daemon, b.peerId, "the outbound stream is open", isEstablished, 10_000);
  await whenPeer(b.daemon, a.peerId, "the inbound stream is open", hasInbound, 10_000);
}

const eventsOf = (participant: Participant, type: string) =>
  participant.daemon.sql("select direction, reason from event_log where type = ? order by seq", type);

/** The same stream all the time, with a fresh lease. */
function expectContinuity(sightings: readonly Sighting[], streamOf: (peer: PeerView) => PeerView["outbound"]): void {
  const leases = sightings.map(({ peer, wallMs }) => {
    const stream = peer && streamOf(peer);
    if (!stream) throw new Error(`no stream at ${new Date(wallMs).toISOString()}`);
    return {
      openedAt: stream.openedAt,
      expiresAtMs: Date.parse(stream.expiresAt),
      leftMs: Date.parse(stream.expiresAt) - wallMs,
    };
  });
  expect(new Set(leases.map(({ openedAt }) => openedAt)).size).toBe(1);
  expect(Math.min(...leases.map(({ leftMs }) => leftMs))).toBeGreaterThan(LEASE_MS - LONGEST_HEARTBEAT_PERIOD_MS - 2_000);
  const renewals = leases.filter(
    ({ expiresAtMs }, index) => expiresAtMs - (leases[index - 1]?.expiresAtMs ?? expiresAtMs) > 1_000,
  );
  const watchedMs = (sightings.at(-1)?.wallMs ?? 0) - (sightings[0]?.wallMs ?? 0);
  expect(renewals.length).toBeGreaterThanOrEqual(Math.floor(watchedMs / LONGEST_HEARTBEAT_PERIOD_MS) - 1);
}

/** All start before the first test, so that no start slows down a measurement. */
const owner = new AsyncDisposableStack();
const pairs: (readonly [Participant, Participant])[] = [];
const PAIRS = 5;
let impatientPair: readonly [Participant, Participant];

beforeAll(async () => {
  // Quickly failing attempts at a frozen peer soon lead to a long backoff.
  impatientPair = await startParticipants(owner, ["a", "b"], { reconcile: { openTimeoutMs: 500 } });
  while (pairs.length < PAIRS) pairs.push(await startParticipants(owner, ["a", "b"]));
});
afterAll(() => owner.disposeAsync());

/** Two participants that no other test uses. */
function nextPair(): readonly [Participant, Participant] {
  const pair = pairs.shift();
  if (pair === undefined) throw new Error(`more tests than ${PAIRS} pairs`);
  return pair;
}

describe.concurrent("two participants", () => {
  test("an event opens a stream that stays open; BLACKLIST closes it and keeps it closed", async ({ expect }) => {
    const [a, b] = nextPair();

    const stopwatch = startStopwatch();
    await a.publisher.relate(b, "PARTNER");
    const [outbound, inbound] = await Promise.all([
      whenPeer(a.daemon, b.peerId, "the outbound stream is open", isEstablished, ESTABLISHED_WITHIN),
      whenPeer(b.daemon, a.peerId, "the inbound stream is open", hasInbound, ESTABLISHED_WITHIN),
    ]);
    expect(stopwatch.elapsedMs(), `${stopwatch}`).toBeLessThan(ESTABLISHED_WITHIN.boundMs);
    expect(outbound.peer).toMatchObject({ phase: "established", relation: "PARTNER", address: b.address, inbound: null });
    expect(inbound.peer).toMatchObject({ phase: "closed", relation: null, address: null, desiredSeq: null, outbound: null });

    const [atA, atB] = await Promise.all([
      watchPeer(a.daemon, b.peerId, WATCH_MS, (peer) => expect(peer).toMatchObject({ phase: "established", inbound: null })),
      watchPeer(b.daemon, a.peerId, WATCH_MS, (peer) => expect(peer).toMatchObject({ phase: "closed", outbound: null })),
    ]);
    expectContinuity(atA, (peer) => peer.outbound);
    expectContinuity(atB, (peer) => peer.inbound);
    expect(eventsOf(a, "StreamOpened")).toEqual([{ direction: "outbound", reason: null }]);
    expect(eventsOf(b, "StreamOpened")).toEqual([{ direction: "inbound", reason: null }]);
    expect([...eventsOf(a, "StreamClosed"), ...eventsOf(b, "StreamClosed")]).toEqual([]);

    await befriend(b, a);
    await a.publisher.relate(b, "BLACKLIST");
    await Promise.all([
      whenPeer(a.daemon, b.peerId, "both streams are gone", hasNoStream, REVOKED_WITHIN),
      whenPeer(b.daemon, a.peerId, "both streams are gone", hasNoStream, REVOKED_WITHIN),
    ]);

    const attemptsBefore = (await b.daemon.peer(a.peerId))?.attempts ?? 0;
    await Promise.all([
      watchPeer(a.daemon, b.peerId, WATCH_MS, (peer) =>
        expect(peer).toMatchObject({
          relation: "BLACKLIST",
          phase: "closed",
          outbound: null,
          inbound: null,
          nextAttemptAt: null,
        }),
      ),
      watchPeer(b.daemon, a.peerId, WATCH_MS, (peer) => expect(peer).toMatchObject({ outbound: null, inbound: null })),
    ]);
    const still = await b.daemon.peer(a.peerId);
    expect(still).toMatchObject({ relation: "PARTNER", lastError: { code: "refused" } });
    expect((still?.attempts ?? 0) - attemptsBefore).toBeGreaterThanOrEqual(3);
    expect(await a.daemon.metric("oc_partnerd_connections")).toBe(0);
    const [knocks] = a.daemon.sql("select refusal_code, refusal_count from peer_status where peer_id = ?", b.peerId);
    expect(knocks).toEqual({ refusal_code: "blacklisted", refusal_count: await a.daemon.metric(BLACKLISTED_REFUSALS) });
    expect(Number(knocks?.["refusal_count"])).toBeGreaterThanOrEqual(3);
    expect(eventsOf(a, "InboundRefused")).toEqual([{ direction: null, reason: "blacklisted" }]);
    expect(eventsOf(a, "StreamClosed")).toEqual([
      { direction: "outbound", reason: "revoked" },
      { direction: "inbound", reason: "revoked" },
    ]);
    expect(eventsOf(a, "StreamOpened")).toHaveLength(2);
  });

  test("a frozen partner is noticed in both directions, and reconnected when it thaws, without a new event", async ({
    expect,
  }) => {
    const [a, b] = nextPair();
    await Promise.all([befriend(a, b), befriend(b, a)]);
    await b.daemon.freeze();
    await whenPeer(a.daemon, b.peerId, "no stream is open", hasNoStream, FROZEN_NOTICED_WITHIN);
    expect(eventsOf(a, "StreamClosed")).toEqual(
      expect.arrayContaining([
        { direction: "outbound", reason: "expired" },
        { direction: "inbound", reason: "expired" },
      ]),
    );
    b.daemon.thaw();
    const areBack = (peer: PeerView | undefined) => isEstablished(peer) && hasInbound(peer);
    await whenPeer(a.daemon, b.peerId, "both streams are open again", areBack, 10_000);
    await whenPeer(b.daemon, a.peerId, "both streams are open again", areBack, 10_000);
    expect(a.daemon.count("select count(*) from event_log where type = 'PeerDesired'")).toBe(1);
  });

  test("a frozen partner with a distant next attempt is reconnected at its first sign of life", async ({ expect }) => {
    const [a, b] = impatientPair;
    await befriend(a, b);
    await b.daemon.freeze();
    const isFarAway = (peer: PeerView | undefined) => Date.parse(peer?.nextAttemptAt ?? "") - Date.now() > 6_000;
    await whenPeer(a.daemon, b.peerId, "the next attempt is far away", isFarAway, 200_000);
    b.daemon.thaw();
    const back = await whenPeer(a.daemon, b.peerId, "the stream is open again", isEstablished, 5_000);
    expect(back.peer?.attempts, "events do not reset the count").toBeGreaterThan(0);
  });

  test("a crashed partner is redialled as soon as it is back", async ({ expect }) => {
    const [a, b] = nextPair();
    await befriend(a, b);
    await b.daemon.kill();
    await whenPeer(a.daemon, b.peerId, "the loss is noticed", (peer) => !isEstablished(peer), LOSS_NOTICED_WITHIN);
    await b.daemon.start("started");
    await whenPeer(a.daemon, b.peerId, "the stream is open again", isEstablished, RETRIED_WITHIN);
    await whenPeer(b.daemon, a.peerId, "the inbound stream is open again", hasInbound, 10_000);
    expect((await b.daemon.self()).peerId).toBe(b.peerId);
    expect(b.daemon.sql("select reason from event_log where type = 'StreamClosed'")).toEqual([{ reason: "daemon_restart" }]);
  });

  test("a crashed daemon restores its streams from its log alone, without NATS", async ({ expect }) => {
    const [a, b] = nextPair();
    await befriend(a, b);
    await a.nats.stop();
    await a.daemon.kill();
    expect(databaseFaults(a.daemon)).toEqual([]);
    await a.daemon.start("nothing");
    await a.daemon.until(
      "the stream is open again",
      async () => isEstablished(await a.daemon.peer(b.peerId).catch(() => undefined)),
      10_000,
    );
    expect((await a.daemon.health("/readyz")).status).toBe(503);
    expect(eventsOf(a, "StreamClosed")).toEqual([{ direction: "outbound", reason: "daemon_restart" }]);
    expect(a.daemon.sql("select direction, close_reason from session_periods order by valid_from_seq")).toEqual([
      { direction: "outbound", close_reason: "daemon_restart" },
      { direction: "outbound", close_reason: null },
    ]);
    await a.daemon.kill();
    expect(databaseFaults(a.daemon)).toEqual([]);
  });

  test("streams survive the loss of NATS, and events arrive again afterwards", async ({ expect }) => {
    const [a, b] = nextPair();
    await befriend(a, b);
    await a.nats.kill();
    await a.daemon.until("readiness names NATS", async () => (await a.daemon.health("/readyz")).status === 503);
    const sightings = await watchPeer(a.daemon, b.peerId, WATCH_MS, (peer) => expect(peer?.phase).toBe("established"));
    expectContinuity(sightings, (peer) => peer.outbound);
    const { body } = await a.daemon.health("/readyz");
    expect(body.checks.filter(({ ok }) => !ok)).toMatchObject([{ name: "nats", message: matching(/^reconnecting since /) }]);
    expect((await a.daemon.health("/livez")).status).toBe(200);

    await a.nats.start();
    await a.daemon.until("it is ready again", async () => (await a.daemon.health("/readyz")).status === 200);
    await using publisher = await Publisher.connect(a.nats);
    await publisher.relate(b, "NONE");
    await whenPeer(a.daemon, b.peerId, "the stream is gone", hasNoStream, REVOKED_WITHIN);
  });
});
