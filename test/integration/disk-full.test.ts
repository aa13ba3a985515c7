/** A completely full disk: the daemon survives and reports it, streams stay open, nothing is lost, and it resumes when there is space. */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { connect } from "nats";
import { describe, expect, test } from "vitest";
import { Broker } from "../crash/broker.ts";
import { inspectAll } from "../crash/inspect.ts";
import { Mirror } from "../crash/mirror.ts";
import { type ConfigFile, DaemonProcess } from "../support/daemon-process.ts";
import { databaseFaults } from "../support/database-check.ts";
import { CREATE, envelope } from "../support/messages.ts";
import { NatsServer } from "../support/nats-server.ts";
import { loopbackAddress, startPartnerHost, type TestPartnerHost } from "../support/partner-host.ts";
import { isEstablished, whenPeer } from "../support/peer-watch.ts";
import { Publisher } from "../support/publisher.ts";
import { expectFailure, runCommand } from "../support/run-command.ts";
import { type SmallDisk, smallDisk } from "../support/small-disk.ts";

/** Space for twice what a test publishes: in the database and in its write-ahead log. */
const DISK_MB = 24;
const CONSUMER = "oc-partnerd";
/** Set for the run inside a namespace. */
const INSIDE = "OC_TEST_INSIDE_NAMESPACE";
const RECOVERY_MS = 10_000;
const FULL = /\(SQLITE_FULL\).*free space on the disk that holds the data directory/;

const recordOf = ({ peerId, port }: TestPartnerHost) => ({ peerId, address: loopbackAddress(port, peerId) });

/** Messages that all differ and are long enough that the log needs disk space for them. */
async function publishMany(url: string, count: number, what: string): Promise<void> {
  const client = await connect({ servers: [url] });
  for (let number = 1; number <= count; number++) {
    const message = envelope("not base64, so it is kept as it is", { number: `${what} ${number}`, padding: "x".repeat(1_000) });
    client.publish(CREATE, JSON.stringify(message));
  }
  await client.drain();
}

const eventLogCheck = async (daemon: DaemonProcess) => {
  const { status, body } = await daemon.health("/readyz");
  return { status, message: body.checks.find(({ name }) => name === "event_log")?.message ?? "" };
};

/** Resolves when readiness reports the full disk. Liveness must hold all the time. */
async function saysItIsFull(daemon: DaemonProcess): Promise<void> {
  await daemon.until("readiness says that the disk is full, and what to do", async () => {
    expect((await daemon.health("/livez")).status).toBe(200);
    const { status, message } = await eventLogCheck(daemon);
    return status === 503 && FULL.test(message);
  });
}

/** Resolves to the time in ms until the log has everything and the daemon is ready. */
async function recovers(daemon: DaemonProcess, broker: Broker): Promise<number> {
  const last = await broker.lastSequence();
  const startedMs = performance.now();
  await daemon.until("the log has everything", () => daemon.count("select sequence from ingest_cursor") === last, RECOVERY_MS);
  await daemon.until("it is ready", async () => (await eventLogCheck(daemon)).status === 200, RECOVERY_MS);
  return Math.round(performance.now() - startedMs);
}

function started(disk: SmallDisk, nats: NonNullable<ConfigFile["nats"]>): Promise<DaemonProcess> {
  return DaemonProcess.start({ config: { data: join(disk.path, "data"), nats } });
}

const mayMount = (() => {
  try {
    smallDisk(1)[Symbol.dispose]();
    return true;
  } catch {
    return false;
  }
})();

const isInside = process.env[INSIDE] !== undefined;

/** A user who may not mount anything may be able to create a namespace in which mounting is allowed. */
const inOwnNamespace = () => {
  const nextStep = "next step: run this test as root, or where unprivileged users may make user namespaces (unshare -Urm)";
  expect(isInside, `not even there a tmpfs can be mounted; ${nextStep}`).toBe(false);
  const vitest = fileURLToPath(new URL("vitest.mjs", import.meta.resolve("vitest/package.json")));
  const { status, stdout, stderr, error } = spawnSync(
    "unshare",
    ["-Urm", process.execPath, vitest, "run", "--project", "integration", import.meta.filename],
    { env: { ...process.env, [INSIDE]: "1" }, encoding: "utf8" },
  );
  expect(status, `${error?.message ?? ""}${stdout}${stderr}\n${nextStep}`).toBe(0);
};

const onSmallDisks = () => {
  test("JetStream: nothing is acknowledged before it is in the log, and everything arrives in the end", async () => {
    using disk = smallDisk(DISK_MB);
    await using broker = await Broker.start();
    await using staying = await startPartnerHost(11);
    await using leaving = await startPartnerHost(12);
    await using daemon = await started(disk, { url: broker.url, mode: "jetstream", consumer: CONSUMER });
    {
      await using publisher = await Publisher.connect(broker);
      for (const partner of [staying, leaving]) await publisher.relate(recordOf(partner), "PARTNER");
    }
    for (const { peerId } of [staying, leaving]) await whenPeer(daemon, peerId, "it is established", isEstablished, 10_000);
    const openedAt = (await daemon.peer(staying.peerId))?.outbound?.openedAt;

    disk.fill();
    await publishMany(broker.url, 2_000, "while it is full");
    await saysItIsFull(daemon);
    const acknowledged = await broker.acknowledged(CONSUMER);
    expect(acknowledged?.sequence).toBeLessThanOrEqual(daemon.count("select sequence from ingest_cursor"));
    expect(daemon.count("select sequence from ingest_cursor")).toBeLessThan(await broker.lastSequence());
    await leaving[Symbol.asyncDispose]();
    await whenPeer(daemon, leaving.peerId, "its stream has ended", (peer) => peer?.outbound === null, 15_000);
    expect((await daemon.peer(staying.peerId))?.outbound?.openedAt).toBe(openedAt);
    expect(daemon.count("select count(*) from event_log where type = 'StreamClosed'")).toBe(0);
    expect(await daemon.health("/livez")).toMatchObject({ status: 200 });

    disk.free();
    process.stdout.write(`JetStream: everything was in the log ${await recovers(daemon, broker)} ms after there was room\n`);
    expect(daemon.sql("select peer_id, close_reason is not null as closed from session_periods order by valid_from_seq")).toEqual(
      expect.arrayContaining([
        { peer_id: staying.peerId, closed: 0 },
        { peer_id: leaving.peerId, closed: 1 },
      ]),
    );
    expect(isEstablished(await daemon.peer(staying.peerId))).toBe(true);
    expect(await daemon.stop()).toEqual({ code: 0, signal: null });
    expect((await inspectAll(broker, new Mirror(), { dataDir: daemon.dataDir, consumer: CONSUMER })).faults).toEqual([]);
  });

  test("core NATS: the buffer is bounded, dropped messages are counted and reported, and the rest is logged when there is space", async () => {
    using disk = smallDisk(4 * DISK_MB);
    await using nats = await NatsServer.start();
    await using daemon = await started(disk, { url: nats.url, mode: "core" });
    const messagesOf = (result: string) => daemon.metric(`oc_partnerd_events_received_total{result="${result}"}`);
    disk.fill();
    await publishMany(nats.url, 20_000, "while it is full");
    await saysItIsFull(daemon);
    const logged = () => daemon.count("select count(*) from event_log where subject is not null");
    const dropped = await daemon.until("what does not fit is counted", async () => {
      const drops = (await messagesOf("dropped")) ?? 0;
      return drops > 0 && drops + logged() + 16_384 === 20_000 && drops;
    });
    const nats503 = await daemon.health("/readyz");
    expect(nats503.body.checks.find(({ name }) => name === "nats")?.message).toMatch(
      new RegExp(`at_most_once.*, ${dropped} messages dropped$`),
    );
    expect(daemon.logLines().filter(({ msg }) => msg === "ingest buffer full; dropping new events")).toMatchObject([
      { level: "error" },
    ]);
    expect(daemon.residentBytes).toBeLessThan(500 * 1_048_576);

    disk.free();
    const freedMs = performance.now();
    await daemon.until("the log has what was buffered", () => logged() === 20_000 - dropped, 2 * RECOVERY_MS);
    process.stdout.write(
      `core NATS: what was kept was in the log ${Math.round(performance.now() - freedMs)} ms after there was room\n`,
    );
    expect((await eventLogCheck(daemon)).status).toBe(200);
    expect(daemon.sql("select seq from event_log where subject is not null order by payload_sha256, seq").length).toBe(
      daemon.count("select count(distinct payload_sha256) from event_log where subject is not null"),
    );
    expect(await daemon.stop()).toEqual({ code: 0, signal: null });
    expect(databaseFaults(daemon)).toEqual([]);
  });

  test("a new daemon reports why it does not start, and starts when there is space", async () => {
    using disk = smallDisk(DISK_MB);
    await using nats = await NatsServer.start();
    const directory = join(disk.path, "data");
    disk.fill();
    const run = () =>
      runCommand(["run", "--data", directory, "--nats", nats.url, "--listen", "/ip4/127.0.0.1/tcp/0", "--http", "127.0.0.1:0"]);
    expectFailure(await run(), 74, [directory, "disk is full", "free space on the disk that holds the data directory"]);
    disk.free();
    await using daemon = await started(disk, { url: nats.url, mode: "core" });
    expect(await daemon.stop()).toEqual({ code: 0, signal: null });
  });

  test("a daemon that was killed there restarts when there is space, and has lost nothing", async () => {
    using disk = smallDisk(DISK_MB);
    await using broker = await Broker.start();
    await using daemon = await started(disk, { url: broker.url, mode: "jetstream", consumer: CONSUMER });
    disk.fill();
    await publishMany(broker.url, 3_000, "while it is full");
    await saysItIsFull(daemon);
    await daemon.kill();
    await daemon.start("started");
    await saysItIsFull(daemon);
    disk.free();
    await recovers(daemon, broker);
    expect(await daemon.stop()).toEqual({ code: 0, signal: null });
    expect((await inspectAll(broker, new Mirror(), { dataDir: daemon.dataDir, consumer: CONSUMER })).faults).toEqual([]);
  });
};

if (mayMount) describe("a full disk", onSmallDisks);
else test("a full disk, in a user namespace", inOwnNamespace);
