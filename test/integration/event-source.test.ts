/** The source of a daemon's events: a stream if there is one, otherwise core NATS, and the switch between them. */
import { readFileSync, writeFileSync } from "node:fs";
import { connect } from "nats";
import { describe, expect, test } from "vitest";
import { systemClock } from "../../src/base/clock.ts";
import { runResync } from "../../src/cli/daemon/resync.ts";
import { daemonClient } from "../../src/http/client.ts";
import { setUp } from "../../src/nats/setup/setup.ts";
import { type ConfigFile, DaemonProcess } from "../support/daemon-process.ts";
import { matching } from "../support/matchers.ts";
import { CREATE, REMOVE } from "../support/messages.ts";
import { NatsServer } from "../support/nats-server.ts";
import { Publisher } from "../support/publisher.ts";
import { runCommand } from "../support/run-command.ts";

const STREAM = "OC_RESOURCES";

async function setUpAt(nats: NatsServer): Promise<void> {
  const client = await connect({ servers: nats.url });
  await setUp(client, { stream: STREAM, consumer: "oc-partnerd", subjects: [CREATE, REMOVE], limits: {} });
  await client.close();
}

const daemonAt = (nats: NatsServer, config: ConfigFile["nats"] = {}, until: "ready" | "started" = "ready") =>
  DaemonProcess.start({ config: { nats: { url: nats.url, ...config } }, until });

/** A daemon on a stream with this one message, which it has logged. */
async function daemonThatLogged(nats: NatsServer, text: string): Promise<DaemonProcess> {
  await setUpAt(nats);
  await using publisher = await Publisher.connect(nats);
  await publisher.publish(CREATE, text);
  await using starting = new AsyncDisposableStack();
  const daemon = starting.use(await daemonAt(nats));
  await hasText(daemon, text);
  starting.move();
  return daemon;
}

async function natsCheck(daemon: DaemonProcess): Promise<{ readonly ok: boolean; readonly message: string } | undefined> {
  return (await daemon.health("/readyz")).body.checks.find(({ name }) => name === "nats");
}

const texts = (daemon: DaemonProcess) =>
  daemon
    .sql("select cast(payload as text) as text from event_log where payload is not null order by seq")
    .map(({ text }) => String(text));

const hasText = (daemon: DaemonProcess, text: string, deadlineMs?: number) =>
  daemon.until(`${text} is in the log`, () => texts(daemon).includes(text), deadlineMs);

const deliveries = (daemon: DaemonProcess) => daemon.sql("select delivery, first_sequence from delivery_changes order by seq");

const resync = (daemon: DaemonProcess) => runCommand(["resync", "--http", new URL(daemon.httpUrl).host]);

describe.concurrent("mode auto", () => {
  test("uses core NATS if the server has no JetStream, and explains the consequences", async () => {
    await using nats = await NatsServer.start();
    await using daemon = await daemonAt(nats);
    expect(await natsCheck(daemon)).toMatchObject({
      ok: true,
      message: matching(/subscribed, at_most_once: events published while/),
    });
    expect(await daemon.metric("oc_partnerd_delivery_at_least_once")).toBe(0);
    expect(deliveries(daemon)).toEqual([{ delivery: "at_most_once", first_sequence: null }]);
    const { stdout } = await runCommand(["status", "--http", new URL(daemon.httpUrl).host]);
    expect(stdout).toMatch(/^delivery: at_most_once, completeness cannot be proved/m);
    expect(stdout).toMatch(/^ {2}\S+Z to now at_most_once: messages arrive over core NATS/m);
    expect(await resync(daemon)).toMatchObject({ code: 69, stderr: matching(/do not come from a JetStream stream/) });
  });

  test("switches to the stream once it is set up, without loss or duplicates", async () => {
    await using nats = await NatsServer.start({ jetStream: true });
    await using daemon = await daemonAt(nats);
    await using publisher = await Publisher.connect(nats);
    await publisher.publish(CREATE, "before");
    await hasText(daemon, "before");
    await setUpAt(nats);
    const published = ["before"];
    for (let count = 0; deliveries(daemon).length < 2; count++) {
      published.push(`in between ${count}`);
      await publisher.publish(CREATE, `in between ${count}`);
    }
    published.push("after");
    await publisher.publish(CREATE, "after");
    await hasText(daemon, "after");
    expect(texts(daemon)).toEqual(published);
    expect(deliveries(daemon)).toMatchObject([{ delivery: "at_most_once" }, { delivery: "at_least_once", first_sequence: 1 }]);
  });

  test("reads an existing stream from the start, and never falls back to core NATS if it disappears", async () => {
    await using nats = await NatsServer.start({ jetStream: true });
    await using daemon = await daemonThatLogged(nats, "before the daemon");
    await daemon.stop();
    const client = await connect({ servers: nats.url });
    await (await client.jetstreamManager()).streams.delete(STREAM);
    await client.close();
    await daemon.start("started");
    await daemon.until("it says what is missing", async () => {
      const check = await natsCheck(daemon);
      return (
        check?.ok === false && /there is no JetStream stream OC_RESOURCES; create it with `oc-partnerd setup`/.test(check.message)
      );
    });
    expect(deliveries(daemon)).toHaveLength(1);
  });
});

describe.concurrent("mode jetstream", () => {
  test("waits for its stream, and reports that", async () => {
    await using nats = await NatsServer.start({ jetStream: true });
    await using daemon = await daemonAt(nats, { mode: "jetstream" }, "started");
    await daemon.until("it reports what is missing", async () =>
      /oc-partnerd setup/.test((await natsCheck(daemon))?.message ?? ""),
    );
    await setUpAt(nats);
    await daemon.until("it is ready", async () => (await natsCheck(daemon))?.ok === true);
  });

  test("reports that the server has no JetStream", async () => {
    await using nats = await NatsServer.start();
    await using daemon = await daemonAt(nats, { mode: "jetstream" }, "started");
    await daemon.until("it says so", async () =>
      /no JetStream at this NATS server/.test((await natsCheck(daemon))?.message ?? ""),
    );
  });
});

describe.concurrent("mode core", () => {
  test("ignores the stream, and the log has the at-most-once period when the mode changes back", async () => {
    await using nats = await NatsServer.start({ jetStream: true });
    await setUpAt(nats);
    await using daemon = await daemonAt(nats, { mode: "core" });
    await using publisher = await Publisher.connect(nats);
    await publisher.publish(CREATE, "by core NATS");
    await hasText(daemon, "by core NATS");
    await daemon.stop();
    await publisher.publish(CREATE, "while it is down");
    writeFileSync(daemon.configFile, readFileSync(daemon.configFile, "utf8").replace('"core"', '"auto"'));
    await daemon.start();
    await hasText(daemon, "while it is down");
    expect(texts(daemon)).toEqual(["by core NATS", "while it is down"]);
    expect(deliveries(daemon)).toMatchObject([{ delivery: "at_most_once" }, { delivery: "at_least_once" }]);
  });
});

describe.concurrent("resync", () => {
  test("finds what the log lacks, appends no duplicates, and never undoes a newer message", async () => {
    await using nats = await NatsServer.start({ jetStream: true });
    await setUpAt(nats);
    await using daemon = await daemonAt(nats);
    await using publisher = await Publisher.connect(nats);
    const peer = (id: string, relation: string, datatype: number | string) =>
      JSON.stringify({
        FromApp: "oc-api",
        Datatype: datatype,
        Payload: { id, relation, peer_id: PEERS[id], stream_address: `/ip4/127.0.0.1/tcp/9/p2p/${PEERS[id]}` },
      });
    await publisher.publish(CREATE, peer("a", "PARTNER", 7));
    await publisher.publish(CREATE, peer("b", "NONE", 7));
    await publisher.publish(CREATE, peer("a", "NONE", "PEER"));
    await daemon.until("the last one is in the log", () => daemon.count("select count(*) from desired_peers") === 1);
    expect(await resync(daemon)).toMatchObject({ code: 0, stdout: matching(/up to sequence 3: found nothing new/) });

    await daemon.stop();
    const config = JSON.parse(readFileSync(daemon.configFile, "utf8")) as ConfigFile;
    writeFileSync(daemon.configFile, JSON.stringify({ ...config, events: { peerDatatypes: ["PEER", 7] } }));
    await daemon.start();
    expect(daemon.count("select count(*) from desired_peers")).toBe(1);
    // There is a third row if the dial to b has failed by then.
    const { stdout, code } = await resync(daemon);
    expect({ stdout, code }).toMatchObject({ code: 0, stdout: matching(/up to sequence 3: added [23] rows/) });
    expect(daemon.sql("select peer_id, relation from desired_peers order by resource_id")).toEqual([
      { peer_id: PEERS["a"], relation: "NONE" },
      { peer_id: PEERS["b"], relation: "NONE" },
    ]);
    expect(daemon.sql("select reason from rejected_events")).toEqual([{ reason: "outdated" }]);
    await publisher.publish(CREATE, "and on it goes");
    await hasText(daemon, "and on it goes");
    expect((await resync(daemon)).stdout).toMatch(/up to sequence 4: found nothing new/);
  });

  test("says that it waits for NATS, and is done once NATS is back", async () => {
    await using nats = await NatsServer.start({ jetStream: true });
    await using daemon = await daemonThatLogged(nats, "one");
    await nats.stop();
    await daemon.until("it has noticed", async () => (await natsCheck(daemon))?.ok === false);
    const { hostname, port } = new URL(daemon.httpUrl);
    const told: string[] = [];
    const write = (text: string) => told.push(text) > 0;
    const running = runResync(daemonClient({ host: hostname, port: Number(port) }), systemClock, { write });
    await daemon.until("it says what it waits for", () => told.length > 0);
    expect(told.join("")).toMatch(
      /^waiting up to 30 s for the daemon to read the stream; nats: reconnecting since .*ECONNREFUSED/,
    );
    await nats.start();
    expect(await running).toMatch(/up to sequence 1: found nothing new/);
  });

  test("is accepted if NATS has been down since the start, since the log knows its stream", async () => {
    await using nats = await NatsServer.start({ jetStream: true });
    await using daemon = await daemonThatLogged(nats, "one");
    await daemon.stop();
    await nats.stop();
    await daemon.start("started");
    const { hostname, port } = new URL(daemon.httpUrl);
    const client = daemonClient({ host: hostname, port: Number(port) });
    const running = resync(daemon);
    await daemon.until("it has been asked", async () => (await client.delivery()).rereading !== null);
    await nats.start();
    expect(await running).toMatchObject({ code: 0, stdout: matching(/up to sequence 1: found nothing new/) });
  });
});

const PEERS: Readonly<Record<string, string>> = {
  a: "12D3KooWLrYpZzrwDmMMgvG3qFvMi4yxqxZcGBUd1pUTVTsKoXxh",
  b: "12D3KooWGUXTzSMie6tXBNRV6tRDfTRdW1hPdAGNczJfBnT5x7UQ",
};
