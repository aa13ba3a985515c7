/**
 * Real faults between the broker and the log. Within ten seconds of the broker's recovery the same process reads again, and the log
 * has every stream message once and in order.
 */
import { cpSync, rmSync } from "node:fs";
import { join } from "node:path";
import { connect, type JetStreamManager, type NatsConnection, type StreamConfig } from "nats";
import { afterAll, describe, expect, test } from "vitest";
import { setUp } from "../../src/nats/setup/setup.ts";
import { type ConfigFile, DaemonProcess } from "../support/daemon-process.ts";
import { CREATE, REMOVE } from "../support/messages.ts";
import { NatsServer } from "../support/nats-server.ts";
import { bound } from "../support/pace/pace.ts";
import { runCommand } from "../support/run-command.ts";
import { startTcpProxy } from "../support/tcp-proxy.ts";

const STREAM = "OC_RESOURCES";
const CONSUMER = "oc-partnerd";
/** The bound promised in docs/OPERATING.md. */
const RECOVERS_WITHIN = bound(10_000);
/** Longer than all of our deadlines, so that the fault is detected and not just waited out. */
const FAULT_LASTS_MS = 12_000;

/** Printed for the table in docs/OPERATING.md. */
const recoveries: string[] = [];
afterAll(() => {
  process.stderr.write(`${["| fault | events flow again after |", "| --- | ---: |", ...recoveries.toSorted()].join("\n")}\n`);
});

class Scene implements AsyncDisposable {
  readonly nats: NatsServer;
  readonly daemon: DaemonProcess;
  readonly #pid: number;
  #published = 0;

  private constructor(nats: NatsServer, daemon: DaemonProcess) {
    this.nats = nats;
    this.daemon = daemon;
    this.#pid = daemon.pid;
  }

  /** A daemon that has read the first messages of a stream. */
  static async begin(
    options: { config?: string; nats?: ConfigFile["nats"]; url?: (nats: NatsServer) => string | Promise<string> } = {},
  ): Promise<Scene> {
    const nats = await NatsServer.start({ jetStream: true, config: options.config ?? "" });
    const client = await admin(nats);
    await setUp(client, { stream: STREAM, consumer: CONSUMER, subjects: [CREATE, REMOVE], limits: {} });
    await client.close();
    const url = (await options.url?.(nats)) ?? nats.url;
    const scene = new Scene(nats, await DaemonProcess.start({ config: { nats: { url, ...options.nats } } }));
    await scene.publish(5);
    await scene.hasRead("the first messages");
    return scene;
  }

  /** Publishes plain messages, each identified by its text. */
  async publish(count: number, server: NatsServer = this.nats, subject = CREATE): Promise<void> {
    const client = await admin(server);
    for (let index = 0; index < count; index++) client.publish(subject, `message ${++this.#published}`);
    await client.flush();
    await client.close();
  }

  /** Waits until the newest message is in the log. */
  async hasRead(what: string, limit = RECOVERS_WITHIN): Promise<void> {
    const newest = `message ${this.#published}`;
    const isThere = () => this.daemon.count("select count(*) from event_log where cast(payload as text) = ?", newest) > 0;
    await this.daemon.until(`${what}: ${newest} is in the log`, isThere, limit);
  }

  /** Measures the time from the broker's recovery until a new message is in the log, and checks for gaps and duplicates. */
  async recovers(fault: string, server: NatsServer = this.nats): Promise<void> {
    const startedMs = performance.now();
    await this.publish(1, server);
    await this.hasRead(fault);
    recoveries.push(`| ${fault} | ${((performance.now() - startedMs) / 1_000).toFixed(1)} s |`);
    expect(this.daemon.pid).toBe(this.#pid);
    await this.daemon.until("it is ready", async () => (await this.daemon.health("/readyz")).status === 200);
    await this.hasAll(server);
  }

  /** Checks that every message in the stream is in the log once, in stream order. */
  async hasAll(server: NatsServer = this.nats): Promise<void> {
    const held = await messagesOf(server);
    const rows = this.daemon.sql(
      "select stream_sequence as sequence, cast(payload as text) as text from event_log where dedupe_key like ? order by seq",
      `${held.created}/%`,
    );
    const logged = rows.filter(({ text }) => held.texts.has(String(text)));
    expect(logged.map(({ text }) => text)).toEqual([...held.texts]);
    const texts = this.daemon.sql("select cast(payload as text) as text from event_log where payload is not null");
    expect(new Set(texts.map(({ text }) => text)).size).toBe(texts.length);
  }

  gaps(): unknown[] {
    return this.daemon.sql("select reason, first_sequence, last_sequence from delivery_gaps");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.daemon[Symbol.asyncDispose]();
    await this.nats[Symbol.asyncDispose]();
  }
}

function admin(nats: NatsServer): Promise<NatsConnection> {
  return connect({ servers: nats.url, reconnect: false, user: "admin", pass: "admin" });
}

async function managed(nats: NatsServer, work: (manager: JetStreamManager) => Promise<unknown>): Promise<void> {
  const client = await admin(nats);
  await work(await client.jetstreamManager());
  await client.close();
}

async function messagesOf(nats: NatsServer): Promise<{ created: string; texts: Set<string> }> {
  const texts = new Set<string>();
  let created = "";
  await managed(nats, async ({ streams }) => {
    const { state, created: made } = await streams.info(STREAM);
    created = String(made);
    for (let sequence = state.first_seq; sequence <= state.last_seq; sequence++) {
      const message = await streams.getMessage(STREAM, { seq: sequence }).catch(() => undefined);
      if (message !== undefined) texts.add(new TextDecoder().decode(message.data));
    }
  });
  return { created, texts };
}

function limited(nats: NatsServer, limits: Partial<StreamConfig>): Promise<void> {
  return managed(nats, async ({ streams }) => {
    const { config } = await streams.info(STREAM);
    await streams.update(STREAM, { ...config, ...limits });
  });
}

const storeOf = (nats: NatsServer) => join(nats.directory, "store");
const withPassword = (password: string) =>
  `authorization { users: [{ user: u, password: "${password}" }, { user: admin, password: admin }] }`;

describe.concurrent("reading resumes by itself after", () => {
  test("nats-server was killed", async () => {
    await using scene = await Scene.begin();
    await scene.nats.kill();
    await scene.nats.start();
    await scene.recovers("nats-server killed and restarted");
    expect(scene.gaps()).toEqual([]);
  });

  test("nats-server was shut down for a while", async () => {
    await using scene = await Scene.begin();
    await scene.nats.stop();
    await scene.daemon.until("that is told", async () => (await scene.daemon.health("/readyz")).status === 503);
    await scene.nats.start();
    await scene.recovers("nats-server restarted cleanly");
    expect(scene.gaps()).toEqual([]);
  });

  test("nats-server was frozen", async () => {
    await using scene = await Scene.begin();
    await scene.nats.freeze();
    const isTold = async () => (await scene.daemon.health("/readyz")).status === 503;
    await scene.daemon.until("that is told", isTold, FAULT_LASTS_MS);
    scene.nats.thaw();
    await scene.recovers("nats-server paused (SIGSTOP) until the daemon noticed");
    expect(scene.gaps()).toEqual([]);
  });

  test("nats-server moved to another port, with its store", async () => {
    await using other = await NatsServer.start({ jetStream: true, stopped: true });
    await using scene = await Scene.begin({ url: ({ url }) => `${url},${other.url}` });
    await scene.nats.stop();
    rmSync(storeOf(other), { recursive: true, force: true });
    cpSync(storeOf(scene.nats), storeOf(other), { recursive: true });
    await other.start();
    await scene.recovers("nats-server moved to another address", other);
    expect(scene.gaps()).toEqual([]);
  });

  test("the server closed the connection because the credentials changed", async () => {
    await using scene = await Scene.begin({ config: withPassword("p"), nats: { user: "u", password: "p" } });
    await scene.nats.reconfigure(withPassword("another"));
    await scene.daemon.until("the refusal is told", async () => {
      const { body } = await scene.daemon.health("/readyz");
      return body.checks.some(({ name, message }) => name === "nats" && message.includes("refused the credentials"));
    });
    // While it reloads its configuration, nats-server may briefly reject all users.
    await scene.nats.reconfigure(withPassword("p"));
    await scene.recovers("connection closed after a credentials change; the credentials are then accepted again");
    expect(scene.gaps()).toEqual([]);
  });

  test("the durable consumer was deleted", async () => {
    await using scene = await Scene.begin();
    await managed(scene.nats, ({ consumers }) => consumers.delete(STREAM, CONSUMER));
    await scene.recovers("durable consumer deleted");
    expect(scene.gaps()).toEqual([]);
  });

  test("the stream was deleted and recreated", async () => {
    await using scene = await Scene.begin();
    await managed(scene.nats, ({ streams }) => streams.delete(STREAM));
    await scene.daemon.until("that is told", async () => (await scene.daemon.health("/readyz")).status === 503);
    const client = await admin(scene.nats);
    await setUp(client, { stream: STREAM, consumer: CONSUMER, subjects: [CREATE, REMOVE], limits: {} });
    await client.close();
    await scene.recovers("stream deleted and recreated");
    expect(scene.gaps()).toEqual([{ reason: "recreated", first_sequence: 6, last_sequence: null }]);
  });

  test("the server disconnected a slow consumer", async () => {
    await using scene = await Scene.begin({ config: "max_payload: 65536, max_pending: 1048576, write_deadline: '200ms'" });
    await scene.daemon.freeze();
    const client = await admin(scene.nats);
    // More than the kernel buffers of both ends hold.
    for (let index = 0; index < 400; index++) {
      client.publish(CREATE, `${index} ${"x".repeat(60_000)}`);
      await client.flush();
    }
    await client.close();
    const connected = async () => (await scene.nats.clients()).some((name) => name.startsWith("oc-partnerd"));
    await scene.daemon.until("the server gave up on it", async () => !(await connected()));
    scene.daemon.thaw();
    await scene.recovers("cut off by the server as a slow consumer");
    expect(scene.gaps()).toEqual([]);
  });

  test("the connection was half open", async () => {
    await using proxies = new AsyncDisposableStack();
    let forget = () => {};
    const throughProxy = async ({ port }: NatsServer) => {
      const proxy = proxies.use(await startTcpProxy(port));
      forget = () => proxy.forget();
      return `nats://127.0.0.1:${proxy.port}`;
    };
    await using scene = await Scene.begin({ url: throughProxy });
    forget();
    await scene.recovers("connection half open, counted from the silence");
    expect(scene.gaps()).toEqual([]);
    // For minutes, the server still believes in the old connection and its pull requests.
    forget();
    const isReady = async () => (await scene.daemon.health("/readyz")).status === 200;
    await scene.daemon.until("it has noticed", async () => !(await isReady()), RECOVERS_WITHIN);
    await scene.daemon.until("it is ready", isReady, RECOVERS_WITHIN);
    await scene.recovers("connection half open, counted from the new connection");
  });

  test("the stream was rewound to an older copy and reused its sequences", async () => {
    await using scene = await Scene.begin();
    const copy = `${storeOf(scene.nats)}.copy`;
    await scene.nats.stop();
    cpSync(storeOf(scene.nats), copy, { recursive: true });
    await scene.nats.start();
    await scene.publish(4);
    await scene.hasRead("what the copy lacks");
    await scene.nats.stop();
    rmSync(storeOf(scene.nats), { recursive: true });
    cpSync(copy, storeOf(scene.nats), { recursive: true });
    await scene.nats.start();
    await scene.recovers("stream rewound to an older copy of its store");
    expect(scene.gaps()).toEqual([{ reason: "reused", first_sequence: 10, last_sequence: null }]);
  });

  test("messages were dropped from the stream while nothing read them", async () => {
    await using scene = await Scene.begin();
    await scene.daemon.stop();
    await scene.publish(4);
    // Limits can remove messages that permissions protect. One per subject stays: 10 of REMOVE_RESOURCE, 12 of CREATE_RESOURCE.
    await limited(scene.nats, { max_msgs: 1 });
    await limited(scene.nats, { max_msgs: -1, max_msgs_per_subject: 1 });
    await scene.publish(1, scene.nats, REMOVE);
    await scene.publish(2);
    await scene.daemon.start();
    await scene.hasRead("what is left");
    await scene.hasAll();
    expect(scene.gaps()).toEqual([
      { reason: "purged", first_sequence: 6, last_sequence: 9 },
      { reason: "purged", first_sequence: 11, last_sequence: 11 },
    ]);
    const { stdout } = await runCommand(["status", "--http", new URL(scene.daemon.httpUrl).host]);
    expect(stdout).toContain("sequences 1 to 12 of stream OC_RESOURCES are in the log, 2 gaps, no reuse");
    expect(await scene.daemon.metric('oc_partnerd_delivery_gaps{reason="purged"}')).toBe(2);
  });
});
