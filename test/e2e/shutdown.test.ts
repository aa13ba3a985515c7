/** How a daemon stops: gracefully when asked, immediately when asked twice, and without harm to its log when killed. */
import { existsSync, readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { natsAnswers } from "../../src/nats/connection/tls-first.ts";
import { seededRandom } from "../../src/sim/time/random.ts";
import { repetitions, seedsFrom } from "../support/campaign.ts";
import { DaemonProcess } from "../support/daemon-process.ts";
import { databaseFaults } from "../support/database-check.ts";
import { NatsServer } from "../support/nats-server.ts";
import { bound, startStopwatch } from "../support/pace/pace.ts";
import { type Participant, startParticipants } from "../support/participant.ts";
import { peerIdOfSeed } from "../support/peer-ids.ts";
import { hasInbound, hasNoStream, isEstablished, whenPeer } from "../support/peer-watch.ts";
import { Publisher } from "../support/publisher.ts";

/** Kubernetes may kill a native sidecar two seconds after SIGTERM. */
const DRAIN_MS = 2_000;
/** A stream is closed at both ends within a second of its end. */
const NOTICED_WITHIN = bound(1_000);

describe("asked to stop", () => {
  const owner = new AsyncDisposableStack();
  let a: Participant;
  let b: Participant;
  beforeAll(async () => {
    [a, b] = await startParticipants(owner, ["a", "b"]);
  });
  afterAll(() => owner.disposeAsync());

  /** Runs A's daemon, with a stream to B and one from B. */
  async function befriend(): Promise<void> {
    if ((await a.daemon.health("/readyz").catch(() => undefined)) === undefined) await a.daemon.start();
    await a.publisher.relate(b, "PARTNER");
    await b.publisher.relate(a, "PARTNER");
    for (const [one, other] of [[a, b] as const, [b, a] as const]) {
      await whenPeer(
        one.daemon,
        other.peerId,
        "both streams are open",
        (peer) => isEstablished(peer) && hasInbound(peer),
        10_000,
      );
    }
  }

  test.each(["SIGTERM", "SIGINT"] as const)("%s: it drains, and its partner notices at once", async (signal) => {
    await befriend();
    const stopwatch = startStopwatch();
    a.daemon.send(signal);
    const [exit] = await Promise.all([
      a.daemon.exited,
      whenPeer(b.daemon, a.peerId, "both streams are gone", hasNoStream, NOTICED_WITHIN),
    ]);
    expect(stopwatch.elapsedMs(), `${stopwatch}`).toBeLessThan(DRAIN_MS);
    expect(exit).toEqual({ code: 0, signal: null });
    expect(a.daemon.stderr).toBe("");
    expect(a.daemon.logLines().at(-1)).toMatchObject({ level: "info", msg: "stopped" });
    const ended = "select direction, close_reason from session_periods order by valid_to_seq desc limit 2";
    const reasons = a.daemon.sql(ended);
    expect(reasons).toHaveLength(2);
    expect(reasons).toEqual(
      expect.arrayContaining([
        { direction: "outbound", close_reason: "shutdown" },
        { direction: "inbound", close_reason: "shutdown" },
      ]),
    );
    expect(b.daemon.count("select count(*) from session_periods where valid_to_at is null")).toBe(0);
    expect(b.daemon.sql(ended).map(({ close_reason }) => close_reason)).not.toContain("expired");
    expect(databaseFaults(a.daemon)).toEqual([]);
  });

  test("a partner that does not answer does not delay it", async () => {
    await befriend();
    await b.daemon.freeze();
    const stopwatch = startStopwatch();
    expect(await a.daemon.stop()).toEqual({ code: 0, signal: null });
    expect(stopwatch.elapsedMs(), `${stopwatch}`).toBeLessThan(DRAIN_MS);
    b.daemon.thaw();
    await whenPeer(b.daemon, a.peerId, "the end is noticed", hasNoStream, 5_000);
    expect(a.daemon.sql("select close_reason from session_periods order by valid_to_seq desc limit 1")).toEqual([
      { close_reason: "shutdown" },
    ]);
    expect(databaseFaults(a.daemon)).toEqual([]);
  });
});

/** The slowest thing to stop: a private nats-server that hangs, which gets a second. */
describe("asked to stop while something hangs", () => {
  const PATIENCE_MS = 1_000;

  async function freezePrivateServer(daemon: DaemonProcess): Promise<void> {
    const started = daemon.logLines().findLast(({ msg }) => msg.includes("started a private one"));
    const pid = Number(started?.["pid"]);
    process.kill(pid, "SIGSTOP");
    await daemon.until("its private server has stopped", () => / T /.test(readFileSync(`/proc/${pid}/stat`, "utf8")));
  }

  /** How long stopping takes, in wall time and in machine time, which is never more. */
  async function ending(daemon: DaemonProcess): Promise<{ readonly wallMs: number; readonly machineMs: number }> {
    const [stopwatch, startedMs] = [startStopwatch(), performance.now()];
    expect(await daemon.exited).toEqual({ code: 0, signal: null });
    return { wallMs: performance.now() - startedMs, machineMs: stopwatch.elapsedMs() };
  }

  test("it still stops gracefully and in time, and a second signal stops it at once", async (context) => {
    context.skip(await natsAnswers("127.0.0.1", 4222, 1_000), "a NATS server listens on 127.0.0.1:4222");
    await using daemon = await DaemonProcess.start();
    await freezePrivateServer(daemon);
    daemon.send("SIGTERM");
    const patient = await ending(daemon);
    expect(patient.wallMs).toBeGreaterThan(PATIENCE_MS - 100);
    expect(patient.machineMs).toBeLessThan(DRAIN_MS);
    expect(daemon.logLines().at(-1)).toMatchObject({ level: "info", msg: "stopped" });

    await daemon.start();
    await freezePrivateServer(daemon);
    const lines = daemon.logLines().length;
    daemon.send("SIGINT");
    daemon.send("SIGTERM");
    expect((await ending(daemon)).machineMs).toBeLessThan(PATIENCE_MS / 2);
    // On a busy machine, a graceful stop takes little machine time, too.
    const messages = daemon.logLines().slice(lines);
    expect(messages.map(({ msg }) => msg)).not.toContain("stopped");
    expect(databaseFaults(daemon)).toEqual([]);
  });
});

describe("killed at a random moment", () => {
  const ROUNDS = repetitions(3, 25);
  /** In some rounds the daemon has received nothing yet; in others it is under load. */
  const LONGEST_LIFE_MS = 2_000;

  test(`${ROUNDS} times under a load of events: each time the log opens clean`, async () => {
    await using nats = await NatsServer.start();
    await using publisher = await Publisher.connect(nats);
    await using daemon = await DaemonProcess.start({ config: { nats: { url: nats.url }, log: { level: "error" } } });
    const peerIds = await Promise.all(Array.from({ length: 20 }, (_, index) => peerIdOfSeed(index + 1)));
    const relations = ["PARTNER", "NONE", "PARTNER", "BLACKLIST"];

    const ending = new AbortController();
    const load = (async () => {
      for (let sent = 0; !ending.signal.aborted; sent++) {
        const peerId = peerIds[sent % peerIds.length] ?? "";
        // Half of the dials fail at once, so that observed events are appended in between.
        const address = `/ip4/127.0.0.1/tcp/9/p2p/${peerId}`;
        await publisher.relate({ peerId, address }, relations[Math.floor(sent / peerIds.length) % relations.length] ?? "");
      }
    })();

    const [seed = 0] = seedsFrom(1, 1);
    const instants = seededRandom(seed);
    const heads: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      if (round > 0) await daemon.start("nothing");
      // Not a wait for a condition: the random moment of the crash is the point of the test.
      const lifeMs = instants.next() * LONGEST_LIFE_MS;
      await delay(lifeMs);
      expect(await daemon.kill()).toEqual({ code: null, signal: "SIGKILL" });
      expect(existsSync(daemon.databaseFile)).toBe(true);
      expect(databaseFaults(daemon), `after ${lifeMs} ms in round ${round} of seed ${seed}`).toEqual([]);
      heads.push(daemon.count("select coalesce(max(seq), 0) from event_log"));
    }
    ending.abort();
    await load;
    expect(heads).toEqual(heads.toSorted((one, other) => one - other));

    await daemon.start();
    await daemon.until("it hears events again", async () => {
      await publisher.relate({ peerId: peerIds[0] ?? "", address: `/ip4/127.0.0.1/tcp/9/p2p/${peerIds[0]}` }, "PARTNER");
      return daemon.count("select max(seq) from event_log") > (heads.at(-1) ?? 0);
    });
    expect(daemon.stderr).toBe("");
  });
});
