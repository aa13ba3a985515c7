/** Another process holds the write lock of the database: the daemon stays responsive, loses nothing, and stops in time. */
import { connect } from "nats";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { rawConnection } from "../store/support/temporary-store.ts";
import { DaemonProcess } from "../support/daemon-process.ts";
import { databaseFaults } from "../support/database-check.ts";
import { CREATE, envelope } from "../support/messages.ts";
import { NatsServer } from "../support/nats-server.ts";
import { bound, startStopwatch } from "../support/pace/pace.ts";
import { peerIdOfSeed } from "../support/peer-ids.ts";
import { Publisher } from "../support/publisher.ts";

/** A wait for the lock may keep the event loop for 100 ms; the rest is for the request itself. */
const ANSWER_MS = 300;
const HELD_MS = 4_000;
/** Fewer than the ingest buffer keeps: on a busy machine, HELD_MS take a minute. */
const MOST_EVENTS = 5_000;
/** Kubernetes may kill a native sidecar two seconds after SIGTERM. */
const DRAIN_MS = 2_000;

let nats: NatsServer;
beforeAll(async () => {
  nats = await NatsServer.start();
});
afterAll(() => nats[Symbol.asyncDispose]());

const start = () => DaemonProcess.start({ config: { nats: { url: nats.url, mode: "core" } } });

/** Locks the database, as any other process can. */
function lockedBy(daemon: DaemonProcess) {
  const raw = rawConnection(daemon.databaseFile, { timeout: 5_000 });
  raw.database.exec("begin immediate");
  return raw;
}

async function publish(count: number, what: string): Promise<void> {
  const client = await connect({ servers: [nats.url] });
  for (let number = 1; number <= count; number++) client.publish(CREATE, JSON.stringify(envelope("no base64", { what, number })));
  await client.drain();
}

/** The longest time that /livez took, in ms of machine time, while events arrived and dials failed for `forMs`. */
async function slowestAnswer(
  daemon: DaemonProcess,
  forMs: number,
): Promise<{ readonly slowestMs: number; readonly sent: number }> {
  const stopwatch = startStopwatch();
  let [slowestMs, sent] = [0, 0];
  while (stopwatch.elapsedMs() < forMs) {
    const count = sent < MOST_EVENTS ? 5 : 0;
    const published = publish(count, `after ${sent}`);
    const answer = startStopwatch();
    expect((await daemon.health("/livez")).status).toBe(200);
    slowestMs = Math.max(slowestMs, answer.elapsedMs());
    await published;
    sent += count;
  }
  return { slowestMs, sent };
}

describe("another process holds the write lock", () => {
  test("liveness answers in time, readiness says why the log is not written, and everything is written afterwards", async () => {
    await using daemon = await start();
    await using publisher = await Publisher.connect(nats);
    for (let seed = 1; seed <= 5; seed++) {
      const peerId = await peerIdOfSeed(seed);
      await publisher.relate({ peerId, address: `/ip4/127.0.0.1/tcp/9/p2p/${peerId}` }, "PARTNER");
    }
    const received = () => daemon.count("select count(*) from event_log where subject is not null");
    await daemon.until("the partners are in the log", () => received() === 5);
    let sent = 0;
    {
      using _lock = lockedBy(daemon);
      const { slowestMs, ...load } = await slowestAnswer(daemon, HELD_MS);
      sent = load.sent;
      process.stdout.write(`the slowest answer of /livez took ${Math.round(slowestMs)} ms while the database was locked\n`);
      expect(slowestMs).toBeLessThan(ANSWER_MS);
      const { status, body } = await daemon.health("/readyz");
      expect(status).toBe(503);
      expect(body.checks.find(({ name }) => name === "event_log")?.message).toMatch(
        /\(SQLITE_BUSY\); stop the other program that holds the database lock$/,
      );
    }
    await daemon.until("readiness recovers", async () => (await daemon.health("/readyz")).status === 200, bound(1_000));
    await daemon.until("everything is in the log", () => received() === 5 + sent);
    expect(await daemon.stop()).toEqual({ code: 0, signal: null });
    expect(
      daemon.count(
        "select max(count) from (select count(*) as count from event_log where subject is not null group by payload_sha256)",
      ),
    ).toBe(1);
    expect(databaseFaults(daemon)).toEqual([]);
  });

  test("a lock that is held for a moment is neither a failure nor a delay", async () => {
    await using daemon = await start();
    {
      using _lock = lockedBy(daemon);
      await publish(1, "for a moment");
      const refusals = () => daemon.metric('oc_partnerd_event_log_failures_total{kind="locked"}');
      await daemon.until("the lock has refused the event", async () => ((await refusals()) ?? 0) > 0);
      expect((await daemon.health("/readyz")).status).toBe(200);
    }
    await daemon.until(
      "it is logged",
      () => daemon.count("select count(*) from event_log where subject is not null") === 1,
      bound(500),
    );
    expect(daemon.logLines().filter(({ level }) => level === "error")).toEqual([]);
  });

  test("SIGTERM: it stops in time, and reports what it could not write", async () => {
    await using daemon = await start();
    {
      using _lock = lockedBy(daemon);
      await publish(100, "at the end");
      await daemon.until("readiness fails", async () => (await daemon.health("/readyz")).status === 503);
      const stopwatch = startStopwatch();
      expect(await daemon.stop()).toEqual({ code: 0, signal: null });
      expect(stopwatch.elapsedMs(), `${stopwatch}`).toBeLessThan(DRAIN_MS);
    }
    expect(daemon.stderr).toBe("");
    expect(daemon.logLines().filter(({ level }) => level === "error" || level === "warn")).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ messages: 100, msg: "received events could not be written to the log and are lost" }),
        expect.objectContaining({ msg: "could not record the shutdown; the next start will report an unclean one" }),
      ]) as unknown[],
    );
    expect(daemon.logLines().at(-1)).toMatchObject({ msg: "stopped" });
    expect(databaseFaults(daemon)).toEqual([]);
  });

  test("a start: it serves at once, and writes its start when it can", async () => {
    await using daemon = await start();
    expect(await daemon.stop()).toEqual({ code: 0, signal: null });
    {
      using _lock = lockedBy(daemon);
      await daemon.start("started");
      expect((await slowestAnswer(daemon, 1_000)).slowestMs).toBeLessThan(ANSWER_MS);
      expect(daemon.count("select count(*) from runs")).toBe(1);
    }
    await daemon.until("its start is logged", () => daemon.count("select count(*) from runs") === 2);
  });
});
