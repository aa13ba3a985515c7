/**
 * Nothing that a broker forgets, and no copy of a log, makes the log claim what is false: rollbacks, clones, subjects that are no
 * longer captured, and a cluster that loses its leader. With real servers and daemons.
 */
import { cpSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { connect, DiscardPolicy, type JetStreamManager, type NatsConnection, type StreamConfig } from "nats";
import { expect, test } from "vitest";
import { systemRandom } from "../../src/base/clock.ts";
import { PartnerdError } from "../../src/base/errors.ts";
import { freePorts } from "../../src/demo/stage/stage.ts";
import { BrokerStreamApi } from "../../src/nats/broker-stream-api.ts";
import { setUp } from "../../src/nats/setup/setup.ts";
import { cursorRowOf } from "../../src/store/model/cursor.ts";
import type { DeliveryView } from "../../src/views/api.ts";
import { rawConnection } from "../store/support/temporary-store.ts";
import { type ConfigFile, DaemonProcess } from "../support/daemon-process.ts";
import { CREATE, REMOVE } from "../support/messages.ts";
import { NatsServer } from "../support/nats-server.ts";
import { bound } from "../support/pace/pace.ts";
import { until } from "../support/until.ts";

const STREAM = "OC_RESOURCES";
const CONSUMER = "oc-partnerd";
const SUBJECTS = [CREATE, REMOVE];
const REPORTED_WITHIN = bound(10_000);

const admin = ({ url }: { readonly url: string }): Promise<NatsConnection> => connect({ servers: url, reconnect: false });

async function managed(nats: NatsServer, work: (manager: JetStreamManager) => Promise<unknown>): Promise<void> {
  const client = await admin(nats);
  await work(await client.jetstreamManager());
  await client.close();
}

async function serverWithStream(): Promise<NatsServer> {
  const nats = await NatsServer.start({ jetStream: true });
  await setUpStream(nats);
  return nats;
}

async function setUpStream(nats: NatsServer): Promise<void> {
  const client = await admin(nats);
  await setUp(client, { stream: STREAM, consumer: CONSUMER, subjects: SUBJECTS, limits: {} });
  await client.close();
}

/** Publishes `first` to `last`, which become the stream's sequences. */
async function publish(nats: NatsServer, first: number, last: number): Promise<void> {
  const client = await admin(nats);
  for (let sequence = first; sequence <= last; sequence++) client.publish(CREATE, `message ${sequence}`);
  await client.flush();
  await client.close();
}

const daemonOf = (nats: NatsServer, config: ConfigFile = {}) =>
  DaemonProcess.start({ config: { nats: { url: nats.url }, ...config } });

const hasLogged = (daemon: DaemonProcess, text: string) => daemon.until(`${text} is in the log`, () => count(daemon, text) > 0);

const count = (daemon: DaemonProcess, text: string) =>
  daemon.count("select count(*) from event_log where cast(payload as text) = ?", text);

/** As a program does that can write the database of a daemon that has stopped. */
function moveCursor({ dataDir }: DaemonProcess, sequence: number): void {
  using raw = rawConnection(join(dataDir, "oc-partnerd.db"));
  const read = raw.database.prepare<[], { stream: string; created: string; firstSequence: number }>(
    "select stream, created, first_sequence as firstSequence from ingest_cursor",
  );
  const before = read.get();
  if (before === undefined) throw new Error("there is no cursor");
  const { checksum } = cursorRowOf({ ...before, sequence, messageHash: null });
  raw.database.prepare("update ingest_cursor set sequence = ?, message_hash = null, checksum = ?").run(sequence, checksum);
}

/** Waits until `/readyz` fails because of this. */
const isUnready = (daemon: DaemonProcess, code: string) =>
  daemon.until(
    `it is not ready: ${code}`,
    async () => {
      const { status } = await daemon.health("/readyz");
      const answer = await fetch(`${daemon.httpUrl}/v1/delivery`);
      const { problem } = (await answer.json()) as DeliveryView;
      return status === 503 && problem?.code === code;
    },
    REPORTED_WITHIN,
  );

const isReady = (daemon: DaemonProcess) =>
  daemon.until("it is ready", async () => (await daemon.health("/readyz")).status === 200);

test("a log that was restored from an older copy says so, and never calls messages lost that it had", async () => {
  await using nats = await serverWithStream();
  await using daemon = await daemonOf(nats);
  await publish(nats, 1, 5);
  await hasLogged(daemon, "message 5");
  await daemon.stop();
  const copy = `${daemon.dataDir}.copy`;
  cpSync(daemon.dataDir, copy, { recursive: true });
  await daemon.start();
  await publish(nats, 6, 20);
  await hasLogged(daemon, "message 20");
  await daemon.stop();

  rmSync(daemon.dataDir, { recursive: true });
  cpSync(copy, daemon.dataDir, { recursive: true });
  await publish(nats, 21, 22);
  await managed(nats, async ({ streams }) => streams.update(STREAM, { max_msgs: 10 }));
  await daemon.start();
  await hasLogged(daemon, "message 22");
  expect(daemon.sql("select evidence, first_sequence, last_sequence from rollbacks")).toEqual([
    { evidence: "acknowledged", first_sequence: 6, last_sequence: 20 },
  ]);
  expect(daemon.sql("select reason, first_sequence, last_sequence from delivery_gaps")).toEqual([
    { reason: "rolled_back", first_sequence: 6, last_sequence: 12 },
  ]);
  for (let sequence = 13; sequence <= 22; sequence++) expect(count(daemon, `message ${sequence}`)).toBe(1);

  await daemon.stop();
  await daemon.start();
  expect(daemon.count("select count(*) from rollbacks"), "it is recorded once").toBe(1);
});

test("a cursor that was moved forward, with its checksum, loses nothing that the stream still holds", async () => {
  await using nats = await serverWithStream();
  await using daemon = await daemonOf(nats);
  await publish(nats, 1, 3);
  await hasLogged(daemon, "message 3");
  await daemon.stop();
  await publish(nats, 4, 8);
  moveCursor(daemon, 7);
  await daemon.start();
  await hasLogged(daemon, "message 8");
  for (let sequence = 1; sequence <= 8; sequence++) expect(count(daemon, `message ${sequence}`), `message ${sequence}`).toBe(1);
  expect(daemon.count("select count(*) from delivery_gaps")).toBe(0);
});

test("a purge while the daemon is away, which moves its consumer too, is not taken for a rollback", async () => {
  await using nats = await NatsServer.start({ jetStream: true });
  // One of `setup` refuses to be purged.
  await managed(nats, ({ streams }) => streams.add({ name: STREAM, subjects: SUBJECTS }));
  await using daemon = await daemonOf(nats);
  await publish(nats, 1, 5);
  await hasLogged(daemon, "message 5");
  await daemon.stop();
  await publish(nats, 6, 20);
  await managed(nats, ({ streams }) => streams.purge(STREAM, { seq: 16 }));
  await daemon.start();
  await hasLogged(daemon, "message 20");
  expect(daemon.sql("select reason, first_sequence, last_sequence from delivery_gaps")).toEqual([
    { reason: "purged", first_sequence: 6, last_sequence: 15 },
  ]);
  expect(daemon.count("select count(*) from rollbacks")).toBe(0);
});

test("a stream that was rewound and grew past the cursor, with nothing left to compare, is not taken for the same", async () => {
  await using nats = await serverWithStream();
  await using daemon = await daemonOf(nats);
  await publish(nats, 1, 3);
  await hasLogged(daemon, "message 3");
  await daemon.stop();
  const store = join(nats.directory, "store");
  const copy = `${store}.copy`;
  await nats.stop();
  cpSync(store, copy, { recursive: true });
  await nats.start();
  await daemon.start();
  await publish(nats, 4, 8);
  await hasLogged(daemon, "message 8");
  await daemon.stop();

  await nats.stop();
  rmSync(store, { recursive: true });
  cpSync(copy, store, { recursive: true });
  await nats.start();
  await publish(nats, 104, 120);
  await managed(nats, async ({ streams }) => streams.update(STREAM, { max_msgs: 5 }));
  await daemon.start();
  await hasLogged(daemon, "message 120");
  expect(daemon.sql("select reason, first_sequence, last_sequence from delivery_gaps")).toEqual([
    { reason: "unproven", first_sequence: 4, last_sequence: 8 },
    { reason: "purged", first_sequence: 9, last_sequence: 15 },
  ]);
});

test("two daemons with one identity notice each other, in readiness and in both logs", async () => {
  await using nats = await serverWithStream();
  await using daemon = await daemonOf(nats);
  await publish(nats, 1, 1);
  await hasLogged(daemon, "message 1");
  await daemon.stop();
  const data = `${daemon.dataDir}.clone`;
  mkdirSync(data, { mode: 0o700 });
  cpSync(daemon.dataDir, data, { recursive: true });
  await daemon.start();
  await using clone = await DaemonProcess.start({ config: { nats: { url: nats.url }, data }, until: "started" });
  await Promise.all([isUnready(clone, "identity_cloned"), isUnready(daemon, "identity_cloned")]);
  await publish(nats, 2, 4);
  for (const one of [daemon, clone]) {
    await hasLogged(one, "message 4");
    const [, other] = one === daemon ? [daemon, clone] : [clone, daemon];
    const run = other.sql(
      "select json_extract(details, '$.run') as run from event_log where type = 'DaemonStarted' order by seq desc",
    )[0];
    const seen = one.sql("select reason, json_extract(details, '$.otherRun') as run from event_log where type = 'CloneSeen'");
    expect(seen).toEqual([{ reason: "consumer", run: run?.["run"] }]);
    expect(one.count("select count(*) from rollbacks"), "no message was lost").toBe(0);
    expect(one.count("select count(*) from delivery_gaps")).toBe(0);
  }
});

test("a stream that stops capturing a subject is reported within ten seconds, and the span is recorded", async () => {
  await using nats = await serverWithStream();
  await using daemon = await daemonOf(nats);
  await publish(nats, 1, 1);
  await hasLogged(daemon, "message 1");
  const update = (config: Partial<StreamConfig>) => managed(nats, ({ streams }) => streams.update(STREAM, config));
  await update({ subjects: [REMOVE] });
  await isUnready(daemon, "subject_uncaptured");
  await publish(nats, 2, 2);
  await setUpStream(nats);
  await isReady(daemon);
  await publish(nats, 3, 3);
  await hasLogged(daemon, "message 3");
  expect(daemon.sql("select delivery, first_sequence, why from delivery_changes")).toEqual([
    { delivery: "at_least_once", first_sequence: 1, why: null },
    { delivery: "not_captured", first_sequence: 2, why: `${CREATE} not captured` },
    { delivery: "at_least_once", first_sequence: 2, why: null },
  ]);
});

test.each<[string, Partial<StreamConfig>, string]>([
  ["sealed", { sealed: true }, "it is sealed"],
  ["full", { max_msgs: 1, discard: DiscardPolicy.New }, "it is full, and discards new messages instead of old ones"],
])(
  "a stream that captures our subjects and stores nothing, because it is %s, is reported and recorded",
  async (_, config, why) => {
    await using nats = await serverWithStream();
    await using daemon = await daemonOf(nats);
    await publish(nats, 1, 1);
    await hasLogged(daemon, "message 1");
    await managed(nats, ({ streams }) => streams.update(STREAM, config));
    await isUnready(daemon, "stream_refuses");
    const [newest] = daemon.sql("select delivery, why from delivery_changes order by seq desc");
    expect(newest).toEqual({ delivery: "not_captured", why });
  },
);

test("acknowledgements that do not reach the broker are reported, before it stops delivering", async () => {
  await using nats = await NatsServer.start({
    jetStream: true,
    config: `accounts {
      A { jetstream: enabled, users: [{ user: a, password: a }], exports: [{ service: "$JS.API.>", response_type: stream }] }
      B { users: [{ user: b, password: b }], imports: [{ service: { account: A, subject: "$JS.API.>" } }] }
    }`,
  });
  const client = await connect({ servers: nats.url, user: "a", pass: "a", reconnect: false });
  await setUp(client, { stream: STREAM, consumer: CONSUMER, subjects: SUBJECTS, limits: {} });
  const url = nats.url.replace("nats://", "nats://b:b@");
  await using daemon = await DaemonProcess.start({ config: { nats: { url, mode: "jetstream", heads: "off" } } });
  client.publish(CREATE, "message 1");
  await hasLogged(daemon, "message 1");
  await isUnready(daemon, "acknowledgements_lost");
  await client.close();
});

/** Three servers with one JetStream. */
async function startCluster(owner: AsyncDisposableStack): Promise<readonly NatsServer[]> {
  const ports = await freePorts(3, systemRandom);
  const routes = ports.map((port) => `"nats://127.0.0.1:${port}"`).join(", ");
  const servers = await Promise.all(
    ports.map((port, index) =>
      NatsServer.start({
        jetStream: true,
        config: `server_name: n${index}\ncluster { name: c, listen: "127.0.0.1:${port}", routes: [${routes}] }`,
      }),
    ),
  );
  for (const server of servers) owner.use(server);
  return servers;
}

const urlsOf = (servers: readonly NatsServer[]) => servers.map(({ url }) => url);

test("a cluster whose leader is killed under load, three times, is not taken for a rewound stream", async () => {
  await using owner = new AsyncDisposableStack();
  const servers = await startCluster(owner);
  const client = owner.adopt(
    await connect({ servers: urlsOf(servers), maxReconnectAttempts: -1, reconnectTimeWait: 100 }),
    (open) => open.close(),
  );
  const limits = { replicas: 3 };
  await until("the stream exists", async () => {
    try {
      return await setUp(client, { stream: STREAM, consumer: CONSUMER, subjects: SUBJECTS, limits });
    } catch (error) {
      // The cluster has no leader yet.
      expect(error).toBeInstanceOf(PartnerdError);
      return undefined;
    }
  });
  await using daemon = await DaemonProcess.start({ config: { nats: { url: urlsOf(servers).join() } } });
  const { streams } = await client.jetstreamManager();
  const api = new BrokerStreamApi(client, { stream: STREAM, consumer: CONSUMER, subjects: SUBJECTS });
  const leaderOf = async () => {
    const { leader } = await api.state().catch(() => ({ leader: null }));
    return servers.find((_, index) => leader?.split(" ")[0] === `n${index}`);
  };
  let published = 0;
  const load = setInterval(() => client.publish(CREATE, `message ${++published}`), 2);
  owner.defer(() => clearInterval(load));
  for (let round = 1; round <= 3; round++) {
    const leader = await until("there is a leader", leaderOf);
    const before = published;
    await until("there is load", () => published > before + 200);
    await leader.kill();
    await until("another one leads", async () => {
      const next = await leaderOf();
      return next !== undefined && next !== leader;
    });
    await leader.start();
    // Until the server has routes again, a message that is published there goes nowhere.
    await daemon.until(`message ${-round} is in the log`, async () => {
      await publish(leader, -round, -round);
      return count(daemon, `message ${-round}`) > 0;
    });
  }
  clearInterval(load);
  await client.flush();
  await publish(servers[0] as NatsServer, 0, 0);
  await hasLogged(daemon, "message 0");
  expect(daemon.sql("select type, reason from event_log where type in ('DeliveryGap', 'LogRolledBack', 'CloneSeen')")).toEqual(
    [],
  );
  const { state } = await streams.info(STREAM);
  expect(daemon.count("select count(*) from event_log where payload is not null")).toBe(state.messages);
});
