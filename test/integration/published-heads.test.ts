/** Heads in the stream OC_PARTNERD_HEADS, with real servers and daemons: what they prove to `check --nats`, and that they disturb nothing. */
import { cpSync, rmSync } from "node:fs";
import { connect, type JetStreamManager } from "nats";
import { expect, test } from "vitest";
import { abortable } from "../../src/base/pause.ts";
import { setUpHeads } from "../../src/nats/heads/heads-setup.ts";
import { setUp } from "../../src/nats/setup/setup.ts";
import { seededRandom } from "../../src/sim/time/random.ts";
import { DaemonProcess } from "../support/daemon-process.ts";
import { CREATE, REMOVE } from "../support/messages.ts";
import { NatsServer } from "../support/nats-server.ts";
import { bound, startDeadline } from "../support/pace/pace.ts";
import { expectFailure, runCommand } from "../support/run-command.ts";
import { rewriteChain } from "../support/tamperings.ts";

const [STREAM, HEADS] = ["OC_RESOURCES", "OC_PARTNERD_HEADS"];

async function managed<Result>(nats: NatsServer, work: (manager: JetStreamManager) => Promise<Result>): Promise<Result> {
  const client = await connect({ servers: nats.url, reconnect: false });
  try {
    return await work(await client.jetstreamManager());
  } finally {
    await client.close();
  }
}

async function startServer(subjects: readonly string[] = []): Promise<NatsServer> {
  const nats = await NatsServer.start({ jetStream: true });
  const client = await connect({ servers: nats.url, reconnect: false });
  await setUp(client, { stream: STREAM, consumer: "oc-partnerd", subjects: [CREATE, REMOVE, ...subjects], limits: {} });
  if (subjects.length === 0) expect((await setUpHeads(client, { replicas: 1 })).problem).toBeNull();
  await client.close();
  return nats;
}

async function publish(nats: NatsServer, count: number): Promise<void> {
  const client = await connect({ servers: nats.url, reconnect: false });
  for (let number = 0; number < count; number++) client.publish(CREATE, `message ${number}`);
  await client.flush();
  await client.close();
}

const startDaemon = (nats: NatsServer) => DaemonProcess.start({ config: { nats: { url: nats.url } } });

const heads = (nats: NatsServer) => managed(nats, async ({ streams }) => (await streams.info(HEADS)).state.messages);

const rejected = (daemon: DaemonProcess) => daemon.count("select count(*) from event_log where type = 'EventRejected'");

const hasPublished = (daemon: DaemonProcess, nats: NatsServer, more = 0) =>
  daemon.until("a head is published", async () => (await heads(nats)) > more);

const check = (nats: NatsServer, daemon: DaemonProcess, ...flags: string[]) =>
  runCommand(["check", "--data", daemon.dataDir, "--nats", nats.url, ...flags]);

test("heads prove a log, and show that its whole chain was recomputed", async () => {
  await using nats = await startServer();
  await using daemon = await startDaemon(nats);
  await hasPublished(daemon, nats);
  await publish(nats, 20);
  await daemon.until("all is logged", () => rejected(daemon) === 20);
  expect((await check(nats, daemon)).code).toBe(0);
  await daemon.stop();
  expect(await heads(nats), "one soon after the start, one at the stop").toBe(2);
  const sound = await check(nats, daemon);
  expect(sound).toMatchObject({ code: 0, stderr: "" });
  expect(sound.stdout).toContain(`compared with 2 published heads in stream ${HEADS} at 127.0.0.1:${nats.port}`);
  expect(JSON.parse((await check(nats, daemon, "--json")).stdout)).toMatchObject({
    sound: true,
    publishedHeads: { stream: HEADS, heads: 2 },
  });
  await expect(managed(nats, ({ streams }) => streams.purge(HEADS))).rejects.toThrow("purge");
  await expect(managed(nats, ({ streams }) => streams.deleteMessage(HEADS, 1))).rejects.toThrow("delete");

  rewriteChain(daemon.dataDir, seededRandom(2));
  expect((await runCommand(["check", "--data", daemon.dataDir])).code).toBe(0);
  const { code, stdout } = await check(nats, daemon);
  expect(code).toBe(1);
  expect(stdout).toMatch(/event_log row \d+: chain_hash is \w+, OC_PARTNERD_HEADS \(run \w+, \S+Z\) names \w+/);
  expect(stdout).toMatch(/OC_PARTNERD_HEADS: \d of 2 published heads contradict the log/);
});

test("heads show that a log was replaced by an older copy, and that there should be some", async () => {
  await using nats = await startServer();
  await using daemon = await startDaemon(nats);
  await hasPublished(daemon, nats);
  await daemon.stop();
  const copy = `${daemon.dataDir}.copy`;
  cpSync(daemon.dataDir, copy, { recursive: true });
  await daemon.start();
  await publish(nats, 10);
  await daemon.until("all is logged", () => rejected(daemon) === 10);
  await daemon.stop();
  rmSync(daemon.dataDir, { recursive: true });
  cpSync(copy, daemon.dataDir, { recursive: true });
  const { code, stdout } = await check(nats, daemon);
  expect(code).toBe(1);
  expect(stdout).toMatch(/event_log rows \d+ to \d+: gone: OC_PARTNERD_HEADS \(run/);

  const newest = await heads(nats);
  await daemon.start();
  const rollbacks = () => daemon.sql("select evidence, stream, first_sequence from rollbacks where evidence = 'published_head'");
  await daemon.until("the rollback is recorded", () => rollbacks().length > 0);
  expect(rollbacks()).toEqual([{ evidence: "published_head", stream: HEADS, first_sequence: newest }]);
  const [said] = daemon.sql("select summary from peer_history where type = 'LogRolledBack' order by seq desc");
  expect(said?.["summary"]).toContain(`lacks the head that message ${newest} of stream ${HEADS} names`);
  await hasPublished(daemon, nats, newest);
  await daemon.stop();
  const later = await heads(nats);
  await daemon.start();
  await hasPublished(daemon, nats, later);
  expect(rollbacks(), "it is recorded once").toHaveLength(1);
  await daemon.stop();
  const unconfirmed = await check(nats, daemon);
  const [, seq = ""] = /continued here, says LogRolledBack at seq (\d+), so \d/.exec(unconfirmed.stdout) ?? [];
  expect(unconfirmed).toMatchObject({
    code: 1,
    stdout: expect.stringContaining(`confirm that with --restored ${seq}`) as string,
  });
  const confirmed = await check(nats, daemon, "--restored", seq);
  expect(confirmed.stdout).toMatch(/event_log row \d+: an older copy of the log continued here, says LogRolledBack/);
  expect(confirmed.code, confirmed.stdout).toBe(0);
  expectFailure(await check(nats, daemon, "--restored", "zero"), 64, ["--restored", "zero", "LogRestored"]);
  expectFailure(await runCommand(["check", "--data", daemon.dataDir, "--restored", seq]), 64, ["--restored", "add --nats"]);

  await using other = await startServer();
  expect((await check(other, daemon)).stdout).toMatch(/OC_PARTNERD_HEADS: has no head of 12D3Koo/);
  await using none = await NatsServer.start({ jetStream: true });
  expectFailure(await check(none, daemon), 69, [HEADS, "oc-partnerd setup"]);
});

test("an operator's stream that captures the subject stores no head, so none is read as an event", async () => {
  await using nats = await startServer(["oc-partnerd.>"]);
  await using daemon = await startDaemon(nats);
  await daemon.until("the daemon warns", () =>
    daemon.logLines().some(({ msg, level }) => level === "warn" && /heads of the event log are not published/.test(msg)),
  );
  await publish(nats, 1);
  await daemon.until("the message is logged", () => rejected(daemon) === 1);
  expect(await managed(nats, async ({ streams }) => (await streams.info(STREAM)).state.messages)).toBe(1);
  expect((await daemon.health("/readyz")).status).toBe(200);
});

test("a server that does not answer delays neither events nor the stop", async () => {
  await using nats = await startServer();
  await using daemon = await startDaemon(nats);
  await hasPublished(daemon, nats);
  await publish(nats, 1);
  await daemon.until("the message is logged", () => rejected(daemon) === 1);
  process.kill(nats.pid, "SIGSTOP");
  try {
    using limit = startDeadline(bound(2_000), "the daemon exits");
    expect(await abortable(daemon.stop(), limit.signal)).toEqual({ code: 0, signal: null });
  } finally {
    process.kill(nats.pid, "SIGCONT");
  }
});
