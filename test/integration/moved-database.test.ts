/** The data directory is moved away under a running daemon, or something is mounted over it. */
import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, renameSync, rmSync } from "node:fs";
import { connect } from "nats";
import { describe, expect, test } from "vitest";
import { Broker } from "../crash/broker.ts";
import { inspectAll } from "../crash/inspect.ts";
import { Mirror } from "../crash/mirror.ts";
import { DaemonProcess } from "../support/daemon-process.ts";
import { CREATE, envelope } from "../support/messages.ts";
import { bound } from "../support/pace/pace.ts";

const CONSUMER = "oc-partnerd";
/** It looks once a second. */
const NOTICED_WITHIN = bound(2_000);

async function publish(url: string, count: number, what: string): Promise<void> {
  const client = await connect({ servers: [url] });
  for (let number = 1; number <= count; number++) client.publish(CREATE, JSON.stringify(envelope("no base64", { what, number })));
  await client.drain();
}

const eventLog = async (daemon: DaemonProcess) => {
  const { status, body } = await daemon.health("/readyz");
  return { status, message: body.checks.find(({ name }) => name === "event_log")?.message ?? "" };
};

const mayMount = spawnSync("unshare", ["-m", "true"]).status === 0 && process.getuid?.() === 0;

interface Accident {
  readonly name: string;
  readonly happen: (data: string) => void;
  readonly undo: (data: string) => void;
  readonly why: RegExp;
}

const ACCIDENTS: readonly Accident[] = [
  {
    name: "moved away",
    happen: (data) => renameSync(data, `${data}-away`),
    undo: (data) => {
      rmSync(data, { recursive: true, force: true });
      renameSync(`${data}-away`, data);
    },
    why: /oc-partnerd\.db was moved or deleted while it was in use; put the original back; if it is lost, stop the daemon and run/,
  },
  {
    name: "replaced by an empty one",
    happen: (data) => {
      renameSync(data, `${data}-away`);
      mkdirSync(data);
    },
    undo: (data) => {
      rmSync(data, { recursive: true, force: true });
      renameSync(`${data}-away`, data);
    },
    why: /oc-partnerd\.db was moved or deleted/,
  },
  {
    name: "without its lock file, so that a second daemon could start",
    happen: (data) => renameSync(`${data}/oc-partnerd.lock`, `${data}/gone`),
    undo: (data) => renameSync(`${data}/gone`, `${data}/oc-partnerd.lock`),
    why: /oc-partnerd\.lock was moved or deleted while it was in use; put the original back; if it is lost, restart the daemon/,
  },
  ...(mayMount
    ? [
        {
          name: "covered by a mount",
          happen: (data: string) => expect(spawnSync("mount", ["-t", "tmpfs", "-o", "size=1m", "test", data]).status).toBe(0),
          undo: (data: string) => expect(spawnSync("umount", [data]).status).toBe(0),
          why: /oc-partnerd\.db was moved or deleted/,
        },
      ]
    : []),
];

describe("the data directory of a running daemon", () => {
  test.each(ACCIDENTS)(
    "$name: it is not ready, acknowledges nothing, and recovers once that is undone",
    async ({ happen, undo, why }) => {
      await using broker = await Broker.start();
      await using daemon = await DaemonProcess.start({
        config: { nats: { url: broker.url, mode: "jetstream", consumer: CONSUMER } },
      });
      await publish(broker.url, 10, "before");
      const cursor = () => daemon.count("select sequence from ingest_cursor");
      await daemon.until("the first events are in the log", () => cursor() === 10);
      happen(daemon.dataDir);
      try {
        await daemon.until("readiness says why", async () => (await eventLog(daemon)).status === 503, NOTICED_WITHIN);
        expect((await eventLog(daemon)).message).toMatch(why);
        await publish(broker.url, 10, "meanwhile");
        await daemon.until("an append has failed", async () => {
          return ((await daemon.metric('oc_partnerd_event_log_failures_total{kind="append"}')) ?? 0) > 0;
        });
        expect((await broker.acknowledged(CONSUMER))?.sequence).toBe(10);
        expect((await daemon.health("/livez")).status).toBe(200);
        expect(daemon.logLines().filter(({ level }) => level === "error")).toContainEqual(
          expect.objectContaining({ msg: "database is not in its place; nothing is logged or acknowledged" }),
        );
      } finally {
        undo(daemon.dataDir);
      }
      await daemon.until("everything is in the log", () => cursor() === 20, 10_000);
      await daemon.until("it is ready again", async () => (await eventLog(daemon)).status === 200, NOTICED_WITHIN);
      expect(await daemon.stop()).toEqual({ code: 0, signal: null });
      expect((await inspectAll(broker, new Mirror(), { dataDir: daemon.dataDir, consumer: CONSUMER })).faults).toEqual([]);
    },
  );

  test("moved away, and the daemon is stopped: it stops in time, reports what is lost, and leaves the path alone", async () => {
    await using broker = await Broker.start();
    await using daemon = await DaemonProcess.start({
      config: { nats: { url: broker.url, mode: "jetstream", consumer: CONSUMER } },
    });
    await publish(broker.url, 10, "before");
    await daemon.until("the first events are in the log", () => daemon.count("select sequence from ingest_cursor") === 10);
    renameSync(daemon.dataDir, `${daemon.dataDir}-away`);
    mkdirSync(daemon.dataDir);
    expect(await daemon.stop()).toEqual({ code: 0, signal: null });
    expect(readdirSync(daemon.dataDir).filter((name) => name !== "oc-partnerd.alive")).toEqual([]);
    expect(daemon.logLines()).toContainEqual(
      expect.objectContaining({ msg: "could not record the shutdown; the next start will report an unclean one" }),
    );
    rmSync(daemon.dataDir, { recursive: true });
    renameSync(`${daemon.dataDir}-away`, daemon.dataDir);
    await daemon.start();
    expect(await daemon.stop()).toEqual({ code: 0, signal: null });
    expect((await inspectAll(broker, new Mirror(), { dataDir: daemon.dataDir, consumer: CONSUMER })).faults).toEqual([]);
  });
});
