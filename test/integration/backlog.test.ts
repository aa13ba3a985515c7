/** Events published while the daemon was down are in the log soon after it starts. */
import { connect } from "nats";
import { expect, test } from "vitest";
import { Broker } from "../crash/broker.ts";
import { inspectAll } from "../crash/inspect.ts";
import { Mirror } from "../crash/mirror.ts";
import { rawConnection } from "../store/support/temporary-store.ts";
import { repetitions } from "../support/campaign.ts";
import { DaemonProcess } from "../support/daemon-process.ts";
import { CREATE, envelope, REMOVE } from "../support/messages.ts";
import { peerIdOfSeed } from "../support/peer-ids.ts";

const EVENTS = repetitions(2_000, 10_000);
const PEERS = 100;
/** Not the performance target: allows for a busy machine. */
const DEADLINE_MS = 60_000;

interface Peer {
  readonly peerId: string;
  readonly resourceId: string;
}

/** The event with this number. Each peer in turn gets another relation or is removed; none is a partner, so nothing is dialled. */
function eventOf(
  number: number,
  { peerId, resourceId }: Peer,
): { readonly subject: string; readonly relation: string; readonly text: string } {
  const turn = Math.floor(number / PEERS);
  if (turn % 10 === 9)
    return { subject: REMOVE, relation: "REMOVED", text: JSON.stringify(envelope({ id: resourceId, peer_id: peerId })) };
  const relation = ["NONE", "PENDING_PARTNER", "BLACKLIST"][turn % 3] ?? "";
  const address = `/ip4/127.0.0.1/tcp/1/p2p/${peerId}`;
  const record = { id: resourceId, name: `peer, event ${number}`, peer_id: peerId, stream_address: address, relation };
  const payload = Buffer.from(JSON.stringify(record)).toString("base64");
  return { subject: CREATE, relation, text: JSON.stringify(envelope(payload)) };
}

test(`${EVENTS} events published while the daemon was down: all in the log, in order, with correct projections`, async () => {
  const peers = await Promise.all(
    Array.from({ length: PEERS }, async (_, index) => ({
      peerId: await peerIdOfSeed(index + 1),
      resourceId: `resource-${index}`,
    })),
  );
  await using broker = await Broker.start();
  await using daemon = await DaemonProcess.start({ config: { nats: { url: broker.url, mode: "jetstream" } } });
  await daemon.stop();

  const publisher = await connect({ servers: [broker.url] });
  const lastRelation = new Map<string, string>();
  for (let number = 0; number < EVENTS; number++) {
    const peer = peers[number % PEERS];
    if (peer === undefined) throw new Error("no peer");
    const { subject, relation, text } = eventOf(number, peer);
    publisher.publish(subject, text);
    lastRelation.set(peer.peerId, relation);
  }
  await publisher.drain();
  expect(await broker.lastSequence()).toBe(EVENTS);

  // One connection for all queries, because reopening it would take time from the daemon.
  using log = rawConnection(daemon.databaseFile, { readonly: true });
  const sequence = log.database.prepare("select sequence from ingest_cursor").pluck();
  const spawnedMs = performance.now();
  await daemon.start("nothing");
  await daemon.until("the log has all of them", () => sequence.get() === EVENTS, DEADLINE_MS);
  const tookMs = Math.round(performance.now() - spawnedMs);
  process.stdout.write(`${EVENTS} events were in the log ${tookMs} ms after the daemon was spawned\n`);

  expect(daemon.count("select count(*) from event_log where subject is not null")).toBe(EVENTS);
  const relations = daemon.sql("select peer_id, relation from desired_peers").map((row) => [row["peer_id"], row["relation"]]);
  expect(Object.fromEntries(relations)).toEqual(Object.fromEntries(lastRelation));
  expect(await daemon.stop()).toEqual({ code: 0, signal: null });
  expect((await inspectAll(broker, new Mirror(), { dataDir: daemon.dataDir, consumer: "oc-partnerd" })).faults).toEqual([]);
});
