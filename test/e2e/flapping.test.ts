/** Real peers that connect and flap as fast as they can: the log grows by a bounded number of rows, and partners keep all of theirs. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startFlapper } from "../support/flapper.ts";
import { bound } from "../support/pace/pace.ts";
import { type Participant, startParticipants } from "../support/participant.ts";
import { hasInbound, isEstablished, whenPeer } from "../support/peer-watch.ts";

const MOST_ROWS_PER_MINUTE = 60;

const owner = new AsyncDisposableStack();
let ours: Participant;
let partner: Participant;

beforeAll(async () => {
  [ours, partner] = await startParticipants(owner, ["ours", "partner"]);
  await ours.publisher.relate(partner, "PARTNER");
  await partner.publisher.relate(ours, "PARTNER");
  const isUp = (peer: Parameters<typeof hasInbound>[0]) => isEstablished(peer) && hasInbound(peer);
  await whenPeer(ours.daemon, partner.peerId, "both streams are open", isUp, 10_000);
});
afterAll(() => owner.disposeAsync());

/** The most rows within a minute, by their time. */
function mostPerMinute(where: string, ...parameters: unknown[]): number {
  const times = ours.daemon
    .sql(`select at_ms from event_log where type <> 'PeerDesired' and ${where} order by at_ms`, ...parameters)
    .map((row) => Number(row["at_ms"]));
  return Math.max(0, ...times.map((atMs, index) => index + 1 - times.findIndex((earlierMs) => earlierMs > atMs - 60_000)));
}

/** A partner that is revoked and desired again, while others flap, leaves a row for each end and each opening. */
async function revokeAndRestorePartner(): Promise<void> {
  const { daemon, publisher } = ours;
  const before = daemon.count("select max(seq) from event_log");
  await publisher.relate(partner, "NONE");
  const isGone = (peer: Parameters<typeof hasInbound>[0]) => !isEstablished(peer) && !hasInbound(peer);
  await whenPeer(daemon, partner.peerId, "both streams are closed", isGone, bound(1_000));
  await publisher.relate(partner, "PARTNER");
  await whenPeer(daemon, partner.peerId, "our stream is open", isEstablished, 10_000);
  const rows = daemon.sql(
    "select type, direction from event_log where peer_id = ? and seq > ? order by seq",
    partner.peerId,
    before,
  );
  const told = rows.map((row) => `${row["type"]} ${row["direction"]}`);
  expect(told).toEqual(expect.arrayContaining(["StreamClosed outbound", "StreamClosed inbound", "StreamOpened outbound"]));
}

const OF_STRANGERS = "cause_seq is null and type in ('StreamOpened', 'StreamClosed', 'InboundRefused', 'EventsSuppressed')";

describe("strangers", () => {
  test("sixteen that flap, and a hundred that come once, cause few rows and hide no row of a partner", async () => {
    const flappers = await Promise.all(Array.from({ length: 16 }, (_, index) => startFlapper(100 + index, ours.address)));
    for (const flapper of flappers) owner.use(flapper);
    const flapping = Promise.all(flappers.map((flapper) => flapper.flap(25)));
    const once = async () => {
      for (let seed = 120; seed < 220; seed += 5)
        await Promise.all(
          Array.from({ length: 5 }, async (_, index) => {
            await using stranger = await startFlapper(seed + index, ours.address);
            await stranger.flap(2);
          }),
        );
    };
    await Promise.all([flapping, once(), revokeAndRestorePartner()]);

    const { daemon } = ours;
    const refused = (await daemon.metric('oc_partnerd_inbound_refused_total{reason="flapping"}')) ?? 0;
    expect(refused).toBeGreaterThan(16 * 10);
    expect(mostPerMinute(OF_STRANGERS)).toBeLessThanOrEqual(MOST_ROWS_PER_MINUTE);
    expect(daemon.count(`select count(*) from event_log where ${OF_STRANGERS}`)).toBeGreaterThan(16);
    expect(daemon.count("select count(*) from event_log where type = 'StreamClosed' and opened_seq is null")).toBe(0);
    // A line of the log per row, and a few about the daemon itself.
    expect(daemon.logLines().length).toBeLessThan(daemon.count("select count(*) from event_log") + 20);
  });
});

test("a partner that flaps is slowed down, and every stream of its that was open is in the log", async () => {
  const { daemon, publisher } = ours;
  await using flapper = await startFlapper(250, ours.address);
  await flapper.flap(1);
  await publisher.relate({ peerId: flapper.peerId, address: "/ip4/127.0.0.1/tcp/9" }, "PARTNER");
  await flapper.flap(200);
  const ofPeer = (condition: string) =>
    daemon.count(`select count(*) from event_log where peer_id = ? and ${condition}`, flapper.peerId);
  expect(mostPerMinute("peer_id = ?", flapper.peerId)).toBeLessThanOrEqual(MOST_ROWS_PER_MINUTE);
  const [opened, open] = [
    ofPeer("type = 'StreamOpened'"),
    daemon.count("select count(*) from open_stream where peer_id = ?", flapper.peerId),
  ];
  expect(opened).toBeGreaterThanOrEqual(4);
  expect(ofPeer("type = 'StreamClosed'")).toBe(opened - open);
  expect(ofPeer("type = 'InboundRefused' and reason = 'flapping'")).toBeGreaterThanOrEqual(1);
});
