/** The guarantees for every supported nats-server, with one test each. A test that rejects means that the guarantee is broken. */
import { strict as assert } from "node:assert";
import { cpSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { RunId } from "../../src/events/types.ts";
import { setUpHeads } from "../../src/nats/heads/heads-setup.ts";
import { HeadsStream } from "../../src/nats/heads/heads-stream.ts";
import { HEADS_STREAM } from "../../src/nats/heads/published-head.ts";
import { CREATE } from "../support/messages.ts";
import { ADMIN, DOCUMENTED_ACCOUNTS, documented, withAdmin } from "../support/operating-docs.ts";
import { until } from "../support/until.ts";
import { CONSUMER, delivery, gaps, logged, PATIENCE_MS, Scene, STREAM, takenUpTo } from "./scene.ts";

export interface Guarantee {
  /** As shown in the table. */
  readonly name: string;
  /** `binary` is the nats-server to test. */
  readonly attempt: (binary: string) => Promise<void>;
}

const WHILE_DOWN = 10_000;
const BURST = 2_000;

export const GUARANTEES: readonly Guarantee[] = [
  {
    name: "`setup` creates and repairs stream and consumer, and then changes nothing",
    attempt: async (binary) => {
      await using scene = await Scene.start(binary);
      const { streams } = await scene.manager();
      await streams.add({ name: STREAM, subjects: [CREATE] });
      await scene.setUp();
      const { config } = await streams.info(STREAM);
      assert.deepEqual([config.no_ack, config.deny_delete, config.deny_purge, config.subjects.length], [true, true, true, 2]);
      await scene.setUp();
      assert.deepEqual((await streams.info(STREAM)).config, config);
    },
  },
  {
    name: "A plain core publish is captured",
    attempt: async (binary) => {
      await using scene = await Scene.start(binary);
      await scene.setUp();
      const published = await scene.publish(1_000);
      assert.deepEqual(await scene.held(), published);
    },
  },
  {
    name: "`no_ack`: a request on a captured subject gets the answer, not the stream's acknowledgement",
    attempt: async (binary) => {
      await using scene = await Scene.start(binary);
      const { streams } = await scene.manager();
      const app = await scene.client();
      app.subscribe(CREATE, { callback: (_, message) => setTimeout(() => message.respond("the reply"), 50) });
      await app.flush();
      const ask = async () => (await app.request(CREATE, scene.event(), { timeout: 2_000 })).string();
      await streams.add({ name: STREAM, subjects: [CREATE] });
      assert.match(await ask(), /"stream":"OC_RESOURCES"/, "without no_ack the stream should have answered first");
      await scene.setUp();
      for (let count = 0; count < 10; count++) assert.equal(await ask(), "the reply");
      assert.equal((await scene.state()).messages, 11);
    },
  },
  {
    name: "Messages cannot be deleted or purged",
    attempt: async (binary) => {
      await using scene = await Scene.start(binary);
      await scene.setUp();
      await scene.publish(3);
      const { streams } = await scene.manager();
      await assert.rejects(streams.deleteMessage(STREAM, 1));
      await assert.rejects(streams.purge(STREAM));
      await assert.rejects(streams.update(STREAM, { deny_delete: false }));
      await assert.rejects(streams.update(STREAM, { deny_purge: false }));
      assert.equal((await scene.state()).messages, 3);
    },
  },
  {
    name: "The documented permissions are enough, also to recreate the consumer",
    attempt: async (binary) => {
      await using scene = await Scene.start(binary, { config: withAdmin(DOCUMENTED_ACCOUNTS), admin: ADMIN });
      await assert.rejects(scene.setUp({}, documented("partnerd")), /denies/);
      await scene.setUp({}, documented("setup"));
      const daemon = await scene.daemon(documented("partnerd"));
      const publisher = await scene.client(documented("publisher"));
      await scene.publish(10, publisher);
      await scene.taken(daemon);
      const { consumers } = await scene.manager();
      await consumers.delete(STREAM, CONSUMER);
      await scene.publish(10, publisher);
      await scene.expectHeldOnce(daemon);
      await until("everything is acknowledged", async () => {
        const { num_ack_pending: pending, ack_floor: floor } = await consumers.info(STREAM, CONSUMER);
        return pending === 0 && floor.stream_seq === 20;
      });
      const denials = daemon.logLines().filter((line) => JSON.stringify(line).includes("denies"));
      assert.deepEqual(denials, []);
    },
  },
  {
    name: `Nothing is lost while the daemon is down: ${WHILE_DOWN.toLocaleString("en")} events`,
    attempt: async (binary) => {
      await using scene = await Scene.start(binary);
      await scene.setUp();
      const daemon = await scene.daemon();
      const before = await scene.publish(10);
      await scene.taken(daemon);
      await daemon.stop();
      const meanwhile = await scene.publish(WHILE_DOWN);
      await daemon.start();
      await scene.taken(daemon);
      assert.deepEqual(logged(daemon), [...before, ...meanwhile]);
      assert.deepEqual(gaps(daemon), []);
    },
  },
  {
    name: "Nothing is lost or logged twice after `kill -9` of the daemon, under load",
    attempt: async (binary) => {
      await using scene = await Scene.start(binary);
      await scene.setUp();
      const daemon = await scene.daemon();
      const publisher = await scene.client();
      const published: string[] = [];
      for (let round = 0; round < 3; round++) {
        const publishing = scene.publish(BURST, publisher);
        await daemon.kill();
        published.push(...(await publishing), ...(await scene.publish(100, publisher)));
        await daemon.start();
        published.push(...(await scene.publish(BURST, publisher)));
        // Kill it in the middle of reading.
        await daemon.until("it reads again", () => takenUpTo(daemon) > published.length - BURST, PATIENCE_MS);
      }
      await scene.taken(daemon);
      assert.deepEqual(logged(daemon), published);
      assert.deepEqual(gaps(daemon), []);
    },
  },
  {
    name: "Every message of the stream is in the log once after `kill -9` of nats-server, under load",
    attempt: async (binary) => {
      await using scene = await Scene.start(binary);
      await scene.setUp();
      const daemon = await scene.daemon();
      for (let round = 0; round < 3; round++) {
        const publisher = await scene.client();
        for (let count = 0; count < 20; count++) {
          await scene.publish(100, publisher);
        }
        for (let count = 0; count < 200; count++) publisher.publish(CREATE, scene.event());
        await scene.nats.kill();
        await scene.nats.start();
      }
      await scene.publish(10);
      await scene.expectHeldOnce(daemon);
    },
  },
  {
    name: "A deleted consumer is recreated, and nothing is lost",
    attempt: async (binary) => {
      await using scene = await Scene.start(binary);
      await scene.setUp();
      const daemon = await scene.daemon();
      const { consumers } = await scene.manager();
      await scene.publish(10);
      await consumers.delete(STREAM, CONSUMER);
      await scene.publish(10);
      await scene.expectHeldOnce(daemon);
    },
  },
  {
    name: "A recreated stream is noticed, recorded and read",
    attempt: async (binary) => {
      await using scene = await Scene.start(binary);
      await scene.setUp();
      const daemon = await scene.daemon();
      await scene.publish(10);
      await scene.taken(daemon);
      await (await scene.manager()).streams.delete(STREAM);
      await scene.setUp();
      await scene.publish(5);
      await daemon.until("it is recorded", () => gaps(daemon).length > 0, PATIENCE_MS);
      assert.deepEqual(gaps(daemon), [{ reason: "recreated", first: 11, last: null }]);
      await scene.expectHeldOnce(daemon);
    },
  },
  {
    name: "Messages that the limits dropped unread are recorded as a gap, with their sequences",
    attempt: async (binary) => {
      await using scene = await Scene.start(binary);
      await scene.setUp({ maxBytes: 65_536 });
      const daemon = await scene.daemon();
      await scene.publish(10);
      await scene.taken(daemon);
      await daemon.stop();
      await scene.publish(500);
      const { first_seq: firstHeld } = await scene.state();
      assert.ok(firstHeld > 11, "the limits removed no message");
      await daemon.start();
      await scene.expectHeldOnce(daemon);
      assert.deepEqual(gaps(daemon), [{ reason: "purged", first: 11, last: firstHeld - 1 }]);
    },
  },
  {
    name: "A store rewound to an older copy is noticed, recorded and read on",
    attempt: async (binary) => {
      await using scene = await Scene.start(binary);
      await scene.setUp();
      const daemon = await scene.daemon();
      const { directory } = scene.nats;
      const [store, copy] = [join(directory, "store"), join(directory, "older")];
      await scene.publish(10);
      await scene.nats.stop();
      cpSync(store, copy, { recursive: true });
      await scene.nats.start();
      await scene.publish(10);
      await scene.taken(daemon);
      await scene.nats.stop();
      rmSync(store, { recursive: true });
      cpSync(copy, store, { recursive: true });
      await scene.nats.start();
      await scene.publish(15);
      await daemon.until("it is recorded", () => gaps(daemon).length > 0, PATIENCE_MS);
      assert.deepEqual(gaps(daemon), [{ reason: "reused", first: 21, last: null }]);
      await scene.expectHeldOnce(daemon);
      assert.equal(logged(daemon).length, 35);
    },
  },
  {
    name: "Mode `auto` starts with core NATS, says at_most_once, and switches to the stream once it is set up",
    attempt: async (binary) => {
      await using scene = await Scene.start(binary);
      const daemon = await scene.daemon({ mode: "auto" });
      assert.equal(await delivery(daemon), "at_most_once");
      const before = await scene.publish(10);
      await daemon.until("they are logged", () => logged(daemon).length === before.length, PATIENCE_MS);
      await scene.setUp();
      await daemon.until("it reads the stream", async () => (await delivery(daemon)) === "at_least_once", PATIENCE_MS);
      const after = await scene.publish(10);
      await scene.taken(daemon);
      assert.deepEqual(logged(daemon), [...before, ...after]);
    },
  },
  {
    name: "Core mode works without JetStream, and says at_most_once",
    attempt: async (binary) => {
      await using scene = await Scene.start(binary, { jetStream: false });
      const daemon = await scene.daemon({ mode: "core" });
      const published = await scene.publish(100);
      await daemon.until("they are logged", () => logged(daemon).length === published.length, PATIENCE_MS);
      assert.deepEqual(logged(daemon), published);
      assert.equal(await delivery(daemon), "at_most_once");
    },
  },
  {
    name: "Published heads are kept apart by log, cannot be deleted, and are read without a consumer",
    attempt: async (binary) => {
      await using scene = await Scene.start(binary);
      const client = await scene.client();
      assert.deepEqual(await setUpHeads(client, { replicas: 1 }), { name: HEADS_STREAM, action: "create", problem: null });
      assert.equal((await setUpHeads(client, { replicas: 1 })).action, "keep");
      const [one, other] = [new HeadsStream(client, "one"), new HeadsStream(client, "other")];
      const head = (seq: number) => ({ run: "r" as RunId, seq, chainHash: "0".repeat(64), at: "2026-01-01T12:00:00.000Z" });
      for (let seq = 1; seq <= 100; seq++) await (seq % 3 === 0 ? other : one).publish(head(seq), PATIENCE_MS);
      const seqs = async (stream: HeadsStream) => (await stream.all()).map((stored) => stored.head?.seq);
      const all = Array.from({ length: 100 }, (_, index) => index + 1);
      assert.deepEqual(
        await seqs(one),
        all.filter((seq) => seq % 3 !== 0),
      );
      assert.deepEqual(
        await seqs(other),
        all.filter((seq) => seq % 3 === 0),
      );
      assert.deepEqual(await seqs(new HeadsStream(client, "none")), []);
      const { streams } = await scene.manager();
      await assert.rejects(streams.deleteMessage(HEADS_STREAM, 1));
      await assert.rejects(streams.purge(HEADS_STREAM));
      assert.equal((await streams.info(HEADS_STREAM)).state.messages, 100);
    },
  },
];
