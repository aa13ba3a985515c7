/** Records that name several addresses, or none that TCP can dial, in live daemons. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Participant, startParticipants } from "../support/participant.ts";
import { peerIdOfSeed } from "../support/peer-ids.ts";
import { hasInbound, isEstablished, whenPeer } from "../support/peer-watch.ts";
import { closedPort } from "../support/tcp-listener.ts";

const owner = new AsyncDisposableStack();
let a: Participant;
let b: Participant;

beforeAll(async () => {
  [a, b] = await startParticipants(owner, ["a", "b"]);
});
afterAll(() => owner.disposeAsync());

test("of several addresses the first that answers is used, and the others are shown as skipped", async () => {
  const quic = `/ip4/127.0.0.1/udp/4001/quic-v1/p2p/${b.peerId}`;
  const closed = `/ip4/127.0.0.1/tcp/${await closedPort()}/p2p/${b.peerId}`;
  await a.publisher.relate({ peerId: b.peerId, address: `${quic}, ${closed} ${b.address}` }, "PARTNER");
  const { peer } = await whenPeer(a.daemon, b.peerId, "the stream is open", isEstablished, 10_000);
  expect(peer).toMatchObject({ address: [quic, closed, b.address].join(","), skippedAddresses: [quic], lastError: null });
});

test("a stream outlives a change to an address that TCP cannot dial; later the peer's own connection is used", async () => {
  const address = `/ip4/127.0.0.1/udp/4001/quic-v1/p2p/${b.peerId}`;
  await a.publisher.relate({ peerId: b.peerId, address }, "PARTNER");
  const { peer } = await whenPeer(a.daemon, b.peerId, "its record changed", (each) => each?.address === address, 10_000);
  expect(peer).toMatchObject({ phase: "established", skippedAddresses: [address] });
  const { history } = await a.daemon.peerDetail(b.peerId);
  expect(history.find(({ seq }) => seq === peer?.desiredSeq)?.message).toContain(address);

  await b.daemon.stop();
  await whenPeer(a.daemon, b.peerId, "it cannot be dialled", (each) => each?.lastError?.code === "address_unsupported", 15_000);
  await b.daemon.start();
  await b.publisher.relate(a, "PARTNER");
  await whenPeer(a.daemon, b.peerId, "both streams are open", (each) => isEstablished(each) && hasInbound(each), 15_000);
});

test("addresses of two peers are rejected", async () => {
  const other = await peerIdOfSeed(3);
  await a.publisher.relate({ peerId: b.peerId, address: `${b.address},/ip4/127.0.0.1/tcp/1/p2p/${other}` }, "PARTNER");
  await a.daemon.until("it is rejected", () => a.daemon.count("select count(*) from rejected_events") === 1, 5_000);
  expect(a.daemon.sql("select reason from event_log where type = 'EventRejected'")).toEqual([{ reason: "peer_id_disagrees" }]);
});
