/** Every sample message, sent through a real nats-server to a real daemon: the desired state, the rows and the memory that result. */
import { createHash } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { DEFAULT_LIMITS } from "../../src/events/vocabulary.ts";
import { DaemonProcess } from "../support/daemon-process.ts";
import { matching } from "../support/matchers.ts";
import { CREATE } from "../support/messages.ts";
import { NatsServer } from "../support/nats-server.ts";
import { peerIdOfSeed } from "../support/peer-ids.ts";
import { Publisher } from "../support/publisher.ts";
import { loadSamples, REFUSAL_REASONS, type Sample } from "../support/samples.ts";

const owner = new AsyncDisposableStack();
let daemon: DaemonProcess;
let publisher: Publisher;

const peerId = await peerIdOfSeed(1);
// Nothing listens there; only the desired state matters here.
const address = `/ip4/127.0.0.1/tcp/9/p2p/${peerId}`;
const values = { peerId, address, anotherPeerId: await peerIdOfSeed(2) };
const partner = sampleNamed("json-text.json");

function sampleNamed(name: string): Sample {
  const sample = loadSamples("accepted", values).find((candidate) => candidate.name === name);
  if (sample === undefined) throw new Error(`no sample is named ${name}`);
  return sample;
}

beforeAll(async () => {
  // More than the daemon's own limit, so that oversized messages get through the server and the daemon must reject them.
  const nats = owner.use(await NatsServer.start({ config: `max_payload: ${8 * DEFAULT_LIMITS.maxMessageBytes}` }));
  daemon = owner.use(await DaemonProcess.start({ config: { nats: { url: nats.url } } }));
  publisher = owner.use(await Publisher.connect(nats));
});
afterAll(() => owner.disposeAsync());

const headSeq = () => daemon.count("select coalesce(max(seq), 0) from event_log");
const messagesOf = (result: string) => daemon.metric(`oc_partnerd_events_received_total{result="${result}"}`);
const desiredRows = () => daemon.sql("select * from desired_peers order by peer_id");
const newest = (columns: string) =>
  daemon.sql(`select ${columns} from event_log where subject is not null order by seq desc limit 1`)[0];

/** Publishes and waits until one more message has the result `result`. Resolves to the number of events appended. */
async function publish(bytes: Uint8Array, result: string): Promise<number> {
  const appended = () => daemon.count("select count(*) from event_log where subject is not null");
  const [before, appendedBefore] = [(await messagesOf(result)) ?? 0, appended()];
  await publisher.publish(CREATE, bytes);
  await daemon.until(`one more message is ${result}`, async () => (await messagesOf(result)) === before + 1);
  return appended() - appendedBefore;
}

describe("accepted samples", () => {
  const relations: Record<string, string> = {
    "revocation-without-address.json": "NONE",
    "revocation.json": "BLACKLIST",
    "unknown-relation.json": "SOMETHING_NEW",
  };

  test.each(loadSamples("accepted", values))("$name", async (sample) => {
    const relation = relations[sample.name] ?? "PARTNER";
    const standing = relation === "PARTNER" ? "partner" : relation === "BLACKLIST" ? "blacklisted" : "revoked";
    if (standing !== "partner" && (await daemon.peer(peerId))?.relation !== "PARTNER") await publish(partner.bytes, "changed");
    expect(await publish(sample.bytes, "changed")).toBe(1);

    expect(newest("type, peer_id, relation, effect, subject, payload")).toEqual({
      type: "PeerDesired",
      peer_id: peerId,
      relation,
      effect: "changed",
      subject: CREATE,
      payload: Buffer.from(sample.bytes),
    });
    expect(desiredRows()).toMatchObject([{ peer_id: peerId, relation, standing, address }]);
    const [view, ...others] = await daemon.peers();
    expect(others).toEqual([]);
    expect(view).toMatchObject({ peerId, relation, standing, address, outbound: null, inbound: null });
    expect(await daemon.metric("oc_partnerd_desired_partners")).toBe(standing === "partner" ? 1 : 0);

    expect(await publish(sample.bytes, "unchanged")).toBe(1);
    // A different state from the next sample's.
    await publisher.remove(values);
    await daemon.until("the peer is removed", async () => (await daemon.peer(peerId))?.relation === "REMOVED");
    expect(desiredRows()).toMatchObject([{ peer_id: peerId, relation: "REMOVED", standing: "revoked" }]);
  });
});

describe("refused samples", () => {
  test.each(loadSamples("refused", values))("$name", async (sample) => {
    const before = desiredRows();
    expect(await publish(sample.bytes, "rejected")).toBe(1);
    expect(newest("type, reason, payload, payload_bytes")).toEqual({
      type: "EventRejected",
      reason: REFUSAL_REASONS[sample.name],
      payload: Buffer.from(sample.bytes),
      payload_bytes: sample.bytes.length,
    });
    expect(daemon.sql("select reason, message from rejected_events order by seq desc limit 1")).toEqual([
      { reason: REFUSAL_REASONS[sample.name], message: matching(/\w/) },
    ]);
    expect(desiredRows()).toEqual(before);
    expect(await daemon.peers()).toMatchObject([{ peerId, relation: "REMOVED" }]);
  });
});

describe("ignored samples", () => {
  const results: Record<string, string> = { "echo.json": "echo", "other-datatype.json": "other_datatype" };

  test.each(loadSamples("ignored", values))("$name", async (sample) => {
    const [rows, head] = [desiredRows(), headSeq()];
    expect(await publish(sample.bytes, results[sample.name] ?? "")).toBe(0);
    expect(headSeq()).toBe(head);
    expect(desiredRows()).toEqual(rows);
  });
});

describe("dangerous messages", () => {
  const tooLong = Buffer.alloc(4 * DEFAULT_LIMITS.maxMessageBytes, `${Buffer.from(partner.bytes).toString()} `);
  const tooDeep = Buffer.from('{"Payload":'.repeat(40_000));
  const GROWTH_BYTES = 160 * 1_048_576;

  test("a message over maxMessageBytes is rejected, and its first 64 KiB, its size and its hash are kept", async () => {
    expect(await publish(tooLong, "rejected")).toBe(1);
    expect(newest("reason, payload, payload_bytes, payload_sha256")).toEqual({
      reason: "too_large",
      payload: tooLong.subarray(0, 64 * 1_024),
      payload_bytes: tooLong.length,
      payload_sha256: createHash("sha256").update(tooLong).digest("hex"),
    });
  });

  test("many of them leave the daemon healthy, with bounded memory, and the next event is processed", async () => {
    const [before, rejected] = [daemon.residentBytes, (await messagesOf("rejected")) ?? 0];
    // All at once are more than the 64 MiB that nats-server keeps for a subscriber; on a busy machine it would drop the daemon.
    for (let sent = 0; sent < 100; ) {
      for (const end = sent + 20; sent < end; sent += 2) {
        await publisher.publish(CREATE, tooLong);
        await publisher.publish(CREATE, tooDeep);
      }
      const due = rejected + sent;
      await daemon.until(`${sent} are refused`, async () => (await messagesOf("rejected")) === due, 30_000);
    }
    expect(newest("reason")).toEqual({ reason: "too_deep" });
    expect(daemon.residentBytes - before).toBeLessThan(GROWTH_BYTES);
    expect((await daemon.health("/livez")).status).toBe(200);
    expect(await publish(partner.bytes, "changed")).toBe(1);
    expect(await daemon.peer(peerId)).toMatchObject({ relation: "PARTNER" });
    expect(daemon.stderr).toBe("");
  });
});
