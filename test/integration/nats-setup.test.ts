/** setUp with a real nats-server: what it creates, changes in place, leaves alone and rejects. */
import {
  AckPolicy,
  type ConnectionOptions,
  connect,
  type JetStreamManager,
  type NatsConnection,
  RetentionPolicy,
  StorageType,
  type StreamConfig,
} from "nats";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { isDone, type Wanted } from "../../src/nats/setup/plan.ts";
import { planFor, setUp } from "../../src/nats/setup/setup.ts";
import { matching } from "../support/matchers.ts";
import { NatsServer } from "../support/nats-server.ts";

const ACCOUNTS = `
accounts {
  ours { jetstream: enabled, users: [
    { user: admin, password: p }
    { user: reader, password: p, permissions: { publish: ["$JS.API.INFO", "$JS.API.STREAM.INFO.*"], subscribe: "_INBOX.>" } }
  ] }
  without { users: [{ user: without, password: p }] }
}`;

const wanted: Wanted = {
  stream: "OC_RESOURCES",
  consumer: "oc-partnerd",
  subjects: ["CREATE_RESOURCE", "REMOVE_RESOURCE"],
  limits: {},
};

let server: NatsServer;
let client: NatsConnection;
let manager: JetStreamManager;

const connected = (user: string): Promise<NatsConnection> => {
  const options: ConnectionOptions = { servers: server.url, user, pass: "p", reconnect: false };
  return connect(options);
};

/** The current state on the server. */
const stream = async (): Promise<StreamConfig> => (await manager.streams.info(wanted.stream)).config;

beforeAll(async () => {
  server = await NatsServer.start({ jetStream: true, config: ACCOUNTS });
  client = await connected("admin");
  manager = await client.jetstreamManager();
});

afterAll(async () => {
  await client?.close();
  await server?.[Symbol.asyncDispose]();
});

beforeEach(async () => {
  for await (const { config } of manager.streams.list()) await manager.streams.delete(config.name);
});

describe("setUp", () => {
  it("creates stream and consumer if they are missing, and then has nothing to do", async () => {
    const plan = await setUp(client, wanted);
    expect([plan.stream.action, plan.consumer.action]).toEqual(["create", "create"]);
    expect(await stream()).toMatchObject({
      subjects: wanted.subjects,
      storage: "file",
      retention: "limits",
      discard: "old",
      no_ack: true,
      deny_delete: true,
      deny_purge: true,
      max_bytes: 1_073_741_824,
      max_age: 0,
      num_replicas: 1,
    });
    const { config } = await manager.consumers.info(wanted.stream, wanted.consumer);
    expect(config).toMatchObject({ ack_policy: "all", deliver_policy: "by_start_sequence", opt_start_seq: 1 });
    expect(config.deliver_subject).toBeUndefined();

    expect(isDone(await planFor(client, wanted))).toBe(true);
    const { created } = await manager.consumers.info(wanted.stream, wanted.consumer);
    expect(isDone(await setUp(client, wanted))).toBe(true);
    expect((await manager.consumers.info(wanted.stream, wanted.consumer)).created).toBe(created);
  });

  it("makes a stream that stores a JetStream publish, whose publisher gets a timeout", async () => {
    await setUp(client, wanted);
    const publish = client.jetstream({ timeout: 500 }).publish("CREATE_RESOURCE", "{}");
    await expect(publish).rejects.toMatchObject({ code: "TIMEOUT" });
    expect((await manager.streams.info(wanted.stream)).state.messages).toBe(1);
  });

  it("plans without changing anything", async () => {
    expect((await planFor(client, wanted)).stream.action).toBe("create");
    expect(await manager.streams.list().next()).toEqual([]);
  });

  it("adds missing settings to our stream, and leaves its limits", async () => {
    await manager.streams.add({
      name: wanted.stream,
      subjects: ["CREATE_RESOURCE"],
      max_bytes: 4_096_000,
      max_msgs: 1_000,
      allow_rollup_hdrs: true,
    });
    const plan = await setUp(client, wanted);
    expect(plan.stream.action).toBe("update");
    expect(plan.stream.changes.map(({ field }) => field).sort()).toEqual(
      ["allow_rollup_hdrs", "deny_delete", "deny_purge", "no_ack", "subjects"].sort(),
    );
    expect(await stream()).toMatchObject({
      subjects: wanted.subjects,
      no_ack: true,
      deny_delete: true,
      deny_purge: true,
      allow_rollup_hdrs: false,
      max_bytes: 4_096_000,
      max_msgs: 1_000,
    });
  });

  it("changes the requested limits, up or down, and no others", async () => {
    const day = 86_400_000;
    await setUp(client, { ...wanted, limits: { maxBytes: 1_048_576, maxAgeMs: day } });
    expect(await stream()).toMatchObject({ max_bytes: 1_048_576, max_age: day * 1_000_000 });
    await setUp(client, { ...wanted, limits: { maxBytes: null } });
    expect(await stream()).toMatchObject({ max_bytes: -1, max_age: day * 1_000_000 });
    const plan = await setUp(client, { ...wanted, limits: { maxAgeMs: null } });
    expect(plan.stream.changes).toEqual([{ field: "max_age", found: "1 d", required: "any age" }]);
    expect(await stream()).toMatchObject({ max_bytes: -1, max_age: 0 });
  });

  it("refuses an age below the stream's duplicate_window, and takes any for a new stream", async () => {
    await setUp(client, { ...wanted, limits: { maxAgeMs: 100 } });
    await manager.streams.delete(wanted.stream);
    await setUp(client, wanted);
    await expect(planFor(client, { ...wanted, limits: { maxAgeMs: 5_000 } })).rejects.toMatchObject({
      code: "usage",
      message: `--max-age is 5 s, expected at least 2 min, the duplicate_window of stream ${wanted.stream}`,
      nextStep: "give --max-age 2min or more",
    });
    expect((await setUp(client, { ...wanted, limits: { maxAgeMs: 120_000 } })).stream.action).toBe("update");
  });

  it("keeps settings that are no longer requested", async () => {
    await setUp(client, wanted);
    expect(isDone(await setUp(client, { ...wanted, subjects: ["CREATE_RESOURCE"] }))).toBe(true);
    expect((await stream()).subjects).toEqual(wanted.subjects);
  });

  it("accepts a stream with more subjects, and explains its settings", async () => {
    await manager.streams.add({ name: wanted.stream, subjects: ["*", "other.>"] });
    const plan = await setUp(client, wanted);
    expect([plan.stream.action, plan.consumer.action]).toEqual(["keep", "create"]);
    expect(plan.stream.notes).toEqual([
      matching(/^no_ack stays false.*replies to requests/),
      matching(/^deny_delete stays false/),
      matching(/^deny_purge stays false/),
    ]);
    const { subjects, no_ack: noAck = false } = await stream();
    expect({ subjects, noAck }).toEqual({ subjects: ["*", "other.>"], noAck: false });
  });

  it("recreates a consumer with another acknowledgement policy, at its last position", async () => {
    await setUp(client, wanted);
    for (let count = 0; count < 3; count++) client.publish("CREATE_RESOURCE", "{}");
    await client.flush();
    await manager.consumers.delete(wanted.stream, wanted.consumer);
    await manager.consumers.add(wanted.stream, { durable_name: wanted.consumer, ack_policy: AckPolicy.Explicit });
    const consumer = await client.jetstream().consumers.get(wanted.stream, wanted.consumer);
    await (await consumer.next())?.ackAck();
    const plan = await setUp(client, wanted);
    expect(plan.consumer).toMatchObject({
      action: "replace",
      changes: [{ field: "ack_policy", found: "explicit", required: "all" }, { field: "max_ack_pending" }],
    });
    const { config, num_pending: pending } = await manager.consumers.info(wanted.stream, wanted.consumer);
    expect({ start: config.opt_start_seq, pending }).toEqual({ start: 2, pending: 2 });
  });
});

describe("setUp rejects, without changing anything,", () => {
  const refused: readonly (readonly [string, Partial<StreamConfig>, RegExp])[] = [
    ["a stream in memory", { storage: StorageType.Memory }, /storage is memory, must be file/],
    ["a work queue", { retention: RetentionPolicy.Workqueue }, /retention is workqueue, must be limits/],
    [
      "a stream that keeps while there is interest",
      { retention: RetentionPolicy.Interest },
      /retention is interest, must be limits/,
    ],
  ];
  it.each(refused)("%s", async (_name, config, message) => {
    await manager.streams.add({ ...config, name: wanted.stream, subjects: ["CREATE_RESOURCE"] });
    const before = await stream();
    await expect(setUp(client, wanted)).rejects.toMatchObject({
      code: "stream_unsuitable",
      message: matching(message),
      nextStep: matching(/nats\.stream/),
    });
    expect(await stream()).toEqual(before);
    await expect(manager.consumers.info(wanted.stream, wanted.consumer)).rejects.toThrow("consumer not found");
  });

  it("a mirror, naming its source", async () => {
    await manager.streams.add({ name: "SOURCE", subjects: ["x"] });
    await manager.streams.add({ name: wanted.stream, mirror: { name: "SOURCE" } });
    await expect(setUp(client, wanted)).rejects.toMatchObject({ message: matching(/mirror is SOURCE, must be none/) });
  });

  it("a sealed stream", async () => {
    await manager.streams.add({ name: wanted.stream, subjects: [...wanted.subjects] });
    await manager.streams.update(wanted.stream, { sealed: true } as Partial<StreamConfig>);
    await expect(setUp(client, wanted)).rejects.toMatchObject({ message: matching(/sealed is true, must be false/) });
  });

  it("subjects that other streams capture, naming them", async () => {
    await manager.streams.add({ name: "OTHER", subjects: ["CREATE_RESOURCE"] });
    await expect(setUp(client, wanted)).rejects.toMatchObject({
      code: "stream_unsuitable",
      message: matching(/CREATE_RESOURCE captured by stream OTHER/),
      nextStep: "remove the subjects from stream OTHER",
    });
    await manager.streams.update("OTHER", { subjects: ["*"] });
    await expect(setUp(client, wanted)).rejects.toMatchObject({
      nextStep: matching(/^set nats\.stream to OTHER and run `oc-partnerd setup` again/),
    });
    await expect(stream()).rejects.toThrow("stream not found");
  });

  it("a push consumer", async () => {
    await manager.streams.add({ name: wanted.stream, subjects: [...wanted.subjects] });
    await manager.consumers.add(wanted.stream, { durable_name: wanted.consumer, deliver_subject: "elsewhere" });
    await expect(setUp(client, wanted)).rejects.toMatchObject({
      message: matching(/deliver_subject is elsewhere/),
      nextStep: matching(/set nats\.consumer/),
    });
    expect((await manager.consumers.info(wanted.stream, wanted.consumer)).config.deliver_subject).toBe("elsewhere");
  });
});

describe("setUp reports", () => {
  it("an account without JetStream", async () => {
    const other = await connected("without");
    await expect(setUp(other, wanted)).rejects.toMatchObject({
      code: "jetstream_unavailable",
      message: matching(/JetStream not enabled for account/),
    });
    await other.close();
  });

  it("a server without JetStream", async () => {
    await using plain = await NatsServer.start();
    const other = await connect({ servers: plain.url, reconnect: false });
    await expect(setUp(other, wanted)).rejects.toMatchObject({ code: "jetstream_unavailable" });
    await other.close();
  });

  it("the missing permission", async () => {
    const other = await connected("reader");
    await expect(setUp(other, wanted)).rejects.toMatchObject({
      code: "nats_denied",
      message: matching(/denies the publish "\$JS\.API\.STREAM\.NAMES"/),
    });
    await other.close();
  });

  it("insufficient storage or servers", async () => {
    await expect(setUp(client, { ...wanted, limits: { maxBytes: 1e18 } })).rejects.toMatchObject({
      code: "jetstream_refused",
      message: matching(/insufficient storage/),
      nextStep: matching(/--max-bytes/),
    });
    await expect(setUp(client, { ...wanted, limits: { replicas: 3 } })).rejects.toMatchObject({
      code: "jetstream_refused",
      nextStep: matching(/--replicas/),
    });
  });
});
