/** archive and unarchive as an operator runs them: beside a live daemon that reads a stream, and on an idle log. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { connect } from "nats";
import { describe, expect, test } from "vitest";
import { setUp } from "../../src/nats/setup/setup.ts";
import { append, desired } from "../store/support/events.ts";
import { toldStory } from "../store/support/story.ts";
import { TemporaryStore } from "../store/support/temporary-store.ts";
import { DaemonProcess } from "../support/daemon-process.ts";
import { CREATE, REMOVE } from "../support/messages.ts";
import { NatsServer } from "../support/nats-server.ts";
import { peerIdOfSeed } from "../support/peer-ids.ts";
import { Publisher } from "../support/publisher.ts";
import { expectFailure, runCommand } from "../support/run-command.ts";

const PUBLISHED = 40;

describe.concurrent("beside a daemon that reads a stream", () => {
  test("old events move to a file, the daemon keeps running, and recognizes redelivered messages", async () => {
    await using nats = await NatsServer.start({ jetStream: true });
    const client = await connect({ servers: nats.url });
    await setUp(client, { stream: "OC_RESOURCES", consumer: "oc-partnerd", subjects: [CREATE, REMOVE], limits: {} });
    await client.close();
    await using publisher = await Publisher.connect(nats);
    await using daemon = await DaemonProcess.start({ config: { nats: { url: nats.url } } });
    const peers = await Promise.all([1, 2, 3].map((seed) => peerIdOfSeed(seed)));
    const publish = async (count: number) => {
      const before = daemon.count("select count(*) from event_log where dedupe_key is not null");
      for (let number = 0; number < count; number++) {
        const peerId = peers[number % peers.length] ?? "";
        await publisher.relate(
          { peerId, address: `/ip4/127.0.0.1/tcp/9/p2p/${peerId}`, name: `n-${number}` },
          number % 4 === 3 ? "NONE" : "PARTNER",
        );
      }
      await daemon.until(
        "all of it is in the log",
        () => daemon.count("select count(*) from event_log where dedupe_key is not null") === before + count,
      );
    };
    await publish(PUBLISHED);
    const [desired, state] = [
      () => daemon.sql("select * from desired_peers order by peer_id"),
      daemon.sql("select * from desired_peers order by peer_id"),
    ];
    const lastSeq = daemon.count("select max(seq) from event_log where dedupe_key is not null");
    const archived = await runCommand(["archive", "--data", daemon.dataDir, "--before", String(lastSeq), "--json"]);
    expect(archived, archived.stderr).toMatchObject({ code: 0, stderr: "" });
    const report = JSON.parse(archived.stdout) as { events: number; path: string; lastSeq: number };
    expect(report).toMatchObject({ outcome: "archived", firstSeq: 1, lastSeq: lastSeq - 1, removed: lastSeq - 1 });
    expect(desired()).toEqual(state);
    expect((await daemon.health("/readyz")).status).toBe(200);

    // Delivers all stream messages again, which adds no row about a peer.
    const received = () => daemon.count("select count(*) from event_log where subject is not null");
    expect(received()).toBe(1);
    const resync = await runCommand(["resync", "--config", daemon.configFile]);
    expect(resync, resync.stderr).toMatchObject({ code: 0 });
    expect(received()).toBe(1);
    expect(desired()).toEqual(state);

    await publish(10);
    expect(await runCommand(["check", "--data", daemon.dataDir])).toMatchObject({ code: 0 });
    await daemon.kill();
    await daemon.start();
    await publish(10);
    const whole = join(daemon.dataDir, "..", "whole.db");
    const made = await runCommand(["unarchive", "--data", daemon.dataDir, "--to", whole]);
    expect(made, made.stderr).toMatchObject({ code: 0 });
    const checked = await runCommand(["check", "--data", whole]);
    expect(checked.stdout).toContain(made.stdout.split("\n")[1]);
    expect(checked.code).toBe(0);
  });
});

describe.concurrent("on an idle log", () => {
  test("archive reports what it would do, and what it did", async () => {
    using story = toldStory();
    story.store[Symbol.dispose]();
    const archive = (...flags: string[]) => runCommand(["archive", "--data", story.directory, ...flags]);
    const events = "seq 1 to 8 (8 events, 2026-01-01T12:00:00.000Z to 2026-01-01T12:00:50.300Z)";
    const path = join(story.directory, "archive/oc-partnerd-events-1-8.jsonl.gz");
    expect(await archive("--before", "2026-01-01T12:01", "--dry-run")).toMatchObject({
      code: 0,
      stderr: "",
      stdout: expect.stringMatching(
        `^would archive ${events.replace(/[()]/g, "\\$&")} to ${path}\nthis would free about \\S+ KiB in the database, less if the log is small: pages are freed whole; dry run: nothing was changed\n$`,
      ) as string,
    });
    expect(existsSync(path)).toBe(false);
    expect((await archive("--before", "90000d")).stderr).toContain("expected a duration of up to 36500 days");
    expect((await archive("--before", "20000d")).stdout).toBe("nothing to archive before that point\n");
    const { code, stdout, stderr } = await archive("--before", "9");
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout).toMatch(
      /^archived seq 1 to 8 .*\nsize \S+ \S+, SHA-256 [0-9a-f]{64}\ndeleted 8 rows and freed .*; the database file does not shrink\n$/,
    );
    expect((await runCommand(["check", "--data", story.directory])).stdout).toContain(`archive of seq 1 to 8: ${path} is sound`);
    const exported = await runCommand(["export", "--data", story.directory, "--from", "4"]);
    expectFailure(exported, 69, ["seq 1 to 8 are in the archive", path, "oc-partnerd unarchive"]);
  });

  test("rows from the future: it says what is in the way, and exits with 1 if it moves nothing although something is old", async () => {
    using temporary = new TemporaryStore();
    const { store, clock } = temporary;
    const DAY_MS = 86_400_000;
    for (const aheadMs of [3_650 * DAY_MS, 3_650 * DAY_MS, 0, 0]) {
      clock.stall(aheadMs);
      append(store, desired({ name: `${clock.wallMs()}` }));
      clock.stall(-aheadMs);
    }
    store[Symbol.dispose]();
    const { code, stdout, stderr } = await runCommand(["archive", "--data", temporary.directory, "--before", "2027-01-01"]);
    expect([code, stderr]).toEqual([1, ""]);
    expect(stdout).toBe(
      "nothing to archive before that point\nnot moved: 1 event dated earlier, behind events dated later (seq 1, 2035-12-30T12:00:00.000Z): the clock was wrong; to move them too, use --before 4\n",
    );
    const moved = await runCommand(["archive", "--data", temporary.directory, "--before", "4", "--json"]);
    expect(moved).toMatchObject({ code: 0 });
    expect(JSON.parse(moved.stdout)).toMatchObject({ outcome: "archived", lastSeq: 3, misdated: { moved: 0, kept: 0 } });
  });

  test("impossible requests give one clear message", async () => {
    using story = toldStory();
    story.store[Symbol.dispose]();
    const archive = (...flags: string[]) => runCommand(["archive", "--data", story.directory, ...flags]);
    expectFailure(await archive("--before", "soon"), 64, ["--before", "soon", "90d"]);
    expectFailure(await runCommand(["archive", "--data", join(story.directory, "none"), "--before", "9"]), 74, [
      "there is no database",
    ]);
    expectFailure(await runCommand(["unarchive", "--to", join(story.directory, "x.db")]), 64, ["nothing to read"]);
    expectFailure(await runCommand(["unarchive", story.path, "--to", join(story.directory, "x.db")]), 78, [story.path]);
    expect(existsSync(join(story.directory, "x.db"))).toBe(false);
  });
});
